//! Writing points of many arrays that differ in nothing but where they are.
#![allow(unsafe_code)] // the public function takes a `View`, whose maker vouches for it

use crate::dims::Dims;
use crate::error::{Error, Result};
use crate::grid::{Pieces, Region};
use crate::memory::View;
use crate::plan::Plan;
use crate::pool;
use crate::read::Files;
use crate::tables::{Points, Tables};
use crate::write::{Options, write};

/// Arrays, and what goes to each.
#[derive(Clone, Copy, Debug)]
pub struct Alike<'a> {
    /// The directory of the store.
    pub root: &'a str,
    /// The arrays within it, each one once.
    pub paths: &'a [String],
    /// Points `bounds[i] .. bounds[i + 1]` are those of array `i`.
    pub bounds: &'a [usize],
    /// Per dimension the indices of all points.
    pub coords: &'a [Vec<u32>],
}

/// Write memory, one element per point, to many arrays with all threads.
///
/// # Errors
/// As of [`write`]; the key that an error names is relative to the store. Arrays beside the one that
/// failed may have been written.
///
/// # Safety
/// `value`, of one dimension, is valid for an element per point, to read, until this returns.
pub unsafe fn write_alike(
    plan: &Plan,
    arrays: Alike<'_>,
    value: &View,
    options: Options,
) -> Result<()> {
    let count = arrays.paths.len();
    check(plan, &arrays)?;
    // Few arrays leave threads for what each of them holds.
    let inner = if count < options.threads { options.threads } else { 1 };
    let inner = Options { threads: inner, ..options };
    pool::run(options.threads, count, |_, item| {
        let path = &arrays.paths[item];
        let (from, to) = (arrays.bounds[item], arrays.bounds[item + 1]);
        // SAFETY: the points are some of those that the caller vouches for.
        unsafe { write_one(plan, arrays, path, (from, to), value, inner) }
            .map_err(|error| error.below(path))
    })
}

fn check(plan: &Plan, arrays: &Alike<'_>) -> Result<()> {
    let bounds = arrays.bounds;
    let points = bounds.last().copied().unwrap_or(0);
    let fits = bounds.len() == arrays.paths.len() + 1
        && bounds.first() == Some(&0)
        && bounds.is_sorted()
        && arrays.coords.len() == plan.shape.len()
        && arrays.coords.iter().all(|indices| indices.len() == points);
    if fits {
        return Ok(());
    }
    Err(Error::invalid("arrays have ascending bounds, and an index per dimension for each point"))
}

/// Write the points `from .. to`.
///
/// # Safety
/// As of [`write_alike`].
unsafe fn write_one(
    plan: &Plan,
    arrays: Alike<'_>,
    path: &str,
    (from, to): (usize, usize),
    value: &View,
    options: Options,
) -> Result<()> {
    let ndim = plan.shape.len();
    let some = |indices: &Vec<u32>| indices.get(from..to).unwrap_or_default().to_vec();
    let coords = arrays.coords.iter().map(some).collect();
    let points = Points { dims: (0..ndim).collect(), coords, shape: vec![to - from] };
    let (tables, strides) = Tables::new(plan, vec![points], value.strides())?;
    let pieces = Pieces::of_tables(tables);
    let region = pieces.region(&Region::full(&Dims::filled(ndim, 1)));
    let first = value.at(&[from]).with_strides(strides);
    let files = Files::new(arrays.root, path);
    // SAFETY: the region has the elements `from .. to`, and the view begins with the first.
    unsafe { write(plan, &files, &region, &first, options) }
}
