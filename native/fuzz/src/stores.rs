//! A storage with one array in memory, and a directory for the same in files.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyzarr_core::Result;
use anyzarr_core::storage::{Batches, Costs, Fetch, Range, Request, Storage};

/// Objects by key.
#[derive(Default)]
pub struct Memory(Mutex<HashMap<String, Vec<u8>>>);

impl Memory {
    /// One object.
    pub fn with(key: &str, data: &[u8]) -> Self {
        Self(Mutex::new(HashMap::from([(key.to_owned(), data.to_vec())])))
    }

    /// All objects.
    pub fn objects(&self) -> MutexGuard<'_, HashMap<String, Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Storage for Memory {
    type Blob = Vec<u8>;

    fn costs(&self) -> Costs {
        Costs { gap_bytes: 16, run_bytes: 1 << 16, round_trip_bytes: 0, least_requests: 1 }
    }

    fn identity(&self) -> Option<u64> {
        None
    }

    fn fetch(&self) -> Box<dyn Fetch<Vec<u8>> + '_> {
        Box::new(Batches::new(|requests: &[Request]| {
            let objects = self.objects();
            Ok(requests.iter().map(|r| objects.get(&r.key).map(|d| cut(d, r.range))).collect())
        }))
    }

    fn put_many(&self, new: Vec<(String, Option<Vec<u8>>)>) -> Result<()> {
        let mut objects = self.objects();
        for (key, data) in new {
            match data {
                Some(data) => objects.insert(key, data),
                None => objects.remove(&key),
            };
        }
        Ok(())
    }
}

fn cut(data: &[u8], range: Range) -> Vec<u8> {
    let size = data.len() as u64;
    let (start, stop) = match range {
        Range::All => (0, size),
        Range::Span(start, stop) => (start.min(size), stop.min(size)),
        Range::Last(count) => (size.saturating_sub(count), size),
    };
    data[start as usize..stop.max(start) as usize].to_vec()
}

/// A directory of this process; `TMPDIR` says where, best in memory.
pub struct Folder(pub PathBuf);

impl Folder {
    /// Make it.
    pub fn new() -> Self {
        let path = std::env::temp_dir().join(format!("anyzarr-fuzz-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        Self(path)
    }

    /// Put an object into its file.
    pub fn put(&self, key: &str, data: &[u8]) {
        let path = self.0.join(key);
        let written = path
            .parent()
            .map_or(Ok(()), std::fs::create_dir_all)
            .and_then(|()| std::fs::write(&path, data));
        written.unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    }

    /// What is in a file, if there is one.
    pub fn get(&self, key: &str) -> Option<Vec<u8>> {
        std::fs::read(self.0.join(key)).ok()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
