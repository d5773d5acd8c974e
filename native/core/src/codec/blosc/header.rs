//! The header of a frame, read with care and written.

use super::HEADER;
use crate::error::{Error, Result};

pub(super) const VERSION: u8 = 2;
pub(super) const SHUFFLED: u8 = 0x01;
pub(super) const MEMCPYED: u8 = 0x02;
pub(super) const BITSHUFFLED: u8 = 0x04;
pub(super) const NOT_SPLIT: u8 = 0x10;

/// Blocks are split into streams only if each stream has at least this many bytes.
const MIN_STREAM: usize = 128;
const MAX_SPLITS: usize = 16;

pub(super) const FORMAT_BLOSCLZ: u8 = 0;
pub(super) const FORMAT_LZ4: u8 = 1;
pub(super) const FORMAT_SNAPPY: u8 = 2;
pub(super) const FORMAT_ZLIB: u8 = 3;
pub(super) const FORMAT_ZSTD: u8 = 4;

/// What a frame says about itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub flags: u8,
    pub typesize: usize,
    pub size: usize,
    pub blocksize: usize,
}

impl Header {
    /// Read the header; `frame` must be exactly as long as it says.
    pub fn read(frame: &[u8]) -> Result<Self> {
        let Some((head, _)) = frame.split_first_chunk::<HEADER>() else {
            return Err(Error::corrupt(format!(
                "{} bytes are too few for a blosc header",
                frame.len()
            )));
        };
        let number = |at: usize| {
            u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]) as usize
        };
        let header = Self {
            flags: head[2],
            typesize: usize::from(head[3]).max(1),
            size: number(4),
            blocksize: number(8),
        };
        if head[0] != VERSION {
            return Err(Error::corrupt(format!("blosc frames of version {} are unknown", head[0])));
        }
        if number(12) != frame.len() {
            return Err(Error::corrupt(format!(
                "the blosc frame says it has {} bytes and has {}",
                number(12),
                frame.len()
            )));
        }
        if header.size > i32::MAX as usize || header.blocksize > i32::MAX as usize {
            return Err(Error::corrupt("the blosc frame says it holds 2 GiB or more"));
        }
        if header.size > 0 && !header.is(MEMCPYED) && header.blocksize == 0 {
            return Err(Error::corrupt("the blosc frame has blocks of 0 bytes"));
        }
        Ok(header)
    }

    /// The 16 bytes of the header of a frame of `frame_bytes`.
    pub fn bytes(&self, frame_bytes: usize) -> [u8; HEADER] {
        let mut head = [0; HEADER];
        head[..4].copy_from_slice(&[VERSION, 1, self.flags, self.typesize as u8]);
        head[4..8].copy_from_slice(&(self.size as u32).to_le_bytes());
        head[8..12].copy_from_slice(&(self.blocksize as u32).to_le_bytes());
        head[12..].copy_from_slice(&(frame_bytes as u32).to_le_bytes());
        head
    }

    pub fn is(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    pub fn format(&self) -> u8 {
        self.flags >> 5
    }

    pub fn n_blocks(&self) -> usize {
        self.size.div_ceil(self.blocksize.max(1))
    }

    /// How many streams make a block of `size` bytes.
    pub fn n_streams(&self, size: usize) -> usize {
        let split = !self.is(NOT_SPLIT)
            && self.typesize <= MAX_SPLITS
            && self.blocksize / self.typesize >= MIN_STREAM
            && size == self.blocksize;
        if split { self.typesize } else { 1 }
    }
}
