//! numcodecs' `lz4`: the decoded size as a 32-bit little-endian number, then one LZ4 block.
#![allow(unsafe_code)] // calls into C; each says what it relies on

use crate::codec::too_much;
use crate::error::{Error, Kind, Result};

const HEADER: usize = 4;

/// Compression settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lz4 {
    /// 1 is the default; more is faster and larger.
    pub acceleration: i32,
}

/// Decode a size and a block.
///
/// # Errors
/// The block is malformed or has another size.
pub fn decode(source: &[u8], target: &mut [u8]) -> Result<usize> {
    let size = claimed(source)?;
    let block = source.get(HEADER..).unwrap_or_default();
    let room = target.len();
    let target = target.get_mut(..size).ok_or_else(|| too_much(size, room))?;
    decode_block(block, target)?;
    Ok(size)
}

/// How many bytes `source` says it decodes to.
///
/// # Errors
/// It is cut off before it says so.
pub fn claimed(source: &[u8]) -> Result<usize> {
    let (size, _) = source
        .split_first_chunk::<HEADER>()
        .ok_or_else(|| Error::corrupt("the lz4 data is cut off in its size"))?;
    Ok(u32::from_le_bytes(*size) as usize)
}

/// Decode one LZ4 block that must fill `target` exactly.
///
/// # Errors
/// It does not.
pub fn decode_block(block: &[u8], target: &mut [u8]) -> Result<()> {
    let malformed = || Error::corrupt("the lz4 block is malformed or of another size");
    let (Ok(from), Ok(to)) = (i32::try_from(block.len()), i32::try_from(target.len())) else {
        return Err(malformed());
    };
    // SAFETY: pointers and sizes are those of the slices; the decoder stays within them.
    let found = unsafe {
        lz4_sys::LZ4_decompress_safe(block.as_ptr().cast(), target.as_mut_ptr().cast(), from, to)
    };
    if found == to { Ok(()) } else { Err(malformed()) }
}

/// How an LZ4 block is made.
#[derive(Clone, Copy, Debug)]
pub enum Effort {
    /// Fast, with an acceleration.
    Fast(i32),
    /// Slow, with a level.
    High(i32),
}

/// Encode one block; None if `target` has too little room.
#[must_use]
pub fn encode_block(effort: Effort, source: &[u8], target: &mut [u8]) -> Option<usize> {
    let from = i32::try_from(source.len()).ok()?;
    let room = i32::try_from(target.len()).unwrap_or(i32::MAX);
    let (source, target) = (source.as_ptr().cast(), target.as_mut_ptr().cast());
    // SAFETY: pointers and sizes are those of the slices; the encoder stays within them.
    let size = unsafe {
        match effort {
            Effort::Fast(factor) => lz4_sys::LZ4_compress_fast(source, target, from, room, factor),
            Effort::High(level) => lz4_sys::LZ4_compress_HC(source, target, from, room, level),
        }
    };
    usize::try_from(size).ok().filter(|&size| size > 0)
}

impl Lz4 {
    /// Encode to a size and a block.
    ///
    /// # Errors
    /// `source` is larger than the format can say.
    pub fn encode(&self, source: &[u8], target: &mut [u8]) -> Result<usize> {
        let failed = || Error::new(Kind::Unsupported, "lz4 chunks hold less than 2 GiB");
        let size = u32::try_from(source.len()).map_err(|_| failed())?;
        let (head, room) = target.split_first_chunk_mut::<HEADER>().ok_or_else(failed)?;
        *head = size.to_le_bytes();
        let block = encode_block(Effort::Fast(self.acceleration), source, room);
        Ok(HEADER + block.ok_or_else(failed)?)
    }
}

/// The most bytes that `size` bytes encode to.
#[must_use]
pub fn bound(size: usize) -> Option<usize> {
    size.checked_add(size / 255)?.checked_add(16 + HEADER)
}
