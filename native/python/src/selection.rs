//! Selections as Python gives them: a box, and tables of points for some of its dimensions.

use anyzarr_core::grid::Pieces;
use anyzarr_core::tables::{Points, Tables};
use anyzarr_core::{Dims, Error, Plan, Region, Result, View, pool};
use pyo3::prelude::*;

use crate::buffer::Buffer;

/// A table as it is handed over: dimensions, an index array for each, shape of the table.
pub type Asked<'py> = (Vec<usize>, Vec<Bound<'py, PyAny>>, Vec<usize>);

struct Table {
    dims: Vec<usize>,
    coords: Vec<Buffer>,
    shape: Vec<usize>,
}

/// What is selected; the arrays of points are held, and looked at without the interpreter.
pub struct Selection {
    start: Vec<usize>,
    stop: Vec<usize>,
    step: Vec<usize>,
    tables: Vec<Table>,
}

impl Selection {
    /// Take hold of the arrays.
    pub fn new(
        start: Vec<usize>,
        stop: Vec<usize>,
        step: Vec<usize>,
        points: Option<Vec<Asked<'_>>>,
    ) -> PyResult<Self> {
        let hold = |(dims, arrays, shape): Asked<'_>| {
            let coords = arrays.iter().map(|array| Buffer::new(array, false));
            Ok(Table { dims, coords: coords.collect::<PyResult<_>>()?, shape })
        };
        let tables = points.unwrap_or_default().into_iter().map(hold).collect::<PyResult<_>>()?;
        Ok(Self { start, stop, step, tables })
    }

    /// Call `work` with the selection and the place for it in memory.
    ///
    /// The view is valid for the selection for as long as the buffer is held.
    pub fn with<T>(
        &self,
        plan: &Plan,
        buffer: &Buffer,
        work: impl FnOnce(&Region, &View) -> Result<T>,
    ) -> Result<T> {
        pool::guarded(|| self.unguarded(plan, buffer, work))
    }

    fn unguarded<T>(
        &self,
        plan: &Plan,
        buffer: &Buffer,
        work: impl FnOnce(&Region, &View) -> Result<T>,
    ) -> Result<T> {
        let region = region(&self.start, &self.stop, &self.step)?;
        if region.count.len() != plan.shape.len() {
            return Err(Error::invalid(format!(
                "a selection of {} dimensions is needed",
                plan.shape.len()
            )));
        }
        if self.tables.is_empty() {
            return work(&region, &buffer.view(&region.count, plan.itemsize)?);
        }
        let points = self.tables.iter().map(Table::points).collect::<Result<Vec<_>>>()?;
        buffer.check(&Tables::layout(&region, &points)?, plan.itemsize)?;
        let (tables, strides) = Tables::new(plan, points, buffer.strides())?;
        let all = Pieces::of_tables(tables);
        work(&all.region(&region), &buffer.view_at_first(strides))
    }
}

impl Table {
    fn points(&self) -> Result<Points> {
        let coords = self.coords.iter().map(Buffer::indices).collect::<Result<_>>()?;
        Ok(Points { dims: self.dims.clone(), coords, shape: self.shape.clone() })
    }
}

/// A box as the core knows it.
fn region(start: &[usize], stop: &[usize], step: &[usize]) -> Result<Region<'static>> {
    if start.len() != stop.len() || start.len() != step.len() || step.contains(&0) {
        return Err(Error::invalid("a box has a start, a stop and a positive step per dimension"));
    }
    let counts: Vec<usize> = start
        .iter()
        .zip(stop)
        .zip(step)
        .map(|((&a, &b), &s)| b.saturating_sub(a).div_ceil(s))
        .collect();
    Ok(Region {
        start: Dims::new(start)?,
        count: Dims::new(&counts)?,
        step: Dims::new(step)?,
        picked: None,
    })
}
