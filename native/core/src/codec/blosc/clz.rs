//! `blosclz` frames, through C-Blosc.
#![allow(unsafe_code)] // calls into C; each says what it relies on

use super::{Arrange, Blosc};
use crate::error::{Error, Kind, Result};

/// Decode a frame whose header has been checked: `target` has the size it says.
pub(super) fn decode(frame: &[u8], target: &mut [u8]) -> Result<()> {
    // SAFETY: the frame is as long as its header says, which is what bounds every read of
    // C-Blosc, and it writes no more than the length of `target`. One thread, no global state.
    let size = unsafe {
        blosc_src::blosc_decompress_ctx(
            frame.as_ptr().cast(),
            target.as_mut_ptr().cast(),
            target.len(),
            1,
        )
    };
    if usize::try_from(size) == Ok(target.len()) {
        Ok(())
    } else {
        Err(Error::corrupt("the blosc frame is malformed"))
    }
}

/// Encode a frame.
pub(super) fn encode(codec: &Blosc, source: &[u8], target: &mut [u8]) -> Result<usize> {
    let arrange = match codec.arrange {
        Arrange::Plain => 0,
        Arrange::Shuffle => 1,
        Arrange::BitShuffle => 2,
    };
    // SAFETY: pointers and sizes are those of the slices; the name ends in a zero.
    let size = unsafe {
        blosc_src::blosc_compress_ctx(
            codec.level,
            arrange,
            codec.typesize,
            source.len(),
            source.as_ptr().cast(),
            target.as_mut_ptr().cast(),
            target.len(),
            c"blosclz".as_ptr(),
            codec.blocksize,
            1,
        )
    };
    match usize::try_from(size) {
        Ok(size) if size > 0 => Ok(size),
        _ => Err(Error::new(Kind::Internal, "blosclz: there is too little room")),
    }
}
