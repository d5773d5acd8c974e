//! The index of a shard: where each subchunk lies (`sharding_indexed`).

use crate::codec::crc32c;
use crate::error::{Error, Result};

/// Offset and size of a subchunk that is not stored.
pub const ABSENT: u64 = u64::MAX;

/// Bytes of an entry.
const ENTRY: usize = 16;

/// Where a subchunk lies in its shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// First byte.
    pub offset: u64,
    /// Number of bytes.
    pub size: u64,
}

impl Entry {
    /// Not stored.
    pub const NONE: Self = Self { offset: ABSENT, size: ABSENT };

    /// `(start, stop)` in a shard of `length` bytes, or None if the subchunk is not stored.
    ///
    /// # Errors
    /// It lies outside the shard.
    pub fn range(self, length: u64) -> Result<Option<(u64, u64)>> {
        if self == Self::NONE {
            return Ok(None);
        }
        match self.offset.checked_add(self.size) {
            Some(stop) if stop <= length => Ok(Some((self.offset, stop))),
            _ => Err(Error::corrupt(format!(
                "the shard index places a subchunk of {} bytes at offset {}, past the shard's \
                 {length} bytes",
                self.size, self.offset
            ))),
        }
    }
}

/// How the index of every shard of an array is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexLayout {
    /// Number of subchunks in a shard.
    pub entries: usize,
    /// Whether the index comes before the subchunks.
    pub at_start: bool,
    /// Whether its numbers are big-endian.
    pub big_endian: bool,
    /// How many `crc32c` checksums follow it.
    pub checksums: usize,
}

impl IndexLayout {
    /// Size of the encoded index; checked to fit when the plan is compiled.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.entries * ENTRY + self.checksums * crc32c::SIZE
    }

    /// Where the index begins in a shard of `length` bytes.
    ///
    /// # Errors
    /// The shard is too small to hold it.
    pub fn offset(&self, length: u64) -> Result<u64> {
        let start = length.checked_sub(self.bytes() as u64).ok_or_else(|| {
            Error::corrupt(format!(
                "the shard is cut off: its index takes {} bytes and the shard has {length}",
                self.bytes()
            ))
        })?;
        Ok(if self.at_start { 0 } else { start })
    }

    /// The encoded index of a whole shard.
    ///
    /// # Errors
    /// The shard is too small to hold it.
    pub fn find<'a>(&self, shard: &'a [u8]) -> Result<&'a [u8]> {
        let start = self.offset(shard.len() as u64)? as usize;
        shard.get(start..start + self.bytes()).ok_or_else(|| Error::corrupt("the shard is cut off"))
    }

    /// Decode the index into `entries`.
    ///
    /// # Errors
    /// Wrong size or checksum.
    pub fn decode(&self, encoded: &[u8], entries: &mut Vec<Entry>) -> Result<()> {
        entries.clear();
        let mut body = encoded;
        for _ in 0..self.checksums {
            body = crc32c::check(body).map_err(|error| error.within("the shard index"))?;
        }
        let (pairs, rest) = body.as_chunks::<ENTRY>();
        if pairs.len() != self.entries || !rest.is_empty() {
            return Err(Error::corrupt("the shard index has the wrong size"));
        }
        entries.try_reserve_exact(pairs.len()).map_err(|_| Error::memory(body.len()))?;
        let read = if self.big_endian { u64::from_be_bytes } else { u64::from_le_bytes };
        entries.extend(pairs.iter().map(|pair| {
            let (offset, size) = halves(pair);
            Entry { offset: read(offset), size: read(size) }
        }));
        Ok(())
    }

    /// Encode the index, appended to `out`.
    pub fn encode(&self, entries: &[Entry], out: &mut Vec<u8>) {
        let start = out.len();
        for entry in entries {
            for number in [entry.offset, entry.size] {
                let bytes =
                    if self.big_endian { number.to_be_bytes() } else { number.to_le_bytes() };
                out.extend_from_slice(&bytes);
            }
        }
        for _ in 0..self.checksums {
            let sum = crc32c::of(&out[start..]);
            out.extend_from_slice(&sum.to_le_bytes());
        }
    }
}

fn halves(pair: &[u8; ENTRY]) -> ([u8; 8], [u8; 8]) {
    let (mut first, mut second) = ([0; 8], [0; 8]);
    first.copy_from_slice(&pair[..8]);
    second.copy_from_slice(&pair[8..]);
    (first, second)
}
