//! A store of Python's, called once for a whole batch.

use std::sync::Mutex;

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
}

type Ask<'a> = (&'a str, Option<(i64, Option<u64>)>);

impl Callbacks {
    /// `get([(key, None | (start, stop))]) -> [bytes | None]`, `put([(key, bytes | None)])`.
    pub fn new(get: Py<PyAny>, put: Option<Py<PyAny>>) -> Self {
        Self { get, put, raised: Mutex::default() }
    }

    /// What a function raised, or else the error.
    pub fn explain(self, error: &Error) -> PyErr {
        let raised = self.raised.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        raised.unwrap_or_else(|| crate::error::to_python(error))
    }

    fn call<T>(&self, work: impl FnOnce(Python<'_>) -> PyResult<T>) -> Result<T> {
        Python::attach(work).map_err(|raised| {
            *self.raised.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(raised);
            Error::new(Kind::Storage, "the store failed")
        })
    }
}

impl Storage for Callbacks {
    type Blob = PyBackedBytes;

    /// The store merges what it wants merged; only what touches is one request from the start.
    fn costs(&self) -> Costs {
        Costs { gap_bytes: 0, run_bytes: 8 << 20, round_trip_bytes: 0, least_requests: 1 }
    }

    fn identity(&self) -> Option<u64> {
        None
    }

    fn fetch(&self) -> Box<dyn Fetch<PyBackedBytes> + '_> {
        Box::new(Batches::new(|requests: &[Request]| {
            let asked: Vec<Ask<'_>> = requests.iter().map(ask).collect();
            self.call(|py| self.get.call1(py, (asked,))?.extract(py))
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
