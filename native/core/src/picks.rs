//! What the tables of a selection pick of one unit.
//!
//! The points that one unit holds are a run of each table: cutting a selection along a grid finds
//! where the runs end, and copies nothing.

use std::sync::Arc;

use crate::dims::{Dims, c_strides, product};
use crate::grid::{Division, Extent};
use crate::tables::{Table, Tables};

/// Points of a table that lie in one cell.
#[derive(Clone, Copy, Debug)]
struct Group {
    from: usize,
    to: usize,
}

/// One dimension of the cell of a group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// The axis of the unit.
    pub axis: usize,
    /// Index of the cell.
    pub cell: usize,
    /// First element of the cell, in the array.
    pub origin: usize,
}

/// Where the groups of a table are.
#[derive(Clone, Copy, Debug)]
struct Share {
    /// First axis of the unit that the table covers.
    lead: usize,
    /// The axes that it covers, as bits.
    covered: u32,
    group: usize,
    place: usize,
}

/// The tables of a selection, cut along a grid.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    tables: Option<Arc<Tables>>,
    shares: Vec<Share>,
    groups: Vec<Group>,
    places: Vec<Place>,
}

impl Groups {
    /// All points in one cell, the array.
    pub fn whole(tables: Tables) -> Self {
        let mut made = Self::default();
        for table in &tables.all {
            made.begin(table.dims.iter().copied());
            made.groups.push(Group { from: 0, to: table.numbers.len() });
            let places = table.dims.iter().map(|&axis| Place { axis, cell: 0, origin: 0 });
            made.places.extend(places);
        }
        made.tables = Some(Arc::new(tables));
        made
    }

    fn begin(&mut self, axes: impl Iterator<Item = usize>) {
        let covered = axes.fold(0u32, |bits, axis| bits | 1 << axis);
        let lead = covered.trailing_zeros() as usize;
        self.shares.push(Share {
            lead,
            covered,
            group: self.groups.len(),
            place: self.places.len(),
        });
    }

    pub fn clear(&mut self) {
        self.tables = None;
        self.shares.clear();
        self.groups.clear();
        self.places.clear();
    }

    /// Cut what a unit holds along cells, in the order of the unit's axes.
    pub fn fill(&mut self, picked: &Picked<'_>, division: &impl Division) {
        self.clear();
        self.tables.clone_from(&picked.groups.tables);
        for part in picked.parts() {
            self.begin((0..part.places.len()).map(|j| part.axis(j)));
            let mut from = part.from;
            while from < part.to {
                let mut to = part.to;
                for (j, (place, coords)) in part.places.iter().zip(&part.table.coords).enumerate() {
                    let axis = part.axis(j);
                    let within = coords[from] as usize - place.origin;
                    let Extent { cell, start, edge } = division.cell(axis, within);
                    let origin = place.origin + start;
                    self.places.push(Place { axis, cell, origin });
                    let inside = origin..origin.saturating_add(edge);
                    let run = coords[from..to].iter();
                    to =
                        from + run.take_while(|&&index| inside.contains(&(index as usize))).count();
                }
                self.groups.push(Group { from, to });
                from = to;
            }
        }
    }

    fn len(&self, number: usize) -> usize {
        let next = self.shares.get(number + 1).map_or(self.groups.len(), |share| share.group);
        next - self.shares[number].group
    }

    /// Number of groups of the table that covers an axis, on its first axis; elsewhere 1. None
    /// if no table covers it.
    pub fn along(&self, axis: usize) -> Option<usize> {
        let number = self.shares.iter().position(|share| share.covered >> axis & 1 == 1)?;
        Some(if self.shares[number].lead == axis { self.len(number) } else { 1 })
    }

    /// What is picked in the cell that has this index on every axis; the cell's coordinates are
    /// set.
    pub fn pick(&self, index: &Dims, coords: &mut Dims) -> Option<Picked<'_>> {
        self.tables.as_ref()?;
        let number = self
            .shares
            .iter()
            .enumerate()
            .fold(0, |number, (i, share)| number * self.len(i) + index[share.lead]);
        let picked = Picked { groups: self, number, order: None };
        for place in picked.parts().flat_map(|part| part.places) {
            coords[place.axis] = place.cell;
        }
        Some(picked)
    }

    /// The index of the cell at these coordinates, on the first axes of tables; None if it is
    /// not touched.
    pub fn find(&self, coords: &[usize], index: &mut Dims) -> Option<()> {
        for (number, share) in self.shares.iter().enumerate() {
            let ndim = share.covered.count_ones() as usize;
            let cell = |group: usize| {
                let at = share.place + group * ndim;
                self.places[at..at + ndim].iter()
            };
            // Groups are sorted by cell, as the dimensions of the table say.
            let (mut low, mut high) = (0, self.len(number));
            while low < high {
                let middle = low.midpoint(high);
                let wanted = cell(middle).map(|place| coords[place.axis]);
                if cell(middle).map(|place| place.cell).lt(wanted) {
                    low = middle + 1;
                } else {
                    high = middle;
                }
            }
            let found =
                low < self.len(number) && cell(low).all(|place| place.cell == coords[place.axis]);
            index[share.lead] = found.then_some(low)?;
        }
        Some(())
    }
}

/// The points that lie in one cell, of every table.
#[derive(Clone, Copy, Debug)]
pub struct Picked<'a> {
    groups: &'a Groups,
    number: usize,
    /// The order of the axes, if it is not that of the cut.
    order: Option<&'a Dims>,
}

/// The points of one table that lie in one cell.
#[derive(Clone, Copy)]
pub(crate) struct Part<'a> {
    pub table: &'a Table,
    pub from: usize,
    pub to: usize,
    places: &'a [Place],
    order: Option<&'a Dims>,
}

impl<'a> Picked<'a> {
    /// All points.
    pub(crate) fn all(groups: &'a Groups) -> Self {
        Self { groups, number: 0, order: None }
    }

    /// The same with the unit's axes in another order.
    pub(crate) fn permuted(&self, order: &'a Dims) -> Self {
        debug_assert!(self.order.is_none());
        Self { order: Some(order), ..*self }
    }

    /// The parts, one per table.
    pub(crate) fn parts(&self) -> impl Iterator<Item = Part<'a>> + use<'a> {
        let (groups, order) = (self.groups, self.order);
        let mut index = Dims::filled(groups.shares.len(), 0);
        let mut rest = self.number;
        for i in (0..groups.shares.len()).rev() {
            index[i] = rest % groups.len(i).max(1);
            rest /= groups.len(i).max(1);
        }
        let tables = groups.tables.as_deref().map_or(&[][..], |tables| &tables.all);
        tables.iter().zip(&groups.shares).enumerate().map(move |(i, (table, share))| {
            let ndim = table.dims.len();
            let Group { from, to } = groups.groups[share.group + index[i]];
            let at = share.place + index[i] * ndim;
            Part { table, from, to, places: &groups.places[at..at + ndim], order }
        })
    }

    /// Whether a table covers an axis.
    pub(crate) fn has_axis(&self, axis: usize) -> bool {
        self.parts().any(|part| (0..part.places.len()).any(|j| part.axis(j) == axis))
    }

    /// Number of points: the product of what the tables have.
    pub(crate) fn len(&self) -> usize {
        self.parts().fold(1, |total, part| total.saturating_mul(part.to - part.from))
    }

    /// Offsets of the first and the last element that the tables pick.
    pub(crate) fn span(&self, strides: &[isize]) -> (usize, usize) {
        self.parts().fold((0, 0), |(first, last), part| {
            let (mut low, mut high) = (usize::MAX, 0);
            for point in part.from..part.to {
                let offset = part.offset(point, strides).unsigned_abs();
                (low, high) = (low.min(offset), high.max(offset));
            }
            (first + low.min(high), last + high)
        })
    }

    /// Whether the tables pick every element of `[0, length)` of their axes.
    pub(crate) fn covers(&self, lengths: &[usize]) -> bool {
        self.parts().all(|part| part.covers(lengths))
    }
}

impl<'a> Part<'a> {
    /// The axis of the unit that dimension `j` of the table is.
    pub fn axis(&self, j: usize) -> usize {
        let axis = self.places[j].axis;
        match self.order {
            None => axis,
            Some(order) => order.iter().position(|&old| old == axis).unwrap_or(axis),
        }
    }

    /// The indices along each dimension, with the unit's origin and axis.
    pub fn columns(&self) -> impl Iterator<Item = (&'a [u32], usize, usize)> {
        let columns = self.table.coords.iter().zip(self.places).enumerate();
        columns
            .map(|(j, (coords, place))| (&coords[self.from..self.to], place.origin, self.axis(j)))
    }

    fn offset(&self, point: usize, strides: &[isize]) -> isize {
        let columns = self.table.coords.iter().zip(self.places).enumerate();
        columns.fold(0, |sum, (j, (coords, place))| {
            sum + (coords[point] as usize - place.origin) as isize * strides[self.axis(j)]
        })
    }

    fn covers(&self, lengths: &[usize]) -> bool {
        let shape = Dims::from_fn(self.places.len(), |j| lengths[self.axis(j)]);
        let Some(volume) = product(&shape).filter(|&n| n <= self.to - self.from) else {
            return false;
        };
        let strides = c_strides(
            &Dims::from_fn(lengths.len(), |axis| {
                if self.places.iter().enumerate().any(|(j, _)| self.axis(j) == axis) {
                    lengths[axis]
                } else {
                    1
                }
            }),
            1,
        );
        let mut seen = vec![false; volume];
        for point in self.from..self.to {
            if let Some(slot) = seen.get_mut(self.offset(point, &strides).unsigned_abs()) {
                *slot = true;
            }
        }
        seen.iter().all(|&seen| seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Result;
    use crate::grid::{Pieces, Region};
    use crate::plan::Plan;
    use crate::tables::{Points, tests::DOCUMENT};

    #[test]
    fn every_unit_holds_a_run_of_points() -> Result<()> {
        let plan = Plan::compile(DOCUMENT, &[0], false)?;
        // All elements, backwards and twice.
        let all: Vec<u32> = (0..240).chain(0..240).rev().collect();
        let coords = vec![
            all.iter().map(|i| i / 12).collect::<Vec<_>>(),
            all.iter().map(|i| i % 12).collect(),
        ];
        let points = Points { dims: vec![0, 1], coords, shape: vec![480] };
        let (tables, _) = Tables::new(&plan, vec![points], &[1])?;
        let root = Pieces::of_tables(tables);
        let region = root.region(&Region::full(&plan.shape));
        let (mut chunks, mut shards) = (Pieces::default(), Pieces::default());
        chunks.fill(&region, &plan.chain.shape);
        assert_eq!(chunks.len(), 6);
        let mut subchunks = 0;
        for cell in chunks.range(0, chunks.len()) {
            let Some(shard) = plan.chain.open_shard() else { break };
            let order = Dims::new(&[1, 0])?;
            shards.fill(&cell.region.permuted(&order), &shard.inner.shape);
            for sub in shards.range(0, shards.len()) {
                subchunks += 1;
                let found = shards.touched(&sub.coords).map(|cell| cell.coords);
                assert_eq!(found, Some(sub.coords));
                assert!(sub.region.len() <= 24);
            }
        }
        // The last chunks are half outside.
        assert_eq!(subchunks, 4 * 4 + 2 * 2);
        Ok(())
    }
}
