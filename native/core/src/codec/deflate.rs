//! `gzip` (one or more members) and `zlib`, in one shot through libdeflate.
#![allow(unsafe_code)] // calls into C; each says what it relies on

use std::ptr::NonNull;

use libdeflate_sys as sys;

use crate::error::{Error, Kind, Result};

/// Which wrapper is around the deflate stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrapper {
    /// RFC 1952.
    Gzip,
    /// RFC 1950.
    Zlib,
}

/// Wrapper and compression level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deflate {
    /// What is around the stream.
    pub wrapper: Wrapper,
    /// 0 to 9.
    pub level: i32,
}

/// Contexts of one thread. Invariant: the pointers came from libdeflate and are ours.
#[derive(Default)]
pub struct Contexts {
    decoder: Option<NonNull<sys::libdeflate_decompressor>>,
    encoder: Option<(i32, NonNull<sys::libdeflate_compressor>)>,
}

// SAFETY: libdeflate's contexts may be used from any thread, one at a time.
unsafe impl Send for Contexts {}

/// CRC-32 of gzip and zip.
#[must_use]
pub fn crc32(data: &[u8]) -> u32 {
    // SAFETY: the pointer is valid for the length.
    unsafe { sys::libdeflate_crc32(0, data.as_ptr().cast(), data.len()) }
}

impl Contexts {
    fn decoder(&mut self) -> Result<*mut sys::libdeflate_decompressor> {
        if self.decoder.is_none() {
            // SAFETY: no requirements.
            self.decoder = NonNull::new(unsafe { sys::libdeflate_alloc_decompressor() });
        }
        self.decoder.map(NonNull::as_ptr).ok_or_else(|| Error::memory(1 << 14))
    }

    fn encoder(&mut self, level: i32) -> Result<*mut sys::libdeflate_compressor> {
        match self.encoder {
            Some((have, encoder)) if have == level => Ok(encoder.as_ptr()),
            _ => {
                self.free_encoder();
                // SAFETY: no requirements; a level it does not know gives null.
                let made = NonNull::new(unsafe { sys::libdeflate_alloc_compressor(level) });
                self.encoder = made.map(|encoder| (level, encoder));
                made.map(NonNull::as_ptr).ok_or_else(|| Error::memory(1 << 20))
            }
        }
    }

    fn free_encoder(&mut self) {
        if let Some((_, encoder)) = self.encoder.take() {
            // SAFETY: by the invariant; it is forgotten here.
            unsafe { sys::libdeflate_free_compressor(encoder.as_ptr()) }
        }
    }
}

impl Drop for Contexts {
    fn drop(&mut self) {
        self.free_encoder();
        if let Some(decoder) = self.decoder.take() {
            // SAFETY: by the invariant; it is forgotten here.
            unsafe { sys::libdeflate_free_decompressor(decoder.as_ptr()) }
        }
    }
}

impl Deflate {
    /// Decode a `zlib` stream, or all members of a `gzip` one.
    ///
    /// # Errors
    /// A checksum is wrong, the stream is malformed or cut off, or `target` is too small.
    pub fn decode(&self, cx: &mut Contexts, source: &[u8], target: &mut [u8]) -> Result<usize> {
        let decoder = cx.decoder()?;
        let (mut read, mut written) = member(decoder, self.wrapper, source, target)?;
        if self.wrapper == Wrapper::Zlib {
            return Ok(written);
        }
        loop {
            // More members may follow; zeros after them are padding.
            let rest = source.get(read..).unwrap_or_default();
            if rest.iter().all(|&byte| byte == 0) {
                return Ok(written);
            }
            let room = target.get_mut(written..).unwrap_or_default();
            let (more_read, more_written) = member(decoder, self.wrapper, rest, room)?;
            read += more_read;
            written += more_written;
        }
    }

    /// Encode to one stream; the same bytes for the same input.
    ///
    /// # Errors
    /// There is no memory, or `target` is too small.
    pub fn encode(&self, cx: &mut Contexts, source: &[u8], target: &mut [u8]) -> Result<usize> {
        let encoder = cx.encoder(self.level)?;
        let compress = match self.wrapper {
            Wrapper::Gzip => sys::libdeflate_gzip_compress,
            Wrapper::Zlib => sys::libdeflate_zlib_compress,
        };
        // SAFETY: the context is valid, and pointers and sizes are those of the slices.
        let size = unsafe {
            compress(
                encoder,
                source.as_ptr().cast(),
                source.len(),
                target.as_mut_ptr().cast(),
                target.len(),
            )
        };
        if size == 0 {
            return Err(Error::new(Kind::Internal, "deflate: there is too little room"));
        }
        Ok(size)
    }
}

/// Decode one member; return how much was read and written.
fn member(
    decoder: *mut sys::libdeflate_decompressor,
    wrapper: Wrapper,
    source: &[u8],
    target: &mut [u8],
) -> Result<(usize, usize)> {
    let decompress = match wrapper {
        Wrapper::Gzip => sys::libdeflate_gzip_decompress_ex,
        Wrapper::Zlib => sys::libdeflate_zlib_decompress_ex,
    };
    let (mut read, mut written) = (0usize, 0usize);
    // SAFETY: the context is valid, and pointers and sizes are those of the slices; libdeflate
    // checks every access against them.
    let status = unsafe {
        decompress(
            decoder,
            source.as_ptr().cast(),
            source.len(),
            target.as_mut_ptr().cast(),
            target.len(),
            &raw mut read,
            &raw mut written,
        )
    };
    match status {
        sys::libdeflate_result_LIBDEFLATE_SUCCESS if read > 0 => Ok((read, written)),
        sys::libdeflate_result_LIBDEFLATE_INSUFFICIENT_SPACE => Err(Error::corrupt(format!(
            "it decodes to more than the {} bytes that are expected",
            target.len()
        ))
        .for_room()),
        _ => Err(Error::corrupt("the deflate stream is malformed, cut off, or its checksum wrong")),
    }
}

/// The most bytes that `size` bytes encode to.
#[must_use]
pub fn bound(size: usize) -> Option<usize> {
    // Stored blocks of at least 5000 bytes with 5 bytes each, as libdeflate's own bound says.
    size.checked_add((size / 5000 + 1).checked_mul(5)?)?.checked_add(64)
}
