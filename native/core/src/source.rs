//! Where the stored objects of an array are found: files of a folder, or members of an archive.

use std::fs::{File, Metadata};
use std::ops::Deref;

use crate::codec::deflate::crc32;
use crate::error::{Error, Result};
use crate::index_cache::Stamp;
use crate::local;
use crate::plan::Plan;

/// Finds the stored objects of one array.
pub trait Source: Sync {
    /// The full name of a chunk's object, by which its shard index is remembered.
    fn path(&self, plan: &Plan, coords: &[usize]) -> String;

    /// Open the object of that name; None if there is none.
    ///
    /// # Errors
    /// The system refuses; the archive lies about the member.
    fn open(&self, path: &str) -> Result<Option<Object<'_>>>;
}

enum Handle<'a> {
    Own(File),
    Shared(&'a File),
}

impl Deref for Handle<'_> {
    type Target = File;

    fn deref(&self) -> &File {
        match self {
            Self::Own(file) => file,
            Self::Shared(file) => file,
        }
    }
}

/// A stored object: a file, or a range of one.
pub struct Object<'a> {
    file: Handle<'a>,
    start: u64,
    length: u64,
    crc: Option<u32>,
    /// Which version of the file it is in.
    pub stamp: Stamp,
}

impl<'a> Object<'a> {
    /// A whole file.
    #[must_use]
    pub fn file(file: File, status: &Metadata) -> Self {
        let stamp = Stamp::of(status);
        Self { file: Handle::Own(file), start: 0, length: status.len(), crc: None, stamp }
    }

    /// A range of a file, and the CRC-32 of its bytes.
    #[must_use]
    pub fn part(file: &'a File, start: u64, length: u64, crc: u32, stamp: Stamp) -> Self {
        Self { file: Handle::Shared(file), start, length, crc: Some(crc), stamp }
    }

    /// Number of bytes.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Fill `target` with the bytes from `offset` on; if that is all of them, check the CRC-32.
    ///
    /// # Errors
    /// They are not all there; the CRC-32 is another; the system refuses.
    pub fn read_at(&self, target: &mut [u8], offset: u64) -> Result<()> {
        let size = target.len() as u64;
        let start = offset
            .checked_add(size)
            .filter(|&stop| stop <= self.length)
            .and_then(|_| self.start.checked_add(offset))
            .ok_or_else(|| Error::corrupt("the file is cut off"))?;
        local::read_at(&self.file, target, start)?;
        match self.crc {
            Some(expected) if size == self.length => check_crc(crc32(target), expected),
            _ => Ok(()),
        }
    }
}

fn check_crc(found: u32, expected: u32) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(Error::corrupt(format!(
        "the member has the CRC-32 {found:08x} where the archive says {expected:08x}"
    )))
}
