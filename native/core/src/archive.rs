//! Zip archives whose members lie in one local file as they are.
//!
//! Whoever opens an archive has read and checked its central directory; here the local headers
//! are checked, each when its member is first read, because only they tell where the data begins
//! (APPNOTE.TXT 4.3.7).

use std::collections::HashMap;
use std::fs::File;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Result};
use crate::index_cache::Stamp;
use crate::local;
use crate::plan::Plan;
use crate::source::{Object, Source};

const SIGNATURE: &[u8; 4] = b"PK\x03\x04";

/// Bytes of a local header before the name.
const HEADER: usize = 30;

/// Names are at most this long.
const MAX_NAME: usize = u16::MAX as usize;

/// A member, as the central directory has it.
#[derive(Debug)]
pub struct Member {
    /// Where its local header begins.
    pub header: u64,
    /// Number of bytes.
    pub size: u64,
    /// Where the next member, or the central directory, begins.
    pub limit: u64,
    /// CRC-32 of the bytes; None if they are not there as they are (compressed, encrypted).
    pub crc: Option<u32>,
    /// The name as stored, where that differs from the key.
    pub name: Option<Box<[u8]>>,
    /// Where its bytes begin; 0 until the local header was read.
    start: AtomicU64,
}

impl Member {
    /// A member whose local header was not read yet.
    #[must_use]
    pub fn new(header: u64, size: u64, limit: u64, crc: Option<u32>) -> Self {
        Self { header, size, limit, crc, name: None, start: AtomicU64::new(0) }
    }
}

/// An open archive.
#[derive(Debug)]
pub struct Archive {
    file: File,
    path: String,
    members: HashMap<Box<str>, Member>,
}

impl Archive {
    /// `path` tells archives apart; members are found by key.
    #[must_use]
    pub fn new(file: File, path: &str, members: HashMap<Box<str>, Member>) -> Self {
        Self { file, path: path.to_owned(), members }
    }

    /// Where a member's bytes begin.
    fn start(&self, key: &str, member: &Member) -> Result<u64> {
        let known = member.start.load(Ordering::Relaxed);
        if known != 0 {
            return Ok(known);
        }
        let name = member.name.as_deref().unwrap_or(key.as_bytes());
        let start = self.read_header(member, name)?;
        member.start.store(start, Ordering::Relaxed);
        Ok(start)
    }

    fn read_header(&self, member: &Member, name: &[u8]) -> Result<u64> {
        let mut header = vec![0; HEADER + name.len().min(MAX_NAME)];
        local::read_at(&self.file, &mut header, member.header)?;
        let number = |at: usize| usize::from(u16::from_le_bytes([header[at], header[at + 1]]));
        if !header.starts_with(SIGNATURE) {
            return Err(Error::corrupt("the member is not where the archive says it is"));
        }
        let (name_length, extra_length) = (number(26), number(28));
        if name_length != name.len() || header[HEADER..] != *name {
            return Err(Error::corrupt("the member has another name in its own header"));
        }
        let before = (HEADER + name_length + extra_length) as u64;
        let start = member.header.checked_add(before);
        let fits = |start: u64| start.checked_add(member.size).is_some_and(|n| n <= member.limit);
        start.filter(|&start| fits(start)).ok_or_else(|| {
            Error::corrupt("the member lies about its place: it overlaps what comes after it")
        })
    }
}

/// The members of an archive that are the chunks of one array.
pub struct Members<'a> {
    archive: &'a Archive,
    /// What the names of all chunks begin with: the archive's path, a null, the array's path.
    prefix: String,
    stamp: Stamp,
}

impl<'a> Members<'a> {
    /// Of the array at `path` in the archive.
    ///
    /// # Errors
    /// The system does not tell about the open file.
    pub fn new(archive: &'a Archive, path: &str) -> Result<Self> {
        let status = archive.file.metadata();
        let status = status.map_err(|error| Error::io("look at the archive", &error))?;
        let slash = if path.is_empty() { "" } else { "/" };
        let prefix = format!("{}\0{path}{slash}", archive.path);
        Ok(Self { archive, prefix, stamp: Stamp::of(&status) })
    }
}

impl Source for Members<'_> {
    fn path(&self, plan: &Plan, coords: &[usize]) -> String {
        let mut path = String::with_capacity(self.prefix.len() + 32);
        path.push_str(&self.prefix);
        plan.push_key(&mut path, coords);
        path
    }

    fn open(&self, path: &str) -> Result<Option<Object<'_>>> {
        let archive = self.archive;
        let key = path.get(archive.path.len() + 1..).unwrap_or_default();
        let Some(member) = archive.members.get(key) else { return Ok(None) };
        let Some(crc) = member.crc else {
            return Err(Error::unsupported("the member is compressed or encrypted"));
        };
        let start = archive.start(key, member)?;
        if start.checked_add(member.size).is_none_or(|stop| stop > self.stamp.size()) {
            return Err(Error::corrupt("the archive ends before the member does"));
        }
        Ok(Some(Object::part(&archive.file, start, member.size, crc, self.stamp)))
    }
}
