//! Tables of indices: points over some of the dimensions of an array.
//!
//! The points are checked and sorted once, by the unit that holds them on every level (chunk,
//! subchunk, …), so that what one unit holds is always a run of the table.

use crate::dims::{Dims, product};
use crate::error::{Error, Result};
use crate::grid::Region;
use crate::plan::{Axis, Body, Cells, Plan};

/// Points over some dimensions, of any order, repeated ones included.
#[derive(Clone, Debug, Default)]
pub struct Points {
    /// The dimensions, ascending.
    pub dims: Vec<usize>,
    /// Per dimension the indices of all points, in C order of `shape`.
    pub coords: Vec<Vec<u32>>,
    /// Shape of the table: the axes that it takes in memory.
    pub shape: Vec<usize>,
}

/// The points of one table, sorted.
#[derive(Debug)]
pub(crate) struct Table {
    pub dims: Vec<usize>,
    /// Per dimension the indices of all points.
    pub coords: Vec<Vec<u32>>,
    /// Which point of the table as it was given each one is.
    pub numbers: Vec<u32>,
    pub memory: Memory,
}

/// Where the points of a table as it was given lie in memory, in bytes from the first.
#[derive(Debug)]
pub(crate) enum Memory {
    /// So far from each other.
    Even(isize),
    /// There.
    Each(Vec<isize>),
}

/// All tables of a selection.
#[derive(Debug)]
pub struct Tables {
    pub(crate) all: Vec<Table>,
}

impl Tables {
    /// Shape in memory of a box with some dimensions taken from tables: dimension by dimension,
    /// the axes of a table where its first dimension is.
    ///
    /// # Errors
    /// A dimension stands in two tables.
    pub fn layout(region: &Region, points: &[Points]) -> Result<Vec<usize>> {
        let mut shape = Vec::new();
        for (dim, &count) in region.count.iter().enumerate() {
            let mut holders = points.iter().filter(|table| table.dims.contains(&dim));
            match (holders.next(), holders.next()) {
                (None, _) => shape.push(count),
                (Some(table), None) if table.dims.first() == Some(&dim) => {
                    shape.extend(&table.shape);
                }
                (Some(_), None) => {}
                _ => return Err(Error::invalid(format!("dimension {dim} stands in two tables"))),
            }
        }
        Ok(shape)
    }

    /// Check and sort points; `strides` are those of memory of the shape [`Tables::layout`] gives.
    ///
    /// With them come the strides of the dimensions that are in no table; those of others are 0.
    ///
    /// # Errors
    /// An index is out of bounds, or a table is no table of points of the array.
    pub fn new(plan: &Plan, points: Vec<Points>, strides: &[isize]) -> Result<(Self, Dims<isize>)> {
        let ndim = plan.shape.len();
        for table in &points {
            check(plan, table)?;
        }
        let mut left = strides.iter().copied();
        let mut of_dims = Dims::filled(ndim, 0isize);
        let mut of_tables: Vec<Vec<isize>> = points.iter().map(|_| Vec::new()).collect();
        for dim in 0..ndim {
            match points.iter().position(|table| table.dims.contains(&dim)) {
                None => of_dims[dim] = left.next().unwrap_or(0),
                Some(number) if points[number].dims[0] == dim => {
                    let ndim = points[number].shape.len();
                    of_tables[number] = left.by_ref().take(ndim).collect();
                }
                Some(_) => {}
            }
        }
        let levels = levels(plan);
        let all = points.into_iter().zip(of_tables);
        let all = all
            .map(|(table, strides)| sorted(table, &strides, &levels))
            .collect::<Result<Vec<_>>>()?;
        Ok((Self { all }, of_dims))
    }
}

fn check(plan: &Plan, table: &Points) -> Result<()> {
    let fits = product(&table.shape).is_some_and(|n| table.coords.iter().all(|c| c.len() == n));
    let ascending = table.dims.windows(2).all(|pair| pair[0] < pair[1]);
    let known = table.dims.last().is_some_and(|&dim| dim < plan.shape.len());
    if !fits || !ascending || !known || table.dims.len() != table.coords.len() {
        return Err(Error::invalid("a table has ascending dimensions and an index for each point"));
    }
    for (&dim, coords) in table.dims.iter().zip(&table.coords) {
        let size = plan.shape.get(dim).copied().unwrap_or(0);
        let largest = coords.iter().max().map_or(0, |&index| index as usize);
        if let Some(index) = (largest >= size && !coords.is_empty()).then_some(largest) {
            return Err(Error::invalid(format!(
                "index {index} is out of bounds in dimension {dim} of size {size}"
            )));
        }
    }
    Ok(())
}

/// How an array is divided on one level, in the order of its dimensions.
enum Level<'a> {
    Chunks(&'a Cells),
    Subchunks(Dims),
}

/// How chunks, subchunks, … divide the array.
fn levels(plan: &Plan) -> Vec<Level<'_>> {
    let mut all = vec![Level::Chunks(&plan.cells)];
    let mut axes = Dims::from_fn(plan.shape.len(), |d| d);
    // Subchunks have the same shape in all chunks, and divide them.
    let mut chain = &plan.chain;
    while let Body::Shard(shard) = &chain.body {
        if let Some(order) = &chain.order {
            axes = axes.permuted(order);
        }
        let mut shape = axes;
        for (axis, &dim) in axes.iter().enumerate() {
            shape[dim] = shard.inner.shape[axis];
        }
        all.push(Level::Subchunks(shape));
        chain = &shard.inner;
    }
    all
}

impl Level<'_> {
    fn division(&self, dim: usize) -> Divided<'_> {
        match self {
            Self::Subchunks(shape) => Divided::new(shape[dim]),
            Self::Chunks(cells) => match cells.axis(dim) {
                Axis::Every(edge) => Divided::new(*edge),
                Axis::At(bounds) => Divided::At(bounds),
            },
        }
    }
}

fn sorted(table: Points, strides: &[isize], levels: &[Level<'_>]) -> Result<Table> {
    let count = table.coords.first().map_or(0, Vec::len);
    let count = u32::try_from(count)
        .map_err(|_| Error::unsupported("a table of 2**32 points or more is not covered"))?;
    let memory = Memory::new(&table.shape, strides);
    let mut sorter = Sorter::new(count);
    // The coarsest last: points of one cell keep the order that they have by then.
    for level in levels.iter().rev() {
        sorter.sort(&table, level);
    }
    let numbers = sorter.order;
    let mut coords = table.coords;
    if !sorter.was_sorted {
        for column in &mut coords {
            *column = numbers.iter().map(|&number| column[number as usize]).collect();
        }
    }
    Ok(Table { dims: table.dims, coords, numbers, memory })
}

impl Memory {
    /// For points in C order.
    fn new(shape: &[usize], strides: &[isize]) -> Self {
        let (mut all, mut even) = (vec![0isize], None);
        for (&count, &stride) in shape.iter().zip(strides).rev() {
            even = match even {
                _ if count == 1 => even,
                None => Some((stride, stride.wrapping_mul(count as isize))),
                Some((step, next)) if stride == next => {
                    Some((step, next.wrapping_mul(count as isize)))
                }
                Some(_) => {
                    all.clear();
                    break;
                }
            };
        }
        if !all.is_empty() {
            return Self::Even(even.map_or(0, |(step, _)| step));
        }
        all.push(0);
        for (&count, &stride) in shape.iter().zip(strides) {
            let mut next = Vec::with_capacity(all.len() * count);
            for base in all {
                next.extend((0..count).map(|i| base.wrapping_add(stride.wrapping_mul(i as isize))));
            }
            all = next;
        }
        Self::Each(all)
    }

    /// Where a point lies.
    #[inline]
    pub fn at(&self, number: u32) -> isize {
        match self {
            Self::Even(step) => step.wrapping_mul(number as isize),
            Self::Each(all) => all[number as usize],
        }
    }
}

/// Bits that one pass of sorting looks at.
const DIGIT: u32 = 11;

/// Points, by and by in the order of their cells.
struct Sorter {
    order: Vec<u32>,
    was_sorted: bool,
    /// The number of the cell of each point.
    cells: Vec<u64>,
    other: Vec<u32>,
}

impl Sorter {
    fn new(count: u32) -> Self {
        Self { order: (0..count).collect(), was_sorted: true, cells: Vec::new(), other: Vec::new() }
    }

    /// Sort points by their cell, in C order of the table's dimensions; those of one cell keep
    /// their order.
    fn sort(&mut self, table: &Points, level: &Level<'_>) {
        let cells = self.number_cells(table, level);
        let all = &self.cells;
        if self.order.is_sorted_by_key(|&point| all[point as usize]) {
            return;
        }
        self.was_sorted = false;
        self.other.resize(self.order.len(), 0);
        let bits = u64::BITS - cells.leading_zeros();
        for shift in (0..bits).step_by(DIGIT as usize) {
            self.sort_by_digit(shift);
        }
    }

    /// Number the cells of all points; return one more than the largest number there may be.
    fn number_cells(&mut self, table: &Points, level: &Level<'_>) -> u64 {
        self.cells.clear();
        self.cells.resize(self.order.len(), 0);
        let mut total = 1;
        for (&dim, coords) in table.dims.iter().zip(&table.coords) {
            let along = level.division(dim);
            // The product of all extents fits: the number of elements does.
            let extent = along.cell(coords.iter().max().copied().unwrap_or(0)) + 1;
            for (cell, &index) in self.cells.iter_mut().zip(coords) {
                *cell = *cell * extent + along.cell(index);
            }
            total *= extent;
        }
        total
    }

    fn sort_by_digit(&mut self, shift: u32) {
        let cells = &self.cells;
        let digit = |point: u32| (cells[point as usize] >> shift) as usize & ((1 << DIGIT) - 1);
        let mut next = [0usize; 1 << DIGIT];
        for &point in &self.order {
            next[digit(point)] += 1;
        }
        let mut start = 0;
        for slot in &mut next {
            start += std::mem::replace(slot, start);
        }
        for &point in &self.order {
            let slot = &mut next[digit(point)];
            self.other[*slot] = point;
            *slot += 1;
        }
        std::mem::swap(&mut self.order, &mut self.other);
    }
}

/// How cells divide 32-bit indices.
enum Divided<'a> {
    /// Into cells of one element.
    Ones,
    /// By a multiplication with `2**64 / edge`, rounded up.
    Inverse(u64),
    /// Where cells begin.
    At(&'a [usize]),
}

impl Divided<'_> {
    fn new(edge: usize) -> Self {
        match (u64::MAX / (edge as u64).max(1)).checked_add(1) {
            None => Self::Ones,
            Some(inverse) => Self::Inverse(inverse),
        }
    }

    /// The cell that holds an index; exact, as what the inverse was rounded up by adds less than
    /// `2**-32`.
    #[inline]
    fn cell(&self, index: u32) -> u64 {
        match self {
            Self::Ones => u64::from(index),
            Self::Inverse(inverse) => ((u128::from(*inverse) * u128::from(index)) >> 64) as u64,
            Self::At(bounds) => {
                bounds.partition_point(|&start| start <= index as usize).saturating_sub(1) as u64
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Shards of transposed subchunks.
    pub(crate) const DOCUMENT: &str = r#"{"shape": [20, 12], "data_type": "uint8",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [8, 6]}},
        "chunk_key_encoding": {"name": "default"},
        "codecs": [
            {"name": "transpose", "configuration": {"order": [1, 0]}},
            {"name": "sharding_indexed", "configuration": {
                "chunk_shape": [3, 4], "codecs": [{"name": "bytes"}],
                "index_codecs": [{"name": "bytes", "configuration": {"endian": "little"}}]}}]}"#;

    #[test]
    fn what_is_no_table_of_the_array_is_refused() -> Result<()> {
        let plan = Plan::compile(DOCUMENT, &[0], false)?;
        let made = |dims: &[usize], coords: &[&[u32]], shape: &[usize]| Points {
            dims: dims.to_vec(),
            coords: coords.iter().map(|c| c.to_vec()).collect(),
            shape: shape.to_vec(),
        };
        for bad in [
            made(&[0], &[&[20]], &[1]),
            made(&[0], &[&[u32::MAX]], &[1]),
            made(&[2], &[&[0]], &[1]),
            made(&[99], &[&[]], &[0]),
            made(&[1, 0], &[&[0], &[0]], &[1]),
            made(&[0, 1], &[&[0]], &[1]),
            made(&[0], &[&[0, 1]], &[1]),
            made(&[0], &[&[0, 1]], &[usize::MAX, 2]),
            made(&[], &[], &[]),
        ] {
            assert!(Tables::new(&plan, vec![bad], &[1]).is_err());
        }
        let table = || made(&[0], &[&[0]], &[1]);
        assert!(Tables::layout(&Region::full(&plan.shape), &[table(), table()]).is_err());
        Ok(())
    }

    #[test]
    fn places_in_memory_are_those_of_c_order() {
        let places = |shape: &[usize], strides: &[isize]| {
            let memory = Memory::new(shape, strides);
            let count = shape.iter().product::<usize>() as u32;
            (
                matches!(memory, Memory::Even(_)),
                (0..count).map(|i| memory.at(i)).collect::<Vec<_>>(),
            )
        };
        assert_eq!(places(&[2, 3], &[100, -4]), (false, vec![0, -4, -8, 100, 96, 92]));
        assert_eq!(places(&[2, 3], &[-12, -4]), (true, vec![0, -4, -8, -12, -16, -20]));
        assert_eq!(places(&[2, 1, 2], &[6, 99, 3]), (true, vec![0, 3, 6, 9]));
        assert_eq!(places(&[], &[]), (true, vec![0]));
        assert_eq!(places(&[1], &[7]), (true, vec![0]));
        assert_eq!(places(&[2, 0], &[1, 1]).1, [0; 0]);
    }

    #[test]
    fn quotients_are_exact() {
        let edges = (1..70).chain([4095, 65536, 99_999, u64::from(u32::MAX), 1 << 33, u64::MAX]);
        for divisor in edges {
            let edge = Divided::new(divisor as usize);
            let multiples = (0..70).chain([4096, 65536, 1 << 31, u64::from(u32::MAX)]);
            for number in multiples.flat_map(|n| {
                let multiple = n.saturating_mul(divisor);
                [multiple.saturating_sub(1), multiple, multiple.saturating_add(1)]
            }) {
                if let Ok(narrow) = u32::try_from(number) {
                    assert_eq!(edge.cell(narrow), number / divisor);
                }
            }
        }
    }
}
