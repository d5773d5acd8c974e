//! Methods that go row by row: whole rows are added up first, then neighbours in the row.
#![allow(unsafe_code)] // rows are read and written through `View`s, whose makers vouch for them

use super::Task;
use super::number::Number;
use crate::dims::Dims;
use crate::memory::View;

/// The axes before the last, and the length of the last; an array without axes has one row of 1.
pub(super) fn split(shape: &Dims) -> (Dims, usize) {
    let n = shape.len().saturating_sub(1);
    (Dims::from_fn(n, |d| shape[d]), shape.last().copied().unwrap_or(1))
}

/// The coordinates of row number `row` of the result.
pub(super) fn row_coords(leading: &Dims, row: usize) -> Dims {
    let mut coords = Dims::filled(leading.len(), 0);
    let mut rest = row;
    for d in (0..leading.len()).rev() {
        coords[d] = rest % leading[d].max(1);
        rest /= leading[d].max(1);
    }
    coords
}

/// What of the block belongs to a row of the result: first element and count per leading axis.
pub(super) fn block_of(task: &Task, coords: &Dims) -> (Dims, Dims) {
    let first = Dims::from_fn(coords.len(), |d| coords[d] * task.factors[d]);
    let count = Dims::from_fn(coords.len(), |d| task.factors[d].min(task.shape[d] - first[d]));
    (first, count)
}

/// The address of row `at` (coordinates of the leading axes) and the stride within the row.
pub(super) fn row_of(view: &View, at: &[usize]) -> (*mut u8, isize) {
    (view.at(at).base(), view.strides().last().copied().unwrap_or(0))
}

/// Read a row of numbers. Safety: the row is valid for `out.len()` numbers.
pub(super) unsafe fn load<T: Number>(row: (*mut u8, isize), out: &mut [T]) {
    let (base, stride) = row;
    if stride == size_of::<T>() as isize {
        // SAFETY: by the caller; bytes are copied, so alignment does not matter.
        unsafe {
            let bytes = size_of_val(out);
            std::ptr::copy_nonoverlapping(base, out.as_mut_ptr().cast::<u8>(), bytes);
        }
        return;
    }
    for (i, slot) in out.iter_mut().enumerate() {
        let place = base.wrapping_offset((i as isize).wrapping_mul(stride));
        // SAFETY: by the caller.
        *slot = unsafe { place.cast::<T>().read_unaligned() };
    }
}

/// Write a row of numbers. Safety: the row is valid for `values.len()` numbers.
pub(super) unsafe fn store<T: Number>(row: (*mut u8, isize), values: &[T]) {
    let (base, stride) = row;
    for (i, &value) in values.iter().enumerate() {
        let place = base.wrapping_offset((i as isize).wrapping_mul(stride));
        // SAFETY: by the caller.
        unsafe { place.cast::<T>().write_unaligned(value) };
    }
}

/// The numbers of a row: where they are, or in `scratch`. Safety: as for [`load`].
unsafe fn numbers<T: Number>(row: (*mut u8, isize), scratch: &mut [T]) -> &[T] {
    let (base, stride) = (row.0.cast::<T>(), row.1);
    if stride == size_of::<T>() as isize && base.is_aligned() {
        // SAFETY: by the caller; aligned and contiguous.
        return unsafe { std::slice::from_raw_parts(base, scratch.len()) };
    }
    // SAFETY: by the caller.
    unsafe { load(row, scratch) };
    scratch
}

/// Add a row of the block to `sums`, or begin with it.
fn add_row<T: Number>(task: &Task, at: &Dims, begin: bool, sums: &mut [T::Sum], row: &mut [T]) {
    // SAFETY: `at` is a row of the block, as long as `row`.
    let values = unsafe { numbers(row_of(&task.source, at), row) };
    if begin {
        sums.iter_mut().zip(values).for_each(|(sum, &value)| *sum = value.widened());
    } else {
        sums.iter_mut().zip(values).for_each(|(sum, &v)| *sum = T::add(*sum, v.widened()));
    }
}

/// Add up the rows of a block in any order: for numbers whose sums are exact.
fn sum_exact<T: Number>(
    task: &Task,
    first: &Dims,
    count: &Dims,
    sums: &mut [T::Sum],
    row: &mut [T],
) {
    let rows: usize = count.iter().product();
    for k in 0..rows {
        let inside = row_coords(count, k);
        let at = Dims::from_fn(first.len(), |d| first[d] + inside[d]);
        add_row(task, &at, k == 0, sums, row);
    }
}

/// Add up the rows of a block, the first axis innermost: sums of axis 0, of those over axis 1, ….
fn sum_rows<T: Number>(
    task: &Task,
    first: &Dims,
    count: &Dims,
    at: &mut Dims,
    axis: usize,
    sums: &mut [Vec<T::Sum>],
    row: &mut [T],
) {
    let Some((mine, deeper)) = sums.split_last_mut() else { return };
    if axis == 0 {
        add_row(task, at, true, mine, row);
        return;
    }
    let d = axis - 1;
    for k in 0..count[d] {
        at[d] = first[d] + k;
        if d == 0 {
            add_row(task, at, k == 0, mine, row);
            continue;
        }
        sum_rows(task, first, count, at, axis - 1, deeper, row);
        let Some(part) = deeper.last() else { return };
        if k == 0 {
            mine.copy_from_slice(part);
        } else {
            mine.iter_mut().zip(part).for_each(|(sum, &value)| *sum = T::add(*sum, value));
        }
    }
}

/// The mean of windows, for some rows of the result.
pub(super) fn mean<T: Number>(task: &Task, from: usize, to: usize) {
    let (leading, length) = split(&task.result_shape());
    let width = task.shape.last().copied().unwrap_or(1);
    let factor = task.factors.last().copied().unwrap_or(1);
    // One level of sums per leading axis with more than one element in a window, and one more.
    let mut sums = vec![vec![T::Sum::default(); width]; leading.len() + 1];
    let mut row = vec![T::default(); width];
    let mut totals = vec![T::Sum::default(); length];
    let mut out = vec![T::default(); length];
    for number in from..to {
        let coords = row_coords(&leading, number);
        let (first, count) = block_of(task, &coords);
        if T::IS_EXACT {
            let Some(all) = sums.last_mut() else { return };
            sum_exact(task, &first, &count, all, &mut row);
        } else {
            let mut at = first;
            sum_rows(task, &first, &count, &mut at, leading.len(), &mut sums, &mut row);
        }
        let Some(added) = sums.last() else { return };
        add_neighbours::<T>(added, factor, &mut totals);
        let rows: usize = count.iter().product();
        divide(&totals, rows, factor, width, &mut out);
        // SAFETY: a row of the result.
        unsafe { store(row_of(&task.target, &coords), &out) };
    }
}

fn add_neighbours<T: Number>(added: &[T::Sum], factor: usize, totals: &mut [T::Sum]) {
    if factor == 2 {
        let (pairs, rest) = added.as_chunks::<2>();
        for (total, [a, b]) in totals.iter_mut().zip(pairs) {
            *total = T::add(*a, *b);
        }
        if let ([last], Some(total)) = (rest, totals.last_mut()) {
            *total = *last;
        }
        return;
    }
    for (total, window) in totals.iter_mut().zip(added.chunks(factor)) {
        if let Some((&first, rest)) = window.split_first() {
            *total = rest.iter().fold(first, |sum, &value| T::add(sum, value));
        }
    }
}

/// Divide each total by the number of elements in its window.
fn divide<T: Number>(totals: &[T::Sum], rows: usize, factor: usize, width: usize, out: &mut [T]) {
    let full = width / factor;
    let count = rows * factor;
    if count.is_power_of_two() {
        T::means_shifted(&totals[..full], count.trailing_zeros(), &mut out[..full]);
    } else {
        for (slot, &total) in out[..full].iter_mut().zip(totals) {
            *slot = T::mean(total, count);
        }
    }
    if let (Some(slot), Some(&total)) = (out.get_mut(full), totals.get(full)) {
        *slot = T::mean(total, rows * (width - full * factor));
    }
}

/// Fold windows with a function that does not depend on the order, for some rows of the result.
pub(super) fn fold<T: Number>(task: &Task, from: usize, to: usize, with: impl Fn(T, T) -> T) {
    let (leading, length) = split(&task.result_shape());
    let width = task.shape.last().copied().unwrap_or(1);
    let factor = task.factors.last().copied().unwrap_or(1);
    let (mut all, mut row) = (vec![T::default(); width], vec![T::default(); width]);
    let mut out = vec![T::default(); length];
    for number in from..to {
        let coords = row_coords(&leading, number);
        let (first, count) = block_of(task, &coords);
        let rows: usize = count.iter().product();
        for k in 0..rows {
            let inside = row_coords(&count, k);
            let at = Dims::from_fn(first.len(), |d| first[d] + inside[d]);
            // SAFETY: `at` is a row of the block, as long as `row`.
            let values = unsafe { numbers(row_of(&task.source, &at), &mut row) };
            if k == 0 {
                all.iter_mut().zip(values).for_each(|(a, b)| *a = b.plain());
            } else {
                all.iter_mut().zip(values).for_each(|(a, &b)| *a = with(*a, b));
            }
        }
        for (slot, window) in out.iter_mut().zip(all.chunks(factor)) {
            if let Some((&head, rest)) = window.split_first() {
                *slot = rest.iter().fold(head, |a, &b| with(a, b));
            }
        }
        // SAFETY: a row of the result.
        unsafe { store(row_of(&task.target, &coords), &out) };
    }
}
