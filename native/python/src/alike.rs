//! The function `write_alike`.

use anyzarr_core::alike::{self, Alike};
use anyzarr_core::write::Options;
use anyzarr_core::{Result, pool};
use pyo3::prelude::*;

use crate::buffer::Buffer;
use crate::error::to_python;
use crate::plan::Plan;

/// Write elements of many arrays of one plan, which are folders below `root`.
///
/// Parameters
/// ----------
/// plan
///     That of all arrays, bound to the elements if these have no fixed size.
/// root, paths
///     The folder of the store, and the arrays in it, each one once.
/// bounds
///     Elements `bounds[i]` to `bounds[i + 1]` are those of array `i`.
/// coords
///     Per dimension the indices of all elements, int64.
/// value
///     The elements, of one dimension.
/// threads
///     How many to use, the caller's included.
/// keep_empty
///     Store chunks that are all fill value too.
#[pyfunction]
#[pyo3(signature = (plan, root, paths, bounds, coords, value, threads, keep_empty=false))]
#[allow(clippy::too_many_arguments, clippy::needless_pass_by_value)]
pub fn write_alike(
    py: Python<'_>,
    plan: &Bound<'_, Plan>,
    root: &str,
    paths: Vec<String>,
    bounds: Vec<usize>,
    coords: Vec<Bound<'_, PyAny>>,
    value: &Bound<'_, PyAny>,
    threads: usize,
    keep_empty: bool,
) -> PyResult<()> {
    let plan = plan.get().plan()?;
    let buffer = Buffer::new(value, false)?;
    let coords: Vec<Buffer> =
        coords.iter().map(|indices| Buffer::new(indices, false)).collect::<PyResult<_>>()?;
    py.detach(|| {
        pool::guarded(|| {
            let coords = coords.iter().map(Buffer::indices).collect::<Result<Vec<_>>>()?;
            let count = bounds.last().copied().unwrap_or(0);
            let view = buffer.view(&[count], plan.itemsize)?;
            let arrays = Alike { root, paths: &paths, bounds: &bounds, coords: &coords };
            let options = Options { threads, keep_empty };
            // SAFETY: the buffer is held and has an element per point.
            #[allow(unsafe_code)]
            unsafe {
                alike::write_alike(plan, arrays, &view, options)
            }
        })
    })
    .map_err(|error| to_python(&error))
}
