//! Reading and writing selections through a [`Storage`].
//!
//! Reading, requests go out while what came in is decoded on all threads. Of shards, the index is
//! fetched first, unless most of the shard is wanted or all of it comes as fast, and then the
//! ranges of the wanted subchunks. What does not fit together is fetched again as a whole before
//! it is called corrupt: between two requests another writer may have replaced the shard.
#![allow(unsafe_code)] // public functions take `View`s, whose makers vouch for them

mod read;
mod tickets;
mod units;
mod write;

pub use read::read;
pub use write::write;

use crate::plan::Plan;
use crate::storage::Storage;

/// Most bytes asked for and not decoded yet, so that the memory of a read stays bounded.
const BATCH_BYTES: usize = 64 << 20;

/// Most requests under way.
const BATCH_REQUESTS: usize = 1024;

/// Below this, other threads take longer to wake than the work takes.
const INLINE_BYTES: usize = 256 << 10;

/// One array in a storage: chunk `key` is the object `prefix + key`.
pub struct Objects<'a, S: Storage> {
    /// Where the objects are.
    pub storage: &'a S,
    /// Path of the array, ending in `/`, or empty.
    pub prefix: &'a str,
}

impl<S: Storage> Objects<'_, S> {
    fn key(&self, plan: &Plan, coords: &[usize]) -> String {
        let mut key = self.prefix.to_owned();
        plan.push_key(&mut key, coords);
        key
    }
}
