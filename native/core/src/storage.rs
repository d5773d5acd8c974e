//! Any store, through two operations on whole batches.

use crate::error::Result;

/// Which part of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// All of it.
    All,
    /// Bytes `[start, stop)`; fewer where the object ends before.
    Span(u64, u64),
    /// The last bytes, as many as there are at most.
    Last(u64),
}

/// Objects by key. One call serves many chunks, so that its cost does not matter; it is made by
/// the thread that called the executor.
pub trait Storage: Sync {
    /// Bytes of an object.
    type Blob: AsRef<[u8]> + Send + Sync;

    /// One result per request, in order; None where there is no object.
    ///
    /// # Errors
    /// The store cannot say.
    fn get_many(&self, requests: &[(String, Range)]) -> Result<Vec<Option<Self::Blob>>>;

    /// Replace each object, all or nothing; None removes it.
    ///
    /// # Errors
    /// The store cannot; some objects may have been written.
    fn put_many(&self, objects: Vec<(String, Option<Vec<u8>>)>) -> Result<()>;
}
