//! Reading and writing selections through a [`Storage`]: fetch a batch, decode it on all threads.
//!
//! Of shards, the index is fetched first, unless most of the shard is wanted, and then the
//! ranges of the wanted subchunks; the storage merges them and runs them at once. What does not
//! fit together is fetched again as a whole before it is called corrupt: between two requests
//! another writer may have replaced the shard.
#![allow(unsafe_code)] // public functions take `View`s, whose makers vouch for them

use std::sync::Mutex;

use crate::arena::Arena;
use crate::buffer::Output;
use crate::decode::{in_subchunk, place, place_fill};
use crate::dims::product;
use crate::encode::{Patch, encode};
use crate::error::{Error, Kind, Result};
use crate::grid::{Cell, Pieces, Region};
use crate::memory::View;
use crate::plan::{Plan, Shard};
use crate::pool;
use crate::storage::{Range, Storage};
use crate::write::{Options, encode_shard_runs, patch_of};

/// Most decoded bytes of one batch, so that the memory of a read stays bounded.
const BATCH_BYTES: usize = 64 << 20;

/// Most requests of one batch.
const BATCH_REQUESTS: usize = 1024;

/// Shards that decode to more are fetched in ranges, however much of them is wanted.
const WHOLE_SHARD_BYTES: usize = 64 << 20;

/// Below this, other threads take longer to wake than the work takes.
const INLINE_BYTES: usize = 256 << 10;

/// One array in a storage: chunk `key` is the object `prefix + key`.
pub struct Objects<'a, S: Storage> {
    /// Where the objects are.
    pub storage: &'a S,
    /// Path of the array, ending in `/`, or empty.
    pub prefix: &'a str,
}

impl<S: Storage> Objects<'_, S> {
    fn key(&self, plan: &Plan, coords: &[usize]) -> String {
        let mut key = self.prefix.to_owned();
        plan.push_key(&mut key, coords);
        key
    }

    fn get(&self, requests: &[(String, Range)]) -> Result<Vec<Option<S::Blob>>> {
        let found = self.storage.get_many(requests)?;
        if found.len() == requests.len() {
            return Ok(found);
        }
        Err(Error::new(
            Kind::Storage,
            "the store gave another number of results than was asked for",
        ))
    }
}

/// Read a selection into memory.
///
/// # Errors
/// The selection leaves the array; a chunk is corrupt (the error names it); the storage fails.
///
/// # Safety
/// `out` is valid for the elements of the region, to write, until this returns.
pub unsafe fn read<S: Storage>(
    plan: &Plan,
    objects: &Objects<'_, S>,
    region: &Region,
    out: &View,
    threads: usize,
) -> Result<()> {
    plan.check(region)?;
    if region.is_empty() {
        return Ok(());
    }
    let mut pieces = Pieces::default();
    pieces.fill(region, &plan.chain.shape);
    let reader = Reader { plan, objects, out, threads };
    let size = (BATCH_BYTES / plan.chain.bytes.max(1)).clamp(1, BATCH_REQUESTS);
    let mut from = 0;
    while from < pieces.len() {
        let cells: Vec<Cell> = pieces.range(from, pieces.len().min(from + size)).collect();
        match plan.chain.open_shard() {
            Some(shard) => reader.read_shards(shard, &cells)?,
            None => reader.read_chunks(&cells)?,
        }
        from += size;
    }
    Ok(())
}

struct Reader<'a, S: Storage> {
    plan: &'a Plan,
    objects: &'a Objects<'a, S>,
    out: &'a View,
    threads: usize,
}

/// A wanted subchunk of a shard of the batch.
struct Wanted {
    shard: usize,
    start: u64,
    stop: u64,
    /// Its number among the wanted ones of the shard.
    number: usize,
}

/// A shard of the batch, and what is wanted of it.
struct Part<'a> {
    cell: &'a Cell<'a>,
    pieces: Pieces,
}

impl<S: Storage> Reader<'_, S> {
    fn threads(&self, units: usize, unit_bytes: usize) -> usize {
        if units.saturating_mul(unit_bytes) <= INLINE_BYTES { 1 } else { self.threads }
    }

    fn located<T>(&self, cell: &Cell, result: Result<T>) -> Result<T> {
        result.map_err(|error| error.located(&self.plan.key(&cell.coords), &cell.coords))
    }

    fn place(&self, cell: &Cell, data: Option<&[u8]>, arena: &mut Arena) -> Result<()> {
        let view = self.out.at(&cell.at);
        let Some(data) = data else {
            place_fill(self.plan, &cell.region, &view);
            return Ok(());
        };
        self.located(cell, place(self.plan, &self.plan.chain, data, &cell.region, &view, arena))
    }

    fn read_chunks(&self, cells: &[Cell]) -> Result<()> {
        let requests: Vec<_> =
            cells.iter().map(|c| (self.objects.key(self.plan, &c.coords), Range::All)).collect();
        let found = self.objects.get(&requests)?;
        let threads = self.threads(cells.len(), self.plan.chain.bytes);
        pool::run(threads, cells.len(), |arena, item| {
            self.place(&cells[item], found[item].as_ref().map(AsRef::as_ref), arena)
        })
    }

    fn read_shards(&self, shard: &Shard, cells: &[Cell]) -> Result<()> {
        let index = match (shard.index.at_start, shard.index.bytes() as u64) {
            (true, size) => Range::Span(0, size),
            (false, size) => Range::Last(size),
        };
        let parts: Vec<Part> = cells.iter().map(|cell| self.part(shard, cell)).collect();
        let fits = self.plan.chain.bytes <= WHOLE_SHARD_BYTES;
        let ask = |part: &Part| {
            let is_mostly_wanted = 2 * part.pieces.len() > shard.index.entries;
            let range = if fits && is_mostly_wanted { Range::All } else { index };
            (self.objects.key(self.plan, &part.cell.coords), range)
        };
        let requests: Vec<_> = parts.iter().map(ask).collect();
        let found = self.objects.get(&requests)?;
        // Whole shards are decoded subchunk by subchunk, to share them out evenly.
        let mut wanted = Vec::new();
        for (number, (part, data)) in parts.iter().zip(&found).enumerate() {
            let cell = part.cell;
            match data {
                None => place_fill(self.plan, &cell.region, &self.out.at(&cell.at)),
                Some(data) => {
                    let whole = requests[number].1 == Range::All;
                    let all = self.wanted(shard, number, part, data.as_ref(), whole, &mut wanted);
                    self.located(cell, all)?;
                }
            }
        }
        let (at_hand, apart): (Vec<_>, Vec<_>) =
            wanted.into_iter().partition(|want| requests[want.shard].1 == Range::All);
        pool::run(self.threads(at_hand.len(), shard.inner.bytes), at_hand.len(), |arena, item| {
            let want = &at_hand[item];
            let data = found[want.shard].as_ref().map_or(&[][..], AsRef::as_ref);
            let data = data.get(want.start as usize..want.stop as usize).unwrap_or_default();
            let part = &parts[want.shard];
            self.located(part.cell, self.place_sub(shard, part, want, data, arena))
        })?;
        let most = (BATCH_BYTES / shard.inner.bytes.max(1)).clamp(1, BATCH_REQUESTS);
        apart.chunks(most).try_for_each(|batch| self.read_apart(shard, &parts, batch))
    }

    fn part<'a>(&self, shard: &Shard, cell: &'a Cell<'a>) -> Part<'a> {
        let (region, _) = self.plan.chain.stored(&cell.region, self.out);
        let mut pieces = Pieces::default();
        pieces.fill(&region, &shard.inner.shape);
        Part { cell, pieces }
    }

    /// Find the wanted subchunks of a shard; fill in those that are not stored.
    fn wanted(
        &self,
        shard: &Shard,
        number: usize,
        part: &Part,
        data: &[u8],
        whole: bool,
        wanted: &mut Vec<Wanted>,
    ) -> Result<()> {
        let encoded = if whole { shard.index.find(data)? } else { data };
        let mut index = Vec::new();
        shard.index.decode(encoded, &mut index)?;
        // The size of a shard of which only the index was fetched is not known.
        let length = if whole { data.len() as u64 } else { i64::MAX as u64 };
        let (_, view) = self.plan.chain.stored(&part.cell.region, &self.out.at(&part.cell.at));
        for (sub_number, sub) in part.pieces.range(0, part.pieces.len()).enumerate() {
            match index[shard.number(&sub.coords)].range(length)? {
                None => place_fill(self.plan, &sub.region, &view.at(&sub.at)),
                Some((start, stop)) => {
                    wanted.push(Wanted { shard: number, start, stop, number: sub_number })
                }
            }
        }
        Ok(())
    }

    fn place_sub(
        &self,
        shard: &Shard,
        part: &Part,
        want: &Wanted,
        data: &[u8],
        arena: &mut Arena,
    ) -> Result<()> {
        let Some(sub) = part.pieces.one(want.number) else { return Ok(()) };
        let (_, view) = self.plan.chain.stored(&part.cell.region, &self.out.at(&part.cell.at));
        place(self.plan, &shard.inner, data, &sub.region, &view.at(&sub.at), arena)
            .map_err(|error| in_subchunk(error, &sub.coords))
    }

    fn read_apart(&self, shard: &Shard, parts: &[Part], batch: &[Wanted]) -> Result<()> {
        let ask = |want: &Wanted| {
            let key = self.objects.key(self.plan, &parts[want.shard].cell.coords);
            (key, Range::Span(want.start, want.stop))
        };
        let found = self.objects.get(&batch.iter().map(ask).collect::<Vec<_>>())?;
        let failed = Mutex::new(Vec::new());
        let threads = self.threads(batch.len(), shard.inner.bytes);
        pool::run(threads, batch.len(), |arena, item| {
            let want = &batch[item];
            let data = found[item].as_ref().map(AsRef::as_ref);
            let data = data.filter(|d: &&[u8]| d.len() as u64 == want.stop - want.start);
            let placed = data.map(|d| self.place_sub(shard, &parts[want.shard], want, d, arena));
            match placed {
                Some(Ok(())) => {}
                Some(Err(error)) if error.kind() != Kind::Corrupt => return Err(error),
                _ => failed
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner)
                    .push(want.shard),
            }
            Ok(())
        })?;
        let mut again = failed.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        again.sort_unstable();
        again.dedup();
        again
            .into_iter()
            .try_for_each(|number| self.read_chunks(std::slice::from_ref(parts[number].cell)))
    }
}

/// Write memory to a selection.
///
/// # Errors
/// The selection leaves the array; a chunk that is written in part is corrupt (the error names it, and
/// it is left as it is); the storage fails.
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
    pieces.fill(region, &plan.chain.shape);
    let bytes = product(&region.count).map_or(usize::MAX, |n| n.saturating_mul(plan.itemsize));
    let threads = if bytes <= INLINE_BYTES / 2 { 1 } else { options.threads };
    let options = Options { threads, ..options };
    let size = (BATCH_BYTES / plan.chain.bytes.max(1)).clamp(1, BATCH_REQUESTS);
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
    let requests: Vec<_> =
        partial.iter().map(|&n| (objects.key(plan, &cells[n].coords), Range::All)).collect();
    let mut before: Vec<Option<S::Blob>> = cells.iter().map(|_| None).collect();
    if !requests.is_empty() {
        for (&number, found) in partial.iter().zip(objects.get(&requests)?) {
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
    match plan.chain.open_shard() {
        Some(shard) if cells.len() < options.threads => {
            for item in 0..cells.len() {
                let before = before[item].as_ref().map(AsRef::as_ref);
                let runs = encode_shard_runs(plan, shard, &patches[item], before, options)
                    .map_err(|error| located(item, error))?;
                keep(item, runs.map(|runs| runs.joined()));
            }
        }
        _ => pool::run(options.threads, cells.len(), |arena, item| {
            let mut out = Output::default();
            let before = before[item].as_ref().map(AsRef::as_ref);
            let (chain, keep_empty) = (&plan.chain, options.keep_empty);
            let is_stored =
                encode(plan, chain, &patches[item], before, keep_empty, arena, &mut out)
                    .map_err(|error| located(item, error))?;
            keep(item, is_stored.then(|| out.bytes().to_vec()));
            Ok(())
        })?,
    }
    let bytes = encoded
        .into_iter()
        .map(|slot| slot.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner));
    let keys = cells.iter().map(|cell| objects.key(plan, &cell.coords));
    objects.storage.put_many(keys.zip(bytes).collect())
}
