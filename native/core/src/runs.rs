//! Moving the elements that tables of points pick: the same block at many places.
//!
//! Where the elements of a unit are is worked out once per table; then the tables are combined,
//! without a multiplication. The innermost loop is along the axis whose elements are nearest to
//! each other in the unit, and elements that follow each other on both sides are one run.
#![allow(unsafe_code)] // raw pointers with offsets; each function says what it relies on

use crate::grid::Region;
use crate::memory::{Axis, Block, Item, View, row, walk};
use crate::picks::Picked;

/// Elements that follow each other, relative to where the unit and its memory begin.
#[derive(Clone, Copy, Debug)]
struct Run {
    target: isize,
    source: isize,
    count: usize,
}

/// The runs of all tables; memory that is used again.
#[derive(Debug, Default)]
pub struct Runs {
    all: Vec<Run>,
    /// Where those of each table begin, and the end.
    first: Vec<usize>,
}

/// Which side of a copy is the unit, whose strides the region counts in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// The unit is read.
    Source,
    /// The unit is written.
    Target,
}

impl Runs {
    /// Free what is too large to keep.
    pub fn trim(&mut self, bytes: usize) {
        if self.all.capacity() > bytes / size_of::<Run>() {
            self.all = Vec::new();
        }
    }

    /// Work out where the picked elements are in a unit of these strides.
    fn fill(&mut self, picked: &Picked<'_>, strides: &[isize], unit: Unit) {
        self.all.clear();
        self.first.clear();
        for part in picked.parts() {
            let start = self.all.len();
            self.first.push(start);
            let memory = &part.table.memory;
            let numbers = &part.table.numbers[part.from..part.to];
            self.all.extend(numbers.iter().map(|&number| match unit {
                Unit::Source => Run { target: memory.at(number), source: 0, count: 1 },
                Unit::Target => Run { target: 0, source: memory.at(number), count: 1 },
            }));
            for (indices, origin, axis) in part.columns() {
                let stride = strides[axis];
                for (run, &index) in self.all[start..].iter_mut().zip(indices) {
                    let offset = ((index as usize - origin) as isize).wrapping_mul(stride);
                    match unit {
                        Unit::Source => run.source = run.source.wrapping_add(offset),
                        Unit::Target => run.target = run.target.wrapping_add(offset),
                    }
                }
            }
        }
        self.first.push(self.all.len());
    }

    /// Join the runs of the last table where elements of `size` bytes follow each other.
    fn merge(&mut self, size: usize) {
        let Some(&start) = self.first.len().checked_sub(2).and_then(|i| self.first.get(i)) else {
            return;
        };
        let mut kept = start;
        for i in start + 1..self.all.len() {
            let (last, next) = (self.all[kept], self.all[i]);
            let length = (last.count * size) as isize;
            if next.target == last.target.wrapping_add(length)
                && next.source == last.source.wrapping_add(length)
            {
                self.all[kept].count += 1;
            } else {
                kept += 1;
                self.all[kept] = next;
            }
        }
        self.all.truncate(kept + 1);
        if let Some(end) = self.first.last_mut() {
            *end = self.all.len();
        }
    }

    fn of(&self, table: usize) -> &[Run] {
        &self.all[self.first[table]..self.first[table + 1]]
    }

    /// Call `each` with the addresses for every combination of entries of the first tables.
    fn combine(
        &self,
        tables: usize,
        target: *mut u8,
        source: *mut u8,
        each: &mut dyn FnMut(*mut u8, *mut u8),
    ) {
        let Some(last) = tables.checked_sub(1) else {
            each(target, source);
            return;
        };
        self.combine(last, target, source, &mut |t, s| {
            for run in self.of(last) {
                each(t.wrapping_offset(run.target), s.wrapping_offset(run.source));
            }
        });
    }
}

/// Copy what a region with points selects between a unit and memory.
///
/// Of elements that are selected twice, the last is copied last.
///
/// # Safety
/// As for [`memory::copy`](crate::memory::copy); both views are valid for the region, with the
/// offsets of its tables.
pub(crate) unsafe fn copy(
    target: &View,
    source: &View,
    region: &Region<'_>,
    picked: &Picked<'_>,
    item: Item,
    unit: Unit,
    runs: &mut Runs,
) {
    let strides = if unit == Unit::Source { source.strides() } else { target.strides() };
    let Some(block) = Block::new(target.strides(), source.strides(), &region.count) else { return };
    runs.fill(picked, strides, unit);
    let tables = runs.first.len() - 1;
    if !runs_are_inner(picked, region, strides) {
        runs.combine(tables, target.base(), source.base(), &mut |t, s| {
            // SAFETY: by the caller.
            unsafe { block.copy(t, s, item) }
        });
        return;
    }
    runs.merge(item.size);
    let inner = runs.of(tables - 1);
    let single = inner.iter().all(|run| run.count == 1);
    runs.combine(tables - 1, target.base(), source.base(), &mut |t, s| {
        walk(t, s, block.axes(), |t, s| {
            // SAFETY: by the caller.
            unsafe { copy_runs(t, s, inner, item, single) }
        });
    });
}

/// Whether elements of the last table are nearer to each other in the unit than those of the box.
fn runs_are_inner(picked: &Picked<'_>, region: &Region<'_>, strides: &[isize]) -> bool {
    let Some(part) = picked.parts().last() else { return false };
    let near = |axis: usize| strides[axis].unsigned_abs();
    let table = part.columns().map(|(_, _, axis)| near(axis)).min();
    let of_box = (0..strides.len()).filter(|&d| region.count[d] > 1).map(near).min();
    table.zip(of_box).is_none_or(|(table, of_box)| table < of_box)
}

macro_rules! single {
    ($type:ty, $swap:expr, $target:expr, $source:expr, $runs:expr) => {
        for run in $runs {
            let t = $target.wrapping_offset(run.target).cast::<$type>();
            let s = $source.wrapping_offset(run.source).cast::<$type>();
            // SAFETY: by the caller; unaligned access is allowed for.
            unsafe { t.write_unaligned($swap(s.read_unaligned())) };
        }
    };
}

/// Copy runs. Safety: as for `copy`; `single` says that all are of one element.
unsafe fn copy_runs(target: *mut u8, source: *mut u8, runs: &[Run], item: Item, single: bool) {
    match (item.size, item.swap) {
        (1, _) if single => single!(u8, |v| v, target, source, runs),
        (2, 2) if single => single!(u16, u16::swap_bytes, target, source, runs),
        (2, _) if single => single!(u16, |v| v, target, source, runs),
        (4, 4) if single => single!(u32, u32::swap_bytes, target, source, runs),
        (4, ..=1) if single => single!(u32, |v| v, target, source, runs),
        (8, 8) if single => single!(u64, u64::swap_bytes, target, source, runs),
        (8, ..=1) if single => single!(u64, |v| v, target, source, runs),
        _ => {
            let size = item.size as isize;
            for run in runs {
                let t = target.wrapping_offset(run.target);
                let s = source.wrapping_offset(run.source);
                // SAFETY: by the caller.
                unsafe { row(t, s, Axis { count: run.count, target: size, source: size }, item) };
            }
        }
    }
}
