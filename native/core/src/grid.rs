//! Which cells of a regular grid a region touches, and what it takes of each.

use crate::dims::{Dims, product};
use crate::picks::{Groups, Picked};
use crate::tables::Tables;

/// Elements `start, start + step, …` of each dimension, `count` of them.
///
/// Dimensions may be taken from tables of points instead; there the box has the one element 0,
/// and the place of the elements in memory has strides of 0.
#[derive(Clone, Copy, Debug)]
pub struct Region<'a> {
    /// First element.
    pub start: Dims,
    /// Number of elements.
    pub count: Dims,
    /// Distance between elements, at least 1.
    pub step: Dims,
    /// The points of the dimensions that are not those of a box.
    pub picked: Option<Picked<'a>>,
}

impl<'a> Region<'a> {
    /// Everything of an array of this shape.
    #[must_use]
    pub fn full(shape: &Dims) -> Self {
        Self {
            start: Dims::filled(shape.len(), 0),
            count: *shape,
            step: Dims::filled(shape.len(), 1),
            picked: None,
        }
    }

    /// The region with its dimensions in another order.
    #[must_use]
    pub fn permuted(&self, order: &'a Dims) -> Self {
        Self {
            start: self.start.permuted(order),
            count: self.count.permuted(order),
            step: self.step.permuted(order),
            picked: self.picked.map(|picked| picked.permuted(order)),
        }
    }

    /// Whether it is all of an array of this shape.
    #[must_use]
    pub fn is_full(&self, shape: &[usize]) -> bool {
        // A full count implies a step of 1 wherever the step matters.
        self.picked.is_none() && *self.count == *shape && self.start.iter().all(|&n| n == 0)
    }

    /// Whether every element of `[0, length)` is taken, per dimension.
    #[must_use]
    pub fn covers(&self, lengths: &[usize]) -> bool {
        let is_picked = |d: usize| self.picked.is_some_and(|picked| picked.has_axis(d));
        (0..lengths.len())
            .all(|d| self.start[d] == 0 && self.count[d] == lengths[d] || is_picked(d))
            && self.picked.is_none_or(|picked| picked.covers(lengths))
    }

    /// Number of selected elements.
    #[must_use]
    pub fn len(&self) -> usize {
        let points = self.picked.map_or(1, |picked| picked.len());
        self.count.iter().fold(points, |total, &n| total.saturating_mul(n))
    }

    /// Whether nothing is selected.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// One cell along one dimension.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    /// Its index.
    pub cell: usize,
    /// Its first element.
    pub start: usize,
    /// Number of elements, at least 1.
    pub edge: usize,
}

impl Extent {
    /// The cell that holds an element, of cells of one edge.
    #[must_use]
    #[inline]
    pub fn of(edge: usize, position: usize) -> Self {
        let cell = position / edge;
        Self { cell, start: cell * edge, edge }
    }
}

/// How dimensions are divided into cells.
pub trait Division {
    /// Number of dimensions.
    fn ndim(&self) -> usize;

    /// The cell that holds an element, which is within the array.
    fn cell(&self, axis: usize, position: usize) -> Extent;
}

/// Cells of one shape.
impl Division for Dims {
    fn ndim(&self) -> usize {
        self.len()
    }

    #[inline]
    fn cell(&self, axis: usize, position: usize) -> Extent {
        Extent::of(self[axis], position)
    }
}

/// What one dimension of a region takes from one cell.
#[derive(Clone, Copy, Debug, Default)]
pub struct Piece {
    /// Index of the cell.
    pub cell: usize,
    /// First element taken, relative to the cell.
    pub start: usize,
    /// Number of elements taken.
    pub count: usize,
    /// Where the first of them lies in the region.
    pub at: usize,
}

/// The touched cells: the product of what each dimension touches.
#[derive(Debug, Default)]
pub struct Pieces {
    all: Vec<Piece>,
    first: Vec<usize>,
    steps: Vec<usize>,
    groups: Groups,
}

impl Pieces {
    /// All of an array, with points for some of its dimensions.
    #[must_use]
    pub fn of_tables(tables: Tables) -> Self {
        Self { groups: Groups::whole(tables), ..Self::default() }
    }

    /// A box, and the points for the dimensions that are in tables.
    #[must_use]
    pub fn region<'a>(&'a self, region: &Region) -> Region<'a> {
        let picked = Picked::all(&self.groups);
        let n = region.count.len();
        let kept =
            |of: &Dims, other| Dims::from_fn(n, |d| if picked.has_axis(d) { other } else { of[d] });
        Region {
            start: kept(&region.start, 0),
            count: kept(&region.count, 1),
            step: kept(&region.step, 1),
            picked: Some(picked),
        }
    }

    /// Forget what the pieces are of.
    pub fn clear(&mut self) {
        self.all.clear();
        self.first.clear();
        self.steps.clear();
        self.groups.clear();
    }

    /// Work out the pieces of a region. Cells have at least one element per dimension.
    pub fn fill(&mut self, region: &Region<'_>, division: &impl Division) {
        self.clear();
        self.steps.extend_from_slice(&region.step);
        if let Some(picked) = &region.picked {
            self.groups.fill(picked, division);
        }
        for d in 0..division.ndim() {
            self.first.push(self.all.len());
            if let Some(groups) = self.groups.along(d) {
                let any = Piece { cell: 0, start: 0, count: 1, at: 0 };
                self.all.extend(std::iter::repeat_n(any, groups));
                continue;
            }
            let (step, count) = (region.step[d], region.count[d]);
            let mut at = 0;
            let mut position = region.start[d];
            while at < count {
                let Extent { cell, start, edge } = division.cell(d, position);
                let start = position - start;
                let taken = ((edge - start - 1) / step + 1).min(count - at);
                self.all.push(Piece { cell, start, count: taken, at });
                at += taken;
                // Past the last element it may be anywhere.
                position = position.wrapping_add(taken.wrapping_mul(step));
            }
        }
        self.first.push(self.all.len());
    }

    /// Number of dimensions.
    #[must_use]
    pub fn ndim(&self) -> usize {
        self.steps.len()
    }

    fn lengths(&self) -> Dims {
        Dims::from_fn(self.ndim(), |d| self.first[d + 1] - self.first[d])
    }

    /// Number of touched cells.
    #[must_use]
    pub fn len(&self) -> usize {
        product(&self.lengths()).unwrap_or(usize::MAX)
    }

    /// Whether no cell is touched.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The touched cells number `start` to `stop`, in C order.
    #[must_use]
    pub fn range(&self, start: usize, stop: usize) -> Cells<'_> {
        let lengths = self.lengths();
        let mut index = Dims::filled(lengths.len(), 0);
        let mut rest = start;
        for d in (0..lengths.len()).rev() {
            index[d] = rest % lengths[d].max(1);
            rest /= lengths[d].max(1);
        }
        Cells { pieces: self, lengths, index, left: stop.saturating_sub(start) }
    }

    /// The cell at these coordinates, if it is touched.
    #[must_use]
    pub fn touched(&self, coords: &[usize]) -> Option<Cell<'_>> {
        let mut index = Dims::filled(coords.len(), 0);
        self.groups.find(coords, &mut index)?;
        for (d, &coordinate) in coords.iter().enumerate() {
            if self.groups.along(d).is_some() {
                continue;
            }
            let pieces = &self.all[self.first[d]..self.first[d + 1]];
            // Unless steps are larger than cells, one touched cell follows the other.
            let guess = coordinate.checked_sub(pieces.first()?.cell)?;
            index[d] = match pieces.get(guess) {
                Some(piece) if piece.cell == coordinate => guess,
                _ => pieces.binary_search_by_key(&coordinate, |piece| piece.cell).ok()?,
            };
        }
        Some(self.cell(&index))
    }

    /// The cell with this index, among the touched ones, on every axis.
    fn cell(&self, index: &Dims) -> Cell<'_> {
        let n = index.len();
        let pieces = Dims::<Piece>::from_fn(n, |d| self.all[self.first[d] + index[d]]);
        let mut coords = Dims::from_fn(n, |d| pieces[d].cell);
        let picked = self.groups.pick(index, &mut coords);
        Cell {
            coords,
            region: Region {
                picked,
                start: Dims::from_fn(n, |d| pieces[d].start),
                count: Dims::from_fn(n, |d| pieces[d].count),
                step: Dims::from_fn(n, |d| self.steps[d]),
            },
            at: Dims::from_fn(n, |d| pieces[d].at),
        }
    }

    /// One touched cell.
    #[must_use]
    pub fn one(&self, number: usize) -> Option<Cell<'_>> {
        self.range(number, number + 1).next()
    }
}

/// One touched cell.
#[derive(Clone, Copy, Debug)]
pub struct Cell<'a> {
    /// Its coordinates in the grid.
    pub coords: Dims,
    /// What is taken of it.
    pub region: Region<'a>,
    /// Where that begins in the region asked for.
    pub at: Dims,
}

/// Iterates over touched cells without division.
pub struct Cells<'a> {
    pieces: &'a Pieces,
    lengths: Dims,
    index: Dims,
    left: usize,
}

impl<'a> Iterator for Cells<'a> {
    type Item = Cell<'a>;

    fn next(&mut self) -> Option<Cell<'a>> {
        if self.left == 0 {
            return None;
        }
        self.left -= 1;
        let n = self.lengths.len();
        let cell = self.pieces.cell(&self.index);
        for d in (0..n).rev() {
            self.index[d] += 1;
            if self.index[d] < self.lengths[d] {
                break;
            }
            self.index[d] = 0;
        }
        Some(cell)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_take_every_element_once() -> crate::Result<()> {
        for step in 1..9 {
            for start in 0..6 {
                let region = Region {
                    start: Dims::new(&[start, 1])?,
                    count: Dims::new(&[(30 - start - 1) / step + 1, 4])?,
                    step: Dims::new(&[step, 2])?,
                    picked: None,
                };
                let mut pieces = Pieces::default();
                pieces.fill(&region, &Dims::new(&[4, 3])?);
                let mut rows = Vec::new();
                for cell in pieces.range(0, pieces.len()) {
                    if cell.at[1] != 0 {
                        continue;
                    }
                    assert_eq!(cell.at[0], rows.len());
                    for k in 0..cell.region.count[0] {
                        rows.push(cell.coords[0] * 4 + cell.region.start[0] + k * step);
                    }
                }
                let expected: Vec<_> = (0..region.count[0]).map(|k| start + k * step).collect();
                assert_eq!(rows, expected);
            }
        }
        Ok(())
    }
}
