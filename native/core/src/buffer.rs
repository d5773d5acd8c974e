//! Scratch memory that grows without being copied or written, and says when there is none.
#![allow(unsafe_code)] // allocation by hand: `vec![0; n]` aborts where there is no memory

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ptr::NonNull;

use crate::error::{Error, Result};

const ALIGN: usize = 64;

/// Memory of at least this size is worth large pages, which have 2 MiB.
const HUGE_FROM: usize = 4 << 20;

/// Bytes on the heap, aligned to a cache line. Growing forgets the content.
///
/// Invariant: `pointer` is the start of `capacity` initialised bytes of our own, `skipped` bytes
/// into an allocation of `ALIGN` bytes more; or dangling where the capacity is 0.
#[derive(Debug)]
pub struct Buffer {
    pointer: NonNull<u8>,
    skipped: usize,
    capacity: usize,
}

// SAFETY: the memory is owned, as in a `Vec<u8>`.
unsafe impl Send for Buffer {}

impl Default for Buffer {
    fn default() -> Self {
        Self { pointer: NonNull::dangling(), skipped: 0, capacity: 0 }
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
            let start = unsafe { alloc_zeroed(layout) };
            let start = NonNull::new(start).ok_or_else(|| Error::memory(size))?;
            let skipped = start.align_offset(ALIGN).min(ALIGN);
            // SAFETY: the allocation is `ALIGN` bytes larger than `room`.
            let pointer = unsafe { start.add(skipped) };
            ask_for_huge_pages(pointer, room);
            *self = Self { pointer, skipped, capacity: room };
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

/// Bytes that grow at their end. Room that was made once is used again without being cleared.
#[derive(Debug, Default)]
pub struct Output {
    buffer: Buffer,
    len: usize,
}

impl Output {
    /// How many bytes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many bytes there is room for.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.buffer.capacity()
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.buffer.bytes(self.len)
    }

    /// Forget what comes after the first `len` bytes.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Let `write` use `room` bytes at the end; it says how many of them, from the first on, it
    /// keeps. What they hold before is not said. Nothing is kept where it fails.
    ///
    /// # Errors
    /// Those of `write`; or there is not enough memory.
    pub fn append(
        &mut self,
        room: usize,
        write: impl FnOnce(&mut [u8]) -> Result<usize>,
    ) -> Result<()> {
        let end = self.reserve(room)?;
        let taken = write(&mut self.buffer.get(end)?[self.len..])?;
        self.len = end.min(self.len + taken);
        Ok(())
    }

    /// Append bytes.
    ///
    /// # Errors
    /// There is not enough memory.
    pub fn extend(&mut self, bytes: &[u8]) -> Result<()> {
        self.append(bytes.len(), |target| {
            target.copy_from_slice(bytes);
            Ok(bytes.len())
        })
    }

    /// The bytes from `start` on, to change.
    pub fn tail_mut(&mut self, start: usize) -> Result<&mut [u8]> {
        let len = self.len;
        Ok(&mut self.buffer.get(len)?[start.min(len)..])
    }

    /// Make room for so many bytes more; return where they would end.
    ///
    /// # Errors
    /// There is not enough memory.
    pub fn reserve(&mut self, room: usize) -> Result<usize> {
        let end = self.len.checked_add(room).ok_or_else(|| Error::memory(room))?;
        if end > self.buffer.capacity() {
            let mut larger = Buffer::default();
            let wanted = end.max(self.buffer.capacity().saturating_mul(2));
            larger.get(wanted)?[..self.len].copy_from_slice(self.bytes());
            self.buffer = larger;
        }
        Ok(end)
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let (true, Some(layout)) = (self.capacity > 0, layout(self.capacity)) {
            // SAFETY: allocated with this layout, and `skipped` bytes before the pointer.
            unsafe { dealloc(self.pointer.as_ptr().sub(self.skipped), layout) }
        }
    }
}

/// Let the system use large pages for large memory: thousands of page faults fewer.
#[cfg(target_os = "linux")]
fn ask_for_huge_pages(pointer: NonNull<u8>, size: usize) {
    const PAGE: usize = 4096;
    if size < HUGE_FROM {
        return;
    }
    let skipped = pointer.as_ptr().align_offset(PAGE);
    let whole = size.saturating_sub(skipped) / PAGE * PAGE;
    // SAFETY: the pages lie within our own memory, and the advice changes no content. It is a
    // wish: that it is not granted does not matter.
    unsafe {
        libc::madvise(pointer.as_ptr().wrapping_add(skipped).cast(), whole, libc::MADV_HUGEPAGE);
    }
}

#[cfg(not(target_os = "linux"))]
fn ask_for_huge_pages(_: NonNull<u8>, _: usize) {}

/// What is allocated for a capacity. Only with a small alignment does the system give cleared
/// pages as they are; more is cleared by hand. So the buffer aligns itself.
fn layout(capacity: usize) -> Option<Layout> {
    Layout::from_size_align(capacity.checked_add(ALIGN)?, 1).ok()
}
