//! Selections within one chunk of [`CHUNK`]: a box with steps, or tables of points.

use anyzarr_core::dims::c_strides;
use anyzarr_core::grid::Pieces;
use anyzarr_core::tables::{Points, Tables};
use anyzarr_core::{Dims, Plan, Region};

use crate::input::Input;

/// Shape of the chunk.
pub const CHUNK: [usize; 2] = [32, 24];

/// Bytes of an element.
pub const ITEM: usize = 2;

const MOST_POINTS: usize = 24;

/// What is selected.
pub struct Selected {
    region: Region<'static>,
    points: Vec<Points>,
    /// Its elements by their number in the chunk, in the order they have in memory.
    pub elements: Vec<usize>,
}

impl Selected {
    /// Take a selection from the input: a byte for its kind, start, count and step of two
    /// dimensions, the points.
    pub fn take(input: &mut Input<'_>) -> Self {
        let kind = input.byte();
        let region = region(input);
        let mut along = |dim: usize| -> Vec<usize> {
            let count = input.byte() % MOST_POINTS + 1;
            (0..count).map(|_| input.byte() % CHUNK[dim]).collect()
        };
        let table = |dims: &[usize], coords: Vec<Vec<usize>>| Points {
            dims: dims.to_vec(),
            shape: vec![coords[0].len()],
            coords: coords.iter().map(|c| c.iter().map(|&i| i as u32).collect()).collect(),
        };
        let mut axes = [0, 1].map(|d| {
            (0..region.count[d]).map(|i| region.start[d] + i * region.step[d]).collect::<Vec<_>>()
        });
        let mut points = Vec::new();
        match kind % 8 {
            1 | 2 => {
                let dim = kind % 8 - 1;
                axes[dim] = along(dim);
                points.push(table(&[dim], vec![axes[dim].clone()]));
            }
            3 => {
                axes = [along(0), along(1)];
                points = (0..2).map(|dim| table(&[dim], vec![axes[dim].clone()])).collect();
            }
            4 => {
                let rows = along(0);
                let columns = rows.iter().map(|_| input.byte() % CHUNK[1]).collect::<Vec<_>>();
                let elements = rows.iter().zip(&columns).map(|(r, c)| r * CHUNK[1] + c).collect();
                return Self {
                    region,
                    points: vec![table(&[0, 1], vec![rows, columns])],
                    elements,
                };
            }
            _ => {}
        }
        let [rows, columns] = &axes;
        let elements =
            rows.iter().flat_map(|row| columns.iter().map(move |c| row * CHUNK[1] + c)).collect();
        Self { region, points, elements }
    }

    /// Bytes of the selected elements.
    pub fn bytes(&self) -> usize {
        self.elements.len() * ITEM
    }

    /// Call `work` with the region as the core knows it, and the strides of memory for it.
    pub fn with<T>(&self, plan: &Plan, work: impl FnOnce(&Region, Dims<isize>) -> T) -> T {
        let layout = Tables::layout(&self.region, &self.points).and_then(|l| Dims::new(&l));
        let strides = c_strides(&layout.unwrap_or_else(|error| panic!("{error}")), plan.itemsize);
        if self.points.is_empty() {
            return work(&self.region, strides);
        }
        let (tables, strides) = Tables::new(plan, self.points.clone(), &strides)
            .unwrap_or_else(|error| panic!("{error}"));
        work(&Pieces::of_tables(tables).region(&self.region), strides)
    }

    /// The selected elements of a chunk.
    pub fn of(&self, chunk: &[u8]) -> Vec<u8> {
        self.elements.iter().flat_map(|n| [chunk[n * ITEM], chunk[n * ITEM + 1]]).collect()
    }

    /// A chunk with its selected elements replaced; of those selected twice, by the last.
    pub fn patched(&self, chunk: &[u8], new: &[u8]) -> Vec<u8> {
        let mut chunk = chunk.to_vec();
        for (element, value) in self.elements.iter().zip(new.chunks_exact(ITEM)) {
            chunk[element * ITEM..][..ITEM].copy_from_slice(value);
        }
        chunk
    }
}

fn region(input: &mut Input<'_>) -> Region<'static> {
    let start = Dims::from_fn(2, |d| input.byte() % CHUNK[d]);
    let step = Dims::from_fn(2, |_| input.byte() % 5 + 1);
    let most = Dims::from_fn(2, |d| (CHUNK[d] - 1 - start[d]) / step[d] + 1);
    let count = Dims::from_fn(2, |d| input.byte() % most[d] + 1);
    Region { start, count, step, picked: None }
}
