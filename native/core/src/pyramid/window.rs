//! Methods that need all elements of a window together.
#![allow(unsafe_code)] // rows are read and written through `View`s, whose makers vouch for them

use super::Task;
use super::number::Number;
use super::rows::{block_of, load, row_coords, row_of, split, store};
use crate::dims::Dims;

/// Reduce each window, for some rows of the result.
pub(super) fn each<T: Number>(task: &Task, from: usize, to: usize, reduce: impl Fn(&mut [T]) -> T) {
    let (leading, length) = split(&task.result_shape());
    let width = task.shape.last().copied().unwrap_or(1);
    let factor = task.factors.last().copied().unwrap_or(1);
    let mut block = Vec::new();
    let mut window = Vec::new();
    let mut out = vec![T::default(); length];
    for number in from..to {
        let coords = row_coords(&leading, number);
        let (first, count) = block_of(task, &coords);
        let rows: usize = count.iter().product();
        block.resize(rows * width, T::default());
        for (k, row) in block.chunks_exact_mut(width).enumerate() {
            let inside = row_coords(&count, k);
            let at = Dims::from_fn(first.len(), |d| first[d] + inside[d]);
            // SAFETY: `at` is a row of the block, as long as `row`.
            unsafe { load(row_of(&task.source, &at), row) };
        }
        for (x, slot) in out.iter_mut().enumerate() {
            let columns = x * factor..width.min((x + 1) * factor);
            window.clear();
            for row in block.chunks_exact(width) {
                window.extend(row[columns.clone()].iter().map(|value| value.plain()));
            }
            *slot = reduce(&mut window);
        }
        // SAFETY: a row of the result.
        unsafe { store(row_of(&task.target, &coords), &out) };
    }
}

/// The most frequent of some numbers, at least one; of several the smallest. -0 is a 0, and NaN a
/// number above all others.
pub(super) fn mode<T: Number>(values: &mut [T]) -> T {
    if let Some((&first, rest)) = values.split_first()
        && rest.iter().all(|value| value.order(&first).is_eq())
    {
        return first;
    }
    values.sort_unstable_by(T::order);
    let mut best = (0, T::default());
    for run in values.chunk_by(T::same) {
        if let Some(&value) = run.first()
            && run.len() > best.0
        {
            best = (run.len(), value);
        }
    }
    best.1
}
