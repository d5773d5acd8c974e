//! `crc32c`: four bytes, little-endian, after the data (Castagnoli polynomial).

use crate::error::{Error, Result};

/// Size of the checksum.
pub const SIZE: usize = 4;

/// The checksum of some bytes.
#[must_use]
pub fn of(data: &[u8]) -> u32 {
    crc32c::crc32c(data)
}

/// The bytes before the checksum, which must be theirs.
///
/// # Errors
/// The checksum is wrong or missing.
pub fn check(data: &[u8]) -> Result<&[u8]> {
    let (body, stored) = data.split_last_chunk::<SIZE>().ok_or_else(|| {
        Error::corrupt(format!("{} bytes are too few to hold a crc32c checksum", data.len()))
    })?;
    let (stored, found) = (u32::from_le_bytes(*stored), of(body));
    if stored == found {
        Ok(body)
    } else {
        Err(Error::corrupt(format!("its crc32c is {found:#010x}, stored is {stored:#010x}")))
    }
}
