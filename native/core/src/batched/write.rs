//! Writing selections: encode a batch on all threads, then put it.

use std::sync::Mutex;

use super::{BATCH_BYTES, BATCH_REQUESTS, INLINE_BYTES, Objects};
use crate::buffer::Output;
use crate::encode::{Patch, encode};
use crate::error::{Error, Result};
use crate::grid::{Cell, Pieces, Region};
use crate::memory::View;
use crate::plan::Plan;
use crate::pool;
use crate::storage::{Storage, get_all};
use crate::write::{Options, encode_shard_runs, patch_of};

/// Write memory to a selection.
///
/// # Errors
/// The selection leaves the array; a chunk that is written in part is corrupt (the error names it,
/// and it is left as it is); the storage fails.
///
/// # Safety
/// `value` is valid for the elements of the region, to read, until this returns.
pub unsafe fn write<S: Storage>(
    plan: &Plan,
    objects: &Objects<'_, S>,
    region: &Region,
    value: &View,
    options: Options,
) -> Result<()> {
    plan.check(region)?;
    if region.is_empty() {
        return Ok(());
    }
    let mut pieces = Pieces::default();
    pieces.fill(region, &plan.cells);
    let bytes = region.len().saturating_mul(plan.cost);
    let threads = if bytes <= INLINE_BYTES / 2 { 1 } else { options.threads };
    let options = Options { threads, ..options };
    let size = (BATCH_BYTES / plan.chain.cost.max(1)).clamp(1, BATCH_REQUESTS);
    let mut from = 0;
    while from < pieces.len() {
        let cells: Vec<Cell> = pieces.range(from, pieces.len().min(from + size)).collect();
        write_batch(plan, objects, &cells, value, options)?;
        from += size;
    }
    Ok(())
}

fn write_batch<S: Storage>(
    plan: &Plan,
    objects: &Objects<'_, S>,
    cells: &[Cell],
    value: &View,
    options: Options,
) -> Result<()> {
    let patches: Vec<Patch> = cells.iter().map(|cell| patch_of(plan, cell, value)).collect();
    let partial: Vec<usize> = (0..cells.len()).filter(|&n| !patches[n].is_whole()).collect();
    let keys: Vec<_> = partial.iter().map(|&n| objects.key(plan, &cells[n].coords)).collect();
    let mut before: Vec<Option<S::Blob>> = cells.iter().map(|_| None).collect();
    if !keys.is_empty() {
        for (&number, found) in partial.iter().zip(get_all(objects.storage, keys)?) {
            before[number] = found;
        }
    }
    let encoded: Vec<Mutex<Option<Vec<u8>>>> = cells.iter().map(|_| Mutex::default()).collect();
    let keep = |item: usize, bytes: Option<Vec<u8>>| {
        *encoded[item].lock().unwrap_or_else(std::sync::PoisonError::into_inner) = bytes;
    };
    let located = |item: usize, error: Error| {
        let coords = &cells[item].coords;
        error.located(&plan.key(coords), coords)
    };
    let chain = |item: usize| plan.chain_of(&cells[item].coords);
    if plan.chain.open_shard().is_some() && cells.len() < options.threads {
        for item in 0..cells.len() {
            let before = before[item].as_ref().map(AsRef::as_ref);
            let runs = chain(item)
                .and_then(|chain| encode_shard_runs(plan, &chain, &patches[item], before, options))
                .map_err(|error| located(item, error))?;
            keep(item, runs.map(|runs| runs.joined()));
        }
    } else {
        pool::run(options.threads, cells.len(), |arena, item| {
            let mut out = Output::default();
            let before = before[item].as_ref().map(AsRef::as_ref);
            let (patch, keep_empty) = (&patches[item], options.keep_empty);
            let is_stored = chain(item)
                .and_then(|chain| encode(plan, &chain, patch, before, keep_empty, arena, &mut out))
                .map_err(|error| located(item, error))?;
            keep(item, is_stored.then(|| out.bytes().to_vec()));
            Ok(())
        })?;
    }
    let bytes = encoded
        .into_iter()
        .map(|slot| slot.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner));
    let keys = cells.iter().map(|cell| objects.key(plan, &cell.coords));
    objects.storage.put_many(keys.zip(bytes).collect())
}
