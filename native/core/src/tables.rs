//! Tables of indices: points over some of the dimensions of an array.
//!
//! The points are checked and sorted once, by the unit that holds them on every level (chunk,
//! subchunk, …), so that what one unit holds is always a run of the table.

use crate::dims::{Dims, product};
use crate::error::{Error, Result};
use crate::grid::Region;
use crate::plan::{Body, Chain, Plan};

/// Points over some dimensions, of any order, repeated ones included.
#[derive(Clone, Debug, Default)]
pub struct Points {
    /// The dimensions, ascending.
    pub dims: Vec<usize>,
    /// Per dimension the indices of all points, in C order of `shape`.
    pub coords: Vec<Vec<usize>>,
    /// Shape of the table: the axes that it takes in memory.
    pub shape: Vec<usize>,
}

/// The points of one table, sorted.
#[derive(Debug)]
pub(crate) struct Table {
    pub dims: Vec<usize>,
    /// Per dimension the indices of all points.
    pub coords: Vec<Vec<usize>>,
    /// Where each point lies in memory, in bytes from the first.
    pub memory: Vec<isize>,
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
        let levels = levels(&plan.chain);
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
    if !fits || !ascending || table.dims.is_empty() || table.dims.len() != table.coords.len() {
        return Err(Error::invalid("a table has ascending dimensions and an index for each point"));
    }
    for (&dim, coords) in table.dims.iter().zip(&table.coords) {
        let size = plan.shape.get(dim).copied().unwrap_or(0);
        if let Some(index) = coords.iter().find(|&&index| index >= size) {
            return Err(Error::invalid(format!(
                "index {index} is out of bounds in dimension {dim} of size {size}"
            )));
        }
    }
    Ok(())
}

/// The shapes of chunk, subchunk, …, in the order of the array's dimensions.
fn levels(chain: &Chain) -> Vec<Dims> {
    let mut all = vec![chain.shape];
    let mut axes = Dims::from_fn(chain.shape.len(), |d| d);
    let mut chain = chain;
    while let Body::Shard(shard) = &chain.body {
        if let Some(order) = &chain.order {
            axes = axes.permuted(order);
        }
        let mut shape = axes;
        for (axis, &dim) in axes.iter().enumerate() {
            shape[dim] = shard.inner.shape[axis];
        }
        all.push(shape);
        chain = &shard.inner;
    }
    all
}

fn sorted(table: Points, strides: &[isize], levels: &[Dims]) -> Result<Table> {
    let memory = offsets(&table.shape, strides);
    let count = u32::try_from(memory.len())
        .map_err(|_| Error::unsupported("a table of 2**32 points or more is not covered"))?;
    let mut order: Vec<u32> = (0..count).collect();
    let mut scratch: Vec<Vec<(u64, u32)>> = levels.iter().map(|_| Vec::new()).collect();
    if arrange(&mut order, &table, levels, &mut scratch) {
        return Ok(Table { dims: table.dims, coords: table.coords, memory });
    }
    let coords = table.coords.iter();
    Ok(Table {
        dims: table.dims,
        coords: coords.map(|c| order.iter().map(|&i| c[i as usize]).collect()).collect(),
        memory: order.iter().map(|&i| memory[i as usize]).collect(),
    })
}

/// Byte offsets of the elements of an array in C order.
fn offsets(shape: &[usize], strides: &[isize]) -> Vec<isize> {
    let mut all = vec![0isize];
    for (&count, &stride) in shape.iter().zip(strides) {
        let along = |base: isize| {
            (0..count).map(move |i| base.wrapping_add(stride.wrapping_mul(i as isize)))
        };
        all = all.into_iter().flat_map(along).collect();
    }
    all
}

/// Sort points by their cell on each level, those of one cell staying in order; true if they
/// were sorted already.
fn arrange(
    order: &mut [u32],
    table: &Points,
    levels: &[Dims],
    scratch: &mut [Vec<(u64, u32)>],
) -> bool {
    let (Some((shape, finer)), Some((keys, rest))) =
        (levels.split_first(), scratch.split_first_mut())
    else {
        return true;
    };
    keys.clear();
    keys.extend(order.iter().map(|&point| (0, point)));
    for (&dim, coords) in table.dims.iter().zip(&table.coords) {
        // The product of all grid extents fits: the number of elements does.
        let edge = shape[dim] as u64;
        let most = order.iter().map(|&i| coords[i as usize]).max().unwrap_or(0) as u64 / edge;
        for (key, point) in keys.iter_mut() {
            *key = *key * (most + 1) + coords[*point as usize] as u64 / edge;
        }
    }
    let mut was_sorted = keys.is_sorted_by_key(|&(key, _)| key);
    if !was_sorted {
        keys.sort_by_key(|&(key, _)| key);
        for (place, &(_, point)) in order.iter_mut().zip(&*keys) {
            *place = point;
        }
    }
    if !finer.is_empty() {
        let mut order = order;
        for run in keys.chunk_by(|a, b| a.0 == b.0) {
            let (points, after) = order.split_at_mut(run.len());
            was_sorted &= arrange(points, table, finer, rest);
            order = after;
        }
    }
    was_sorted
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
        let made = |dims: &[usize], coords: &[&[usize]], shape: &[usize]| Points {
            dims: dims.to_vec(),
            coords: coords.iter().map(|c| c.to_vec()).collect(),
            shape: shape.to_vec(),
        };
        for bad in [
            made(&[0], &[&[20]], &[1]),
            made(&[0], &[&[usize::MAX]], &[1]),
            made(&[2], &[&[0]], &[1]),
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
    fn offsets_are_those_of_c_order() {
        assert_eq!(offsets(&[2, 3], &[100, -4]), [0, -4, -8, 100, 96, 92]);
        assert_eq!(offsets(&[], &[]), [0]);
        assert_eq!(offsets(&[2, 0], &[1, 1]), [0; 0]);
    }
}
