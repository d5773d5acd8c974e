//! `blosc`: Blosc version 1 frames.
//!
//! A frame is a header of 16 bytes, the offset of each block, and the blocks. A block is
//! shuffled (by byte or by bit) and compressed as one stream or, split, as one per byte of the
//! element; a stream is its size and its bytes. A frame whose *memcpyed* flag is set holds the
//! plain bytes after the header.
//!
//! Frames with lz4, lz4hc, zstd and zlib are read and written here, with contexts that are used
//! again; `blosclz` goes through C-Blosc.

mod bits;
mod clz;
mod decode;
mod encode;
mod header;

pub use decode::{claimed, decode, decode_span};

use crate::buffer::Buffer;

/// Size of the header: also the most that a frame is larger than its content.
pub const HEADER: usize = 16;

const KEEP_BYTES: usize = 4 << 20;

/// Which compressor is inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inner {
    /// Blosc's own.
    BloscLz,
    /// LZ4.
    Lz4,
    /// LZ4, high compression.
    Lz4Hc,
    /// zlib.
    Zlib,
    /// Zstandard.
    Zstd,
}

/// How the bytes of a block are arranged before they are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrange {
    /// As they are.
    Plain,
    /// By byte.
    Shuffle,
    /// By bit.
    BitShuffle,
}

/// Settings for writing; a frame says itself how it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blosc {
    /// Compressor.
    pub inner: Inner,
    /// 0 to 9.
    pub level: i32,
    /// Arrangement.
    pub arrange: Arrange,
    /// Bytes per element, 1 to 255.
    pub typesize: usize,
    /// Bytes per block; 0 chooses.
    pub blocksize: usize,
}

/// Scratch of one thread: a block before and after it is arranged.
#[derive(Debug, Default)]
pub struct Contexts {
    block: Buffer,
}

impl Contexts {
    /// Free what is too large to keep.
    pub fn trim(&mut self) {
        if self.block.capacity() > KEEP_BYTES {
            self.block = Buffer::default();
        }
    }
}

/// The most bytes that `size` bytes encode to.
#[must_use]
pub fn bound(size: usize) -> Option<usize> {
    size.checked_add(HEADER)
}
