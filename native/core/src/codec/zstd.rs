//! `zstd`: one or more Zstandard frames, with contexts that are used again.

use zstd_safe::{CCtx, CParameter, DCtx};

use crate::error::{Error, Kind, Result};

/// What the library calls a target that is too small.
const NO_ROOM: &str = "Destination buffer is too small";

/// Compression settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zstd {
    /// Compression level, also negative; 0 is the library's default.
    pub level: i32,
    /// Whether frames end in a checksum.
    pub checksum: bool,
}

/// Contexts of one thread.
#[derive(Default)]
pub struct Contexts {
    decoder: Option<DCtx<'static>>,
    encoder: Option<(Zstd, CCtx<'static>)>,
}

impl Contexts {
    /// Free what is too large to keep: contexts of high levels.
    pub fn trim(&mut self) {
        if self.encoder.as_ref().is_some_and(|(settings, _)| settings.level > 9) {
            self.encoder = None;
        }
    }
}

/// Decode all frames of `source`.
///
/// # Errors
/// It is not made of complete frames, or decodes to more than `target` holds.
pub fn decode(cx: &mut Contexts, source: &[u8], target: &mut [u8]) -> Result<usize> {
    if source.is_empty() {
        return Err(Error::corrupt("there is no zstd frame in 0 bytes"));
    }
    if cx.decoder.is_none() {
        cx.decoder = Some(DCtx::try_create().ok_or_else(|| Error::memory(1 << 17))?);
    }
    let Some(decoder) = cx.decoder.as_mut() else { return Err(Error::memory(1 << 17)) };
    decoder.decompress(target, source).map_err(|code| {
        let name = zstd_safe::get_error_name(code);
        let error = Error::corrupt(format!("zstd: {name}"));
        if name == NO_ROOM { error.for_room() } else { error }
    })
}

/// How many bytes `source` says it decodes to; None where it does not, or holds several frames.
#[must_use]
pub fn claimed(source: &[u8]) -> Option<usize> {
    let size = zstd_safe::get_frame_content_size(source).ok().flatten()?;
    let is_one = zstd_safe::find_frame_compressed_size(source) == Ok(source.len());
    usize::try_from(size).ok().filter(|_| is_one)
}

impl Zstd {
    /// Encode to one frame that says how much it decodes to.
    ///
    /// # Errors
    /// There is no memory, or `target` is too small.
    pub fn encode(&self, cx: &mut Contexts, source: &[u8], target: &mut [u8]) -> Result<usize> {
        if cx.encoder.as_ref().is_none_or(|(settings, _)| settings != self) {
            cx.encoder = Some((*self, self.encoder().map_err(failed)?));
        }
        let Some((_, encoder)) = cx.encoder.as_mut() else { return Err(Error::memory(1 << 20)) };
        encoder.compress2(target, source).map_err(failed)
    }

    fn encoder(&self) -> std::result::Result<CCtx<'static>, usize> {
        let mut encoder = CCtx::try_create().ok_or(0usize)?;
        encoder.set_parameter(CParameter::CompressionLevel(self.level))?;
        encoder.set_parameter(CParameter::ChecksumFlag(self.checksum))?;
        Ok(encoder)
    }
}

fn failed(code: usize) -> Error {
    Error::new(Kind::Internal, format!("zstd: {}", zstd_safe::get_error_name(code)))
}

/// The most bytes that `size` bytes encode to.
#[must_use]
pub fn bound(size: usize) -> Option<usize> {
    size.checked_add(size >> 7)?.checked_add(1 << 10)
}
