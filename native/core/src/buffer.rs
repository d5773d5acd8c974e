//! Scratch memory that grows without being copied or written, and says when there is none.
#![allow(unsafe_code)] // allocation by hand: `vec![0; n]` aborts where there is no memory

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ptr::NonNull;

use crate::error::{Error, Result};

const ALIGN: usize = 64;

/// Bytes on the heap, aligned to a cache line. Growing forgets the content.
///
/// Invariant: `pointer` is the start of `capacity` initialised bytes of our own, or dangling
/// where the capacity is 0.
#[derive(Debug)]
pub struct Buffer {
    pointer: NonNull<u8>,
    capacity: usize,
}

// SAFETY: the memory is owned, as in a `Vec<u8>`.
unsafe impl Send for Buffer {}

impl Default for Buffer {
    fn default() -> Self {
        Self { pointer: NonNull::dangling(), capacity: 0 }
    }
}

impl Buffer {
    /// How many bytes there are.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// The first `size` bytes, allocated as needed; whatever they held is lost if it grows.
    ///
    /// # Errors
    /// There is not enough memory.
    pub fn get(&mut self, size: usize) -> Result<&mut [u8]> {
        if size > self.capacity {
            *self = Self::default();
            let room = size.checked_next_multiple_of(4096).ok_or_else(|| Error::memory(size))?;
            let layout = layout(room).ok_or_else(|| Error::memory(size))?;
            // SAFETY: the layout's size is not 0, because `size` is more than 0.
            let pointer = unsafe { alloc_zeroed(layout) };
            let pointer = NonNull::new(pointer).ok_or_else(|| Error::memory(size))?;
            *self = Self { pointer, capacity: room };
        }
        // SAFETY: by the invariant, and `size <= capacity`.
        Ok(unsafe { std::slice::from_raw_parts_mut(self.pointer.as_ptr(), size) })
    }

    /// The first `size` bytes, at most all.
    #[must_use]
    pub fn bytes(&self, size: usize) -> &[u8] {
        // SAFETY: by the invariant.
        unsafe { std::slice::from_raw_parts(self.pointer.as_ptr(), size.min(self.capacity)) }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let (true, Some(layout)) = (self.capacity > 0, layout(self.capacity)) {
            // SAFETY: allocated with this layout.
            unsafe { dealloc(self.pointer.as_ptr(), layout) }
        }
    }
}

fn layout(size: usize) -> Option<Layout> {
    Layout::from_size_align(size, ALIGN).ok()
}
