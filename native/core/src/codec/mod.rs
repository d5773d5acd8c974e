//! Bytes-to-bytes codecs, one per file, all with the same template.
//!
//! A codec is a small value parsed from its configuration, with three operations:
//!
//! - `decode(contexts, source, target)` writes the decoded bytes to the start of `target` and
//!   returns how many there are; more than `target` holds is an error.
//! - `encode(contexts, source, target)` is the reverse; `target` has at least `bound` bytes.
//! - `bound(size)` is the most bytes that `size` bytes encode to.
//!
//! Nothing in a codec trusts `source`: sizes it claims are checked against what is there.

pub mod blosc;
pub mod crc32c;
pub mod deflate;
pub mod delta;
pub mod lz4;
pub(crate) mod open;
pub mod shuffle;
pub mod vlen;
pub mod zstd;

use crate::error::{Error, Result};

/// The contexts of one thread, made on first use.
#[derive(Default)]
pub struct Contexts {
    /// Of zstd.
    pub zstd: zstd::Contexts,
    /// Of gzip and zlib.
    pub deflate: deflate::Contexts,
    /// Of Blosc: one block, before and after its shuffle.
    pub blosc: blosc::Contexts,
}

impl Contexts {
    /// Free what is too large to keep.
    pub fn trim(&mut self) {
        self.blosc.trim();
        self.zstd.trim();
    }
}

/// A bytes-to-bytes codec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BytesCodec {
    /// Zstandard frames.
    Zstd(zstd::Zstd),
    /// `gzip` members or a `zlib` stream.
    Deflate(deflate::Deflate),
    /// A Blosc (version 1) frame.
    Blosc(blosc::Blosc),
    /// A size and an LZ4 block, as numcodecs writes them.
    Lz4(lz4::Lz4),
    /// A checksum after the bytes.
    Crc32c,
    /// Bytes of elements put in planes, as numcodecs does.
    Shuffle(shuffle::Shuffle),
}

impl BytesCodec {
    /// Decode; see the module.
    ///
    /// # Errors
    /// `source` is no such stream, or decodes to more than `target` holds.
    pub fn decode(&self, cx: &mut Contexts, source: &[u8], target: &mut [u8]) -> Result<usize> {
        match self {
            Self::Zstd(_) => zstd::decode(&mut cx.zstd, source, target),
            Self::Deflate(codec) => codec.decode(&mut cx.deflate, source, target),
            Self::Blosc(_) => blosc::decode(cx, source, target),
            Self::Lz4(_) => lz4::decode(source, target),
            Self::Crc32c => store(crc32c::check(source)?, target),
            Self::Shuffle(codec) => codec.decode(source, target),
        }
    }

    /// Encode; see the module.
    ///
    /// # Errors
    /// The library refuses, or `target` is too small.
    pub fn encode(&self, cx: &mut Contexts, source: &[u8], target: &mut [u8]) -> Result<usize> {
        match self {
            Self::Zstd(codec) => codec.encode(&mut cx.zstd, source, target),
            Self::Deflate(codec) => codec.encode(&mut cx.deflate, source, target),
            Self::Blosc(codec) => codec.encode(cx, source, target),
            Self::Lz4(codec) => codec.encode(source, target),
            Self::Crc32c => {
                let size = store(source, target)?;
                store(&crc32c::of(source).to_le_bytes(), &mut target[size..])?;
                Ok(size + crc32c::SIZE)
            }
            Self::Shuffle(codec) => codec.encode(source, target),
        }
    }

    /// The most bytes that `size` bytes encode to; None if that is too many to count.
    #[must_use]
    pub fn bound(&self, size: usize) -> Option<usize> {
        match self {
            Self::Zstd(_) => zstd::bound(size),
            Self::Deflate(_) => deflate::bound(size),
            Self::Blosc(_) => blosc::bound(size),
            Self::Lz4(_) => lz4::bound(size),
            Self::Crc32c => size.checked_add(crc32c::SIZE),
            Self::Shuffle(_) => Some(size),
        }
    }
}

/// Copy `source` to the start of `target`; return how much that is.
pub(crate) fn store(source: &[u8], target: &mut [u8]) -> Result<usize> {
    let room = target.len();
    let place = target.get_mut(..source.len()).ok_or_else(|| too_much(source.len(), room))?;
    place.copy_from_slice(source);
    Ok(source.len())
}

pub(crate) fn too_much(size: usize, room: usize) -> Error {
    Error::corrupt(format!("it decodes to {size} bytes where {room} are expected"))
}
