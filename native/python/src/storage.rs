//! A store of Python's, called once for a whole batch.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyzarr_core::storage::{Batches, Costs, Fetch, Range, Request, Storage};
use anyzarr_core::{Error, Kind, Result};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

/// Two functions; what they raise is kept, to be raised again unchanged.
pub struct Callbacks {
    get: Py<PyAny>,
    put: Option<Py<PyAny>>,
    raised: Mutex<Option<PyErr>>,
    used: Pile,
}

/// Bytes that are not needed any more, until a thread that is attached lets go of them.
///
/// Whatever is let go of by a thread that is not attached goes through a list of PyO3's, with a lock
/// for the whole process. A child forked while it is held would wait for it for ever.
type Pile = Arc<Mutex<Vec<PyBackedBytes>>>;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Bytes of Python's, in use by a thread that need not be attached.
pub struct Lent {
    bytes: Option<PyBackedBytes>,
    used: Pile,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        self.bytes.as_deref().unwrap_or_default()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(bytes) = self.bytes.take() {
            lock(&self.used).push(bytes);
        }
    }
}

type Ask<'a> = (&'a str, Option<(i64, Option<u64>)>);

impl Callbacks {
    /// `get([(key, None | (start, stop))]) -> [bytes | None]`, `put([(key, bytes | None)])`.
    pub fn new(get: Py<PyAny>, put: Option<Py<PyAny>>) -> Self {
        Self { get, put, raised: Mutex::default(), used: Pile::default() }
    }

    /// What a function raised, or else the error.
    pub fn explain(self, error: &Error) -> PyErr {
        let raised = lock(&self.raised).take();
        raised.unwrap_or_else(|| crate::error::to_python(error))
    }

    fn call<T>(&self, work: impl FnOnce(Python<'_>) -> PyResult<T>) -> Result<T> {
        Python::attach(|py| {
            let used = mem::take(&mut *lock(&self.used));
            drop(used);
            work(py).map_err(|raised| {
                let before = lock(&self.raised).replace(raised);
                drop(before);
                Error::new(Kind::Storage, "the store failed")
            })
        })
    }
}

impl Storage for Callbacks {
    type Blob = Lent;

    /// The store merges what it wants merged; only what touches is one request from the start.
    fn costs(&self) -> Costs {
        Costs { gap_bytes: 0, run_bytes: 8 << 20, round_trip_bytes: 0, least_requests: 1 }
    }

    fn identity(&self) -> Option<u64> {
        None
    }

    fn fetch(&self) -> Box<dyn Fetch<Lent> + '_> {
        Box::new(Batches::new(|requests: &[Request]| {
            let asked: Vec<Ask<'_>> = requests.iter().map(ask).collect();
            self.call(|py| {
                let found: Vec<Option<PyBackedBytes>> =
                    self.get.call1(py, (asked,))?.extract(py)?;
                let lend = |bytes| Lent { bytes: Some(bytes), used: Arc::clone(&self.used) };
                Ok(found.into_iter().map(|each| each.map(lend)).collect())
            })
        }))
    }

    fn put_many(&self, objects: Vec<(String, Option<Vec<u8>>)>) -> Result<()> {
        self.call(|py| {
            let objects: Vec<(String, Option<Bound<'_, PyBytes>>)> = objects
                .into_iter()
                .map(|(key, data)| (key, data.map(|data| PyBytes::new(py, &data))))
                .collect();
            match &self.put {
                Some(put) => put.call1(py, (objects,)).map(|_| ()),
                None => Ok(()),
            }
        })
    }
}

fn ask(request: &Request) -> Ask<'_> {
    let range = match request.range {
        Range::All => None,
        Range::Span(start, stop) => Some((start as i64, Some(stop))),
        Range::Last(size) => Some((-(size as i64), None)),
    };
    (request.key.as_str(), range)
}
