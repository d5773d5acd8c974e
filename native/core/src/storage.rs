//! Any store, through requests that are answered as they come in.

use std::sync::Arc;

use crate::error::{Error, Kind, Result};

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

/// One request; the token comes back with the answer.
#[derive(Clone, Debug)]
pub struct Request {
    /// The asker's own number for it.
    pub token: usize,
    /// The object.
    pub key: String,
    /// What of it.
    pub range: Range,
}

/// What tells one version of an object from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// The store's tag for exactly these bytes, where it gives one.
    pub etag: Option<Arc<str>>,
    /// Size of the whole object.
    pub size: u64,
}

/// Bytes of an object. A storage may give the whole object where a part was asked for.
#[derive(Clone, Debug)]
pub struct Found<B> {
    /// The bytes.
    pub data: B,
    /// Whether this is the whole object.
    pub is_whole: bool,
    /// Of which version, where the storage knows.
    pub version: Option<Version>,
}

/// The answer to a request: None where there is no object.
pub type Answer<B> = (usize, Result<Option<Found<B>>>);

/// What is worth doing to save requests and round trips.
#[derive(Clone, Copy, Debug)]
pub struct Costs {
    /// Ranges of one object with at most so many bytes between them are asked for as one.
    pub gap_bytes: u64,
    /// They are not merged beyond this.
    pub run_bytes: u64,
    /// So many bytes too many take no longer than another round trip.
    pub round_trip_bytes: u64,
    /// Requests that may be under way whatever their size.
    pub least_requests: usize,
}

/// Objects by key.
pub trait Storage: Sync {
    /// Bytes of an object.
    type Blob: AsRef<[u8]> + Send + Sync;

    /// What requests cost.
    fn costs(&self) -> Costs;

    /// Names the store in this process, where its objects have versions.
    fn identity(&self) -> Option<u64>;

    /// Begin a conversation, which is ended by dropping it.
    fn fetch(&self) -> Box<dyn Fetch<Self::Blob> + '_>;

    /// Replace each object, all or nothing; None removes it.
    ///
    /// # Errors
    /// The store cannot; some objects may have been written.
    fn put_many(&self, objects: Vec<(String, Option<Vec<u8>>)>) -> Result<()>;
}

/// Requests under way. The thread that called the executor asks and waits; others decode.
pub trait Fetch<B> {
    /// Begin to answer these, too.
    fn ask(&mut self, requests: Vec<Request>);

    /// The answers that are there, at least one; none once all have been given.
    ///
    /// # Errors
    /// Waiting was interrupted, or no answer can be had.
    fn wait(&mut self) -> Result<Vec<Answer<B>>>;
}

/// A conversation with a store that answers whole batches: what was asked for since the last call.
pub struct Batches<F> {
    answer: F,
    requests: Vec<Request>,
}

impl<F> Batches<F> {
    /// `answer` gives one result per request, in order; None where there is no object.
    pub fn new(answer: F) -> Self {
        Self { answer, requests: Vec::new() }
    }
}

impl<B, F: FnMut(&[Request]) -> Result<Vec<Option<B>>>> Fetch<B> for Batches<F> {
    fn ask(&mut self, requests: Vec<Request>) {
        self.requests.extend(requests);
    }

    fn wait(&mut self) -> Result<Vec<Answer<B>>> {
        let requests = std::mem::take(&mut self.requests);
        if requests.is_empty() {
            return Ok(Vec::new());
        }
        let found = (self.answer)(&requests)?;
        if found.len() != requests.len() {
            return Err(unanswered());
        }
        let pair = |(request, data): (&Request, Option<B>)| {
            let is_whole = request.range == Range::All;
            (request.token, Ok(data.map(|data| Found { data, is_whole, version: None })))
        };
        Ok(requests.iter().zip(found).map(pair).collect())
    }
}

/// Get whole objects, in order; None where there is no object.
///
/// # Errors
/// The store cannot say.
pub fn get_all<S: Storage>(storage: &S, keys: Vec<String>) -> Result<Vec<Option<S::Blob>>> {
    let mut found: Vec<Option<S::Blob>> = keys.iter().map(|_| None).collect();
    let mut left = keys.len();
    let mut fetch = storage.fetch();
    let numbered = keys.into_iter().enumerate();
    fetch.ask(numbered.map(|(token, key)| Request { token, key, range: Range::All }).collect());
    while left > 0 {
        let answers = fetch.wait()?;
        if answers.is_empty() {
            return Err(unanswered());
        }
        for (token, answer) in answers {
            let slot = found.get_mut(token).ok_or_else(unanswered)?;
            *slot = answer?.map(|found| found.data);
            left = left.saturating_sub(1);
        }
    }
    Ok(found)
}

/// The storage broke its contract.
pub(crate) fn unanswered() -> Error {
    Error::new(Kind::Storage, "the store gave another number of results than was asked for")
}
