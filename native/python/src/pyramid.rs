//! The function `downsample`.

use anyzarr_core::pyramid::{self, Method, Task};
use anyzarr_core::{Dims, pool};
use pyo3::prelude::*;

use crate::buffer::Buffer;
use crate::error::to_python;

/// Downsample a block in memory.
///
/// Parameters
/// ----------
/// source, target
///     Buffers with any strides; `target` has `ceil(n / factor)` elements per axis.
/// factors
///     Width of a window per axis.
/// method
///     "mean", "median", "mode", "min", "max" or "stride".
/// dtype
///     Kind and size of the elements, in the machine's byte order: "u2", "i4", "f8", ….
/// threads
///     How many to use, the caller's included.
#[pyfunction]
#[pyo3(signature = (source, target, factors, method, dtype, threads=1))]
pub fn downsample(
    py: Python<'_>,
    source: &Bound<'_, PyAny>,
    target: &Bound<'_, PyAny>,
    factors: Vec<usize>,
    method: &str,
    dtype: &str,
    threads: usize,
) -> PyResult<()> {
    let (from, to) = (Buffer::new(source, false)?, Buffer::new(target, true)?);
    py.detach(|| {
        let itemsize = dtype.get(1..).and_then(|n| n.parse().ok()).unwrap_or(0);
        let shape = from.shape()?;
        let factors = Dims::new(&factors)?;
        let result = Dims::from_fn(shape.len(), |d| {
            shape[d].div_ceil(factors.get(d).copied().unwrap_or(1).max(1))
        });
        let task = Task {
            source: from.view(&shape, itemsize)?,
            shape,
            target: to.view(&result, itemsize)?,
            factors,
        };
        let method = Method::named(method)?;
        // SAFETY: both buffers are held; their shapes were checked; the target is writable.
        #[allow(unsafe_code)]
        pool::guarded(|| unsafe { pyramid::downsample(&task, dtype, method, threads) })
    })
    .map_err(|error| to_python(&error))
}
