//! One number per dimension, without the heap.

use std::ops::{Deref, DerefMut};

use crate::error::{Error, Result};

/// The most dimensions an array may have here.
pub const MAX_DIMS: usize = 16;

/// One value per dimension; as a slice it has exactly as many as the array has dimensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Dims<T = usize> {
    len: usize,
    values: [T; MAX_DIMS],
}

impl<T: Copy + Default> Dims<T> {
    /// Compute the value of each dimension. At most [`MAX_DIMS`]; more are left out.
    pub fn from_fn(len: usize, mut value: impl FnMut(usize) -> T) -> Self {
        let len = len.min(MAX_DIMS);
        let mut values = [T::default(); MAX_DIMS];
        for (d, slot) in values.iter_mut().enumerate().take(len) {
            *slot = value(d);
        }
        Self { len, values }
    }

    /// The same value for each dimension.
    pub fn filled(len: usize, value: T) -> Self {
        Self::from_fn(len, |_| value)
    }

    /// Take the values of a slice.
    ///
    /// # Errors
    /// There are more than [`MAX_DIMS`].
    pub fn new(values: &[T]) -> Result<Self> {
        if values.len() > MAX_DIMS {
            return Err(Error::unsupported(format!(
                "the array has {} dimensions, this engine takes up to {MAX_DIMS}",
                values.len()
            )));
        }
        Ok(Self::from_fn(values.len(), |d| values[d]))
    }

    /// The values in another order: dimension `d` of the result is dimension `order[d]` of this.
    #[must_use]
    pub fn permuted(&self, order: &Dims) -> Self {
        Self::from_fn(self.len, |d| self.values[order[d]])
    }
}

impl<T> Deref for Dims<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.values[..self.len]
    }
}

impl<T> DerefMut for Dims<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.values[..self.len]
    }
}

/// The product, if it fits.
#[must_use]
pub fn product(values: &[usize]) -> Option<usize> {
    values.iter().try_fold(1usize, |total, &n| total.checked_mul(n))
}

/// Byte strides of a C-contiguous array.
#[must_use]
pub fn c_strides(shape: &Dims, itemsize: usize) -> Dims<isize> {
    let mut strides = Dims::filled(shape.len(), 0isize);
    let mut step = itemsize as isize;
    for d in (0..shape.len()).rev() {
        strides[d] = step;
        step = step.wrapping_mul(shape[d] as isize);
    }
    strides
}
