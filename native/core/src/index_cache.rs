//! Shard indices read before, as long as the file or object is the same.

use std::collections::HashMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use crate::shard::{Entry, IndexLayout};
use crate::storage::Version;

/// Half of the memory for indices; the other half holds those used before.
const GENERATION_BYTES: usize = 8 << 20;

/// A file is remembered only if its time of change is so far back that a later change shows.
const SETTLED: Duration = Duration::from_millis(50);

/// What tells one version of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    size: u64,
    seconds: i64,
    nanoseconds: i64,
    inode: u64,
    device: u64,
}

impl Stamp {
    /// Of an open file.
    #[must_use]
    pub fn of(status: &Metadata) -> Self {
        Self {
            size: status.size(),
            seconds: status.mtime(),
            nanoseconds: status.mtime_nsec(),
            inode: status.ino(),
            device: status.dev(),
        }
    }

    /// Size of the file.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    fn modified(&self) -> Option<SystemTime> {
        let seconds = Duration::from_secs(u64::try_from(self.seconds).ok()?);
        let rest = Duration::from_nanos(u64::try_from(self.nanoseconds).ok()?);
        SystemTime::UNIX_EPOCH.checked_add(seconds)?.checked_add(rest)
    }
}

type Known<S> = HashMap<String, ((S, IndexLayout), Arc<[Entry]>)>;

struct Generations<S> {
    young: Known<S>,
    young_bytes: usize,
    old: Known<S>,
}

impl<S> Default for Generations<S> {
    fn default() -> Self {
        Self { young: HashMap::new(), young_bytes: 0, old: HashMap::new() }
    }
}

/// A bounded cache by path; what is not used for long is forgotten.
pub struct IndexCache<S = Stamp>(Mutex<Generations<S>>);

impl<S> Default for IndexCache<S> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl IndexCache<Version> {
    /// What is known of an object: of which version, which the caller is to check, and its index.
    #[must_use]
    pub fn recall(&self, path: &str, layout: IndexLayout) -> Option<(Version, Arc<[Entry]>)> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.young.contains_key(path) {
            let (key, (version, index)) = known.old.remove_entry(path)?;
            known.insert(key, version, index);
        }
        let ((version, read_as), index) = known.young.get(path)?;
        (*read_as == layout).then(|| (version.clone(), Arc::clone(index)))
    }

    /// Remember the index of a version of an object, unless the index is huge.
    pub fn remember(&self, path: &str, version: Version, layout: IndexLayout, index: &[Entry]) {
        if size_of_val(index) > GENERATION_BYTES {
            return;
        }
        let version = (version, layout);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.young.get(path).is_none_or(|(have, _)| *have != version) {
            known.insert(path.to_owned(), version, Arc::from(index));
        }
    }

    /// Forget an object.
    pub fn forget(&self, path: &str) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.young.remove(path);
        known.old.remove(path);
    }
}

impl IndexCache {
    /// The index of this version of the file, if it is known.
    #[must_use]
    pub fn get(&self, path: &str, stamp: Stamp, layout: IndexLayout) -> Option<Arc<[Entry]>> {
        let wanted = (stamp, layout);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((have, index)) = known.young.get(path) {
            return (*have == wanted).then(|| Arc::clone(index));
        }
        let (key, (have, index)) = known.old.remove_entry(path)?;
        let found = (have == wanted).then(|| Arc::clone(&index))?;
        known.insert(key, have, index);
        Some(found)
    }

    /// Remember the index of a file, unless it changed only now or the index is huge.
    pub fn put(&self, path: &str, stamp: Stamp, layout: IndexLayout, index: &[Entry]) {
        let age = stamp.modified().and_then(|then| SystemTime::now().duration_since(then).ok());
        if age.is_none_or(|age| age < SETTLED) || size_of_val(index) > GENERATION_BYTES {
            return;
        }
        let index = Arc::from(index);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(path.to_owned(), (stamp, layout), index);
    }
}

impl<S> Generations<S> {
    fn insert(&mut self, path: String, version: (S, IndexLayout), index: Arc<[Entry]>) {
        self.young_bytes += size_of_val(&*index) + path.len() + 64;
        self.young.insert(path, (version, index));
        if self.young_bytes > GENERATION_BYTES {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
    }
}
