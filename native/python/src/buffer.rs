//! Memory of Python objects through the buffer protocol, with any strides.
//!
//! The format is not asked for, so that arrays of any dtype can be handed over, those included
//! that the protocol has no name for (datetimes, bfloat16): only sizes matter here.
#![allow(unsafe_code)] // the buffer protocol is a C interface

use std::mem::MaybeUninit;

use anyzarr_core::{Dims, Error, Result, View};
use pyo3::ffi;
use pyo3::prelude::*;

/// A buffer that is held until dropped; the interpreter must be attached then.
pub struct Buffer {
    raw: Box<ffi::Py_buffer>,
}

// SAFETY: the protocol keeps the memory valid until release, whichever thread looks at it.
unsafe impl Send for Buffer {}
// SAFETY: as above; the fields are not changed.
unsafe impl Sync for Buffer {}

impl Buffer {
    /// Ask an object for its memory.
    pub fn new(object: &Bound<'_, PyAny>, writable: bool) -> PyResult<Self> {
        let flags = ffi::PyBUF_STRIDES | if writable { ffi::PyBUF_WRITABLE } else { 0 };
        let mut raw = Box::new(MaybeUninit::<ffi::Py_buffer>::uninit());
        // SAFETY: the object is alive and the interpreter attached; on success all is filled in.
        let status = unsafe { ffi::PyObject_GetBuffer(object.as_ptr(), raw.as_mut_ptr(), flags) };
        if status != 0 {
            return Err(PyErr::fetch(object.py()));
        }
        // SAFETY: filled in, see above.
        Ok(Self { raw: unsafe { raw.assume_init() } })
    }

    /// Bytes of an element.
    pub fn itemsize(&self) -> usize {
        usize::try_from(self.raw.itemsize).unwrap_or(0)
    }

    /// The shape.
    pub fn shape(&self) -> Result<Dims> {
        let shape = self.numbers(self.raw.shape);
        let shape: Vec<usize> = shape.iter().map(|&n| usize::try_from(n).unwrap_or(0)).collect();
        Dims::new(&shape)
    }

    fn numbers(&self, pointer: *const isize) -> &[isize] {
        let ndim = usize::try_from(self.raw.ndim).unwrap_or(0);
        if pointer.is_null() || ndim == 0 {
            return &[];
        }
        // SAFETY: the protocol gives `ndim` numbers that live as long as the buffer.
        unsafe { std::slice::from_raw_parts(pointer, ndim) }
    }

    /// Check the shape and the size of elements.
    pub fn check(&self, shape: &[usize], itemsize: usize) -> Result<()> {
        let found = self.numbers(self.raw.shape);
        let fits = found.len() == shape.len()
            && found.iter().zip(shape).all(|(&n, &m)| usize::try_from(n) == Ok(m));
        if !fits || self.itemsize() != itemsize {
            return Err(Error::invalid(format!(
                "a buffer of shape {shape:?} with elements of {itemsize} bytes is needed, this has \
                 shape {found:?} with {}",
                self.raw.itemsize
            )));
        }
        Ok(())
    }

    /// Bytes from one element to the next, per axis.
    pub fn strides(&self) -> &[isize] {
        self.numbers(self.raw.strides)
    }

    /// Check the shape and return a view on the elements.
    ///
    /// The view is valid for as long as the buffer is held.
    pub fn view(&self, shape: &[usize], itemsize: usize) -> Result<View> {
        self.check(shape, itemsize)?;
        Ok(self.view_at_first(Dims::new(self.strides())?))
    }

    /// A view that begins at the first element; the strides are some of the buffer's.
    ///
    /// It is valid for as long as the buffer is held.
    pub fn view_at_first(&self, strides: Dims<isize>) -> View {
        // SAFETY: the protocol gives memory for an array of the shape that was checked, and it is
        // held; numpy's rules on sharing it between threads apply.
        unsafe { View::new(self.raw.buf.cast(), strides) }
    }

    /// The numbers of an array of int64, which must not be negative, nor `2**32` or more.
    pub fn indices(&self) -> Result<Vec<u32>> {
        let (numbers, rest) = self.bytes()?.as_chunks::<8>();
        if self.itemsize() != 8 || !rest.is_empty() {
            return Err(Error::invalid("indices are int64"));
        }
        let mut bits = 0;
        let index = |number: &[u8; 8]| {
            let number = u64::from_ne_bytes(*number);
            bits |= number;
            number as u32
        };
        let indices = numbers.iter().map(index).collect();
        if bits >> 32 == 0 {
            return Ok(indices);
        }
        Err(Error::invalid("an index is negative, or 2**32 or more"))
    }

    /// All bytes, of a C-contiguous buffer.
    pub fn bytes(&self) -> Result<&[u8]> {
        self.contiguous()?;
        // SAFETY: contiguous memory of `len` bytes, held as long as this borrow.
        Ok(unsafe { std::slice::from_raw_parts(self.start(), self.len()) })
    }

    /// All bytes, of a C-contiguous buffer that was asked for to be written.
    pub fn bytes_mut(&mut self) -> Result<&mut [u8]> {
        self.contiguous()?;
        if self.raw.readonly != 0 {
            return Err(Error::invalid("the buffer is read-only"));
        }
        // SAFETY: as for `bytes`; writable.
        Ok(unsafe { std::slice::from_raw_parts_mut(self.start(), self.len()) })
    }

    fn len(&self) -> usize {
        usize::try_from(self.raw.len).unwrap_or(0)
    }

    fn start(&self) -> *mut u8 {
        if self.len() == 0 { std::ptr::NonNull::dangling().as_ptr() } else { self.raw.buf.cast() }
    }

    fn contiguous(&self) -> Result<()> {
        // SAFETY: the buffer is filled in.
        if unsafe { ffi::PyBuffer_IsContiguous(&raw const *self.raw, b'C' as std::ffi::c_char) }
            == 0
        {
            return Err(Error::invalid("the buffer must be C-contiguous"));
        }
        Ok(())
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        Python::attach(|_| {
            // SAFETY: filled in once, released once, attached.
            unsafe { ffi::PyBuffer_Release(&raw mut *self.raw) }
        });
    }
}
