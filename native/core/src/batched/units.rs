//! What answers are made into, and done with on all threads.

use std::sync::{Arc, Mutex, PoisonError};

use super::INLINE_BYTES;
use super::tickets::Chunk;
use crate::arena::Arena;
use crate::decode::{in_subchunk, place, place_fill};
use crate::error::{Kind, Result};
use crate::grid::Cell;
use crate::memory::View;
use crate::plan::Plan;
use crate::pool;

/// What is done with answers, on any thread.
pub struct Target<'a> {
    pub plan: &'a Plan,
    pub out: &'a View,
    pub threads: usize,
}

/// Something to be decoded, or filled in.
pub struct Unit<'a, B> {
    pub chunk: Arc<Chunk<'a>>,
    /// Number of the subchunk among the pieces, or None for the chunk.
    pub sub: Option<usize>,
    /// The object's bytes and where in them the unit lies, or None where it is not stored.
    pub data: Option<(Arc<B>, usize, usize)>,
    /// Whether what does not decode is corrupt beyond doubt.
    pub is_final: bool,
}

impl<'a, B> Unit<'a, B> {
    pub fn empty(chunk: &Arc<Chunk<'a>>, sub: Option<usize>) -> Self {
        Self { chunk: Arc::clone(chunk), sub, data: None, is_final: true }
    }
}

impl<'a> Target<'a> {
    /// Say in which chunk it happened.
    pub fn located<T>(&self, cell: &Cell, result: Result<T>) -> Result<T> {
        result.map_err(|error| error.located(&self.plan.key(&cell.coords), &cell.coords))
    }

    /// Do the units; return the chunks that must be looked at again.
    pub fn finish<B: AsRef<[u8]> + Send + Sync>(
        &self,
        units: &[Unit<'a, B>],
    ) -> Result<Vec<Arc<Chunk<'a>>>> {
        let chain = &self.plan.chain;
        let unit_bytes = chain.open_shard().map_or(chain.cost, |shard| shard.inner.cost);
        let is_small = units.len().saturating_mul(unit_bytes) <= INLINE_BYTES;
        let failed = Mutex::new(Vec::new());
        pool::run(if is_small { 1 } else { self.threads }, units.len(), |arena, item| {
            let unit = &units[item];
            match self.place(unit, arena) {
                Err(error) if error.kind() == Kind::Corrupt && !unit.is_final => {
                    failed
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(Arc::clone(&unit.chunk));
                    Ok(())
                }
                placed => self.located(&unit.chunk.cell, placed),
            }
        })?;
        Ok(failed.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn place<B: AsRef<[u8]>>(&self, unit: &Unit<'_, B>, arena: &mut Arena) -> Result<()> {
        let (plan, chunk) = (self.plan, &*unit.chunk);
        let data = unit
            .data
            .as_ref()
            .map(|(data, start, stop)| (**data).as_ref().get(*start..*stop).unwrap_or_default());
        let (Some(subs), Some(shard), Some(number)) =
            (&chunk.subs, chunk.chain.open_shard(), unit.sub)
        else {
            let view = self.out.at(&chunk.cell.at);
            return match data {
                None => {
                    place_fill(plan, &chunk.cell.region, &view);
                    Ok(())
                }
                Some(data) => place(plan, &chunk.chain, data, &chunk.cell.region, &view, arena),
            };
        };
        let Some(sub) = subs.pieces.one(number) else { return Ok(()) };
        let view = subs.view.at(&sub.at);
        match data {
            None => {
                place_fill(plan, &sub.region, &view);
                Ok(())
            }
            Some(data) => place(plan, &shard.inner, data, &sub.region, &view, arena)
                .map_err(|error| in_subchunk(error, &sub.coords)),
        }
    }
}
