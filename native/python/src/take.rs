//! The function `take_runs`.

use anyzarr_core::{pool, take};
use pyo3::prelude::*;

use crate::buffer::Buffer;
use crate::error::to_python;

/// Copy runs of rows, one after the other.
///
/// Parameters
/// ----------
/// source, out
///     C-contiguous buffers; `out` has exactly the room for all runs.
/// row_bytes
///     Bytes of a row.
/// starts, counts
///     int64 of shape (n,): the first row of each run, and how many rows it has.
/// threads
///     How many to use, the caller's included.
#[pyfunction]
#[pyo3(signature = (source, row_bytes, starts, counts, out, threads=1))]
pub fn take_runs(
    py: Python<'_>,
    source: &Bound<'_, PyAny>,
    row_bytes: usize,
    starts: &Bound<'_, PyAny>,
    counts: &Bound<'_, PyAny>,
    out: &Bound<'_, PyAny>,
    threads: usize,
) -> PyResult<()> {
    let (from, mut to) = (Buffer::new(source, false)?, Buffer::new(out, true)?);
    let (starts, counts) = (Buffer::new(starts, false)?, Buffer::new(counts, false)?);
    py.detach(|| {
        let (from, starts, counts) = (from.bytes()?, starts.bytes()?, counts.bytes()?);
        let to = to.bytes_mut()?;
        pool::guarded(|| take::take_runs(from, row_bytes, starts, counts, to, threads))
    })
    .map_err(|error| to_python(&error))
}
