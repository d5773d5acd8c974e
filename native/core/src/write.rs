//! Writing selections to local files.
//!
//! A chunk that is replaced as a whole is never read. Of a shard that is written in part, the
//! touched subchunks are decoded and encoded again and the encoded bytes of the others are
//! copied. Subchunks are laid out in C order, so the same content gives the same file. A file
//! appears whole or not at all; chunks that are all fill value are removed.
//!
//! The caller keeps writers of one chunk apart.
#![allow(unsafe_code)] // the public function takes a `View`, whose maker vouches for it

use crate::arena::Arena;
use crate::dims::{Dims, product};
use crate::encode::{Patch, ShardPatch, encode, finish_index, reserve};
use crate::error::{Error, Kind, Result};
use crate::grid::{Cell, Pieces, Region};
use crate::local;
use crate::memory::View;
use crate::plan::{Chain, Plan, Shard};
use crate::pool;
use crate::read::Files;
use crate::shard::Entry;
use crate::shard_file::{Run, ShardFile, append_entries};
use crate::source::Source;

use std::sync::Mutex;

/// Below this, other threads take longer to wake than the work takes.
const INLINE_BYTES: usize = 128 << 10;

/// About how much of a large shard is encoded, and held, at a time by one thread.
const RUN_BYTES: usize = 4 << 20;

/// Most runs of one shard; a document may ask for more than there is memory.
const MOST_RUNS: usize = 4096;

/// Fewest subchunks that are worth a part of their own.
const PART_SUBCHUNKS: usize = 4;

/// What a write needs to know besides the elements.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Threads to use, the caller's included.
    pub threads: usize,
    /// Store chunks that are all fill value too.
    pub keep_empty: bool,
}

/// Write memory to a selection.
///
/// # Errors
/// The selection leaves the array; a chunk that is written in part is corrupt (the error names it, and
/// it is left as it is); the system refuses.
///
/// # Safety
/// `value` is valid for the elements of the region, to read, until this returns.
pub unsafe fn write(
    plan: &Plan,
    files: &Files,
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
    let chunks = pieces.len();
    let threads = if touched_bytes(plan, region) <= INLINE_BYTES { 1 } else { options.threads };
    let writer = Writer { plan, files, value, options: Options { threads, ..options } };
    if plan.chain.open_shard().is_some() && chunks < threads {
        return pieces
            .range(0, chunks)
            .try_for_each(|cell| writer.located(&cell, writer.write_shard(&cell)));
    }
    pool::run(threads, chunks, |arena, item| match pieces.one(item) {
        Some(cell) => writer.located(&cell, writer.write_chunk(&cell, arena)),
        None => Ok(()),
    })
}

/// About how many bytes are encoded.
fn touched_bytes(plan: &Plan, region: &Region) -> usize {
    let unit = plan.chain.open_shard().map_or(&plan.chain, |shard| &shard.inner);
    let shape = if plan.chain.order.is_some() { &plan.chain.shape } else { &unit.shape };
    let points = region.picked.map_or(1, |picked| picked.len());
    let each = plan.cost.saturating_mul(points);
    region.count.iter().zip(&**shape).fold(each, |total, (&count, &edge)| {
        total.saturating_mul(count.div_ceil(edge)).saturating_mul(edge)
    })
}

struct Writer<'a> {
    plan: &'a Plan,
    files: &'a Files,
    value: &'a View,
    options: Options,
}

impl Writer<'_> {
    fn located(&self, cell: &Cell, result: Result<()>) -> Result<()> {
        result.map_err(|error| error.located(&self.plan.key(&cell.coords), &cell.coords))
    }

    fn write_chunk(&self, cell: &Cell, arena: &mut Arena) -> Result<()> {
        let chain = self.plan.chain_of(&cell.coords)?;
        let patch = patch_of(self.plan, cell, self.value);
        let path = self.files.path(self.plan, &cell.coords);
        let mut stored = arena.take();
        let size = if patch.is_whole() { Ok(None) } else { load(&path, &mut stored) };
        let mut out = std::mem::take(&mut arena.output);
        out.truncate(0);
        let result = size.and_then(|size| {
            let before = size.map(|size| stored.bytes(size));
            let keep_empty = self.options.keep_empty;
            encode(self.plan, &chain, &patch, before, keep_empty, arena, &mut out)
        });
        arena.give(stored);
        let result = result.and_then(|is_stored| {
            if is_stored {
                local::replace(&path, &[out.bytes()])
            } else {
                local::remove(self.files.root(), &path)
            }
        });
        arena.output = out;
        result
    }

    /// Write one shard with all threads.
    fn write_shard(&self, cell: &Cell) -> Result<()> {
        let chain = self.plan.chain_of(&cell.coords)?;
        let patch = patch_of(self.plan, cell, self.value);
        let path = self.files.path(self.plan, &cell.coords);
        let mut stored = crate::buffer::Buffer::default();
        let size = if patch.is_whole() { None } else { load(&path, &mut stored)? };
        let before = size.map(|size| stored.bytes(size));
        let (shard, patch) = (shard_of(&chain)?, patch.stored(&chain));
        let cuts = Cuts::new(self.plan, shard, self.options.threads);
        let file = ShardFile::new(shard, &path, cuts.count)?;
        encode_runs(self.plan, shard, &patch, before, self.options, &cuts, |number, run| {
            file.add(number, run)
        })?;
        if !file.finish()? {
            local::remove(self.files.root(), &path)?;
        }
        Ok(())
    }
}

/// What a write puts in one chunk.
pub(crate) fn patch_of<'a>(plan: &Plan, cell: &Cell<'a>, value: &View) -> Patch<'a> {
    let inside = Dims::from_fn(cell.coords.len(), |d| {
        let extent = plan.cells.extent(d, cell.coords[d]);
        extent.edge.min(plan.shape[d] - extent.start)
    });
    Patch { region: cell.region, value: value.at(&cell.at), inside }
}

/// Encode one shard with all threads, each a run of its subchunks; None if nothing is in it.
pub(crate) fn encode_shard_runs(
    plan: &Plan,
    chain: &Chain,
    patch: &Patch,
    before: Option<&[u8]>,
    options: Options,
) -> Result<Option<Runs>> {
    let (shard, patch) = (shard_of(chain)?, patch.stored(chain));
    let cuts = Cuts::new(plan, shard, options.threads);
    let runs: Vec<Mutex<Run>> = (0..cuts.count).map(|_| Mutex::default()).collect();
    encode_runs(plan, shard, &patch, before, options, &cuts, |number, run| {
        if let Ok(mut slot) = runs[number].lock() {
            *slot = run;
        }
        Ok(())
    })?;
    let poisoned = || Error::new(Kind::Internal, "a run of subchunks was lost");
    let runs: Result<Vec<Run>> =
        runs.into_iter().map(|run| run.into_inner().map_err(|_| poisoned())).collect();
    let mut entries = Vec::new();
    reserve(&mut entries, shard.index.entries)?;
    Runs::new(shard, runs?, entries)
}

/// How a shard is cut into runs of subchunks.
struct Cuts {
    total: usize,
    count: usize,
}

impl Cuts {
    fn new(plan: &Plan, shard: &Shard, threads: usize) -> Self {
        let total = shard.index.entries;
        let bytes = product(&shard.inner.shape).map_or(usize::MAX, |n| n.saturating_mul(plan.cost));
        let small = total.saturating_mul(bytes) / RUN_BYTES;
        let wanted = small.min(MOST_RUNS).max(4 * threads.min(pool::MAX_THREADS));
        Self { total, count: wanted.min(total / PART_SUBCHUNKS).max(1) }
    }

    fn at(&self, number: usize) -> usize {
        (self.total / self.count) * number + (self.total % self.count).min(number)
    }
}

fn shard_of(chain: &Chain) -> Result<&Shard> {
    chain.open_shard().ok_or_else(|| Error::new(Kind::Internal, "the chunk is no shard"))
}

/// Encode all subchunks of a shard with all threads, and hand over each run that is done; the
/// patch is in stored axes.
fn encode_runs(
    plan: &Plan,
    shard: &Shard,
    patch: &Patch,
    before: Option<&[u8]>,
    options: Options,
    cuts: &Cuts,
    hand_over: impl Fn(usize, Run) -> Result<()> + Sync,
) -> Result<()> {
    let before = before.filter(|_| !patch.is_whole());
    let mut index = Vec::new();
    if let Some(data) = before {
        shard.index.decode(shard.index.find(data)?, &mut index)?;
    }
    let mut pieces = Pieces::default();
    pieces.fill(&patch.region, &shard.inner.shape);
    let all = ShardPatch {
        plan,
        shard,
        patch,
        before: before.map(|data| (data, &index[..])),
        pieces: &pieces,
        keep_empty: options.keep_empty,
    };
    pool::run(options.threads, cuts.count, |arena, item| {
        let mut run = Run::default();
        let (from, to) = (cuts.at(item), cuts.at(item + 1));
        all.encode(from, to, arena, &mut run.bytes, &mut run.entries)?;
        hand_over(item, run)
    })
}

/// An encoded shard, in parts.
pub(crate) struct Runs {
    runs: Vec<Run>,
    index: Vec<u8>,
    index_first: bool,
}

impl Runs {
    /// Join runs; `entries` is empty and has room for all of theirs.
    fn new(shard: &Shard, runs: Vec<Run>, mut entries: Vec<Entry>) -> Result<Option<Self>> {
        let mut offset = 0;
        for run in &runs {
            append_entries(&mut entries, run, offset);
            offset += run.bytes.len() as u64;
        }
        if entries.iter().all(|entry| *entry == Entry::NONE) {
            return Ok(None);
        }
        let index = finish_index(shard, &mut entries)?;
        Ok(Some(Self { runs, index, index_first: shard.index.at_start }))
    }

    /// The parts, in the order they are stored.
    pub fn parts(&self) -> Vec<&[u8]> {
        let mut parts: Vec<&[u8]> = self.runs.iter().map(|run| run.bytes.bytes()).collect();
        parts.insert(if self.index_first { 0 } else { parts.len() }, &self.index);
        parts
    }

    /// All bytes.
    pub fn joined(&self) -> Vec<u8> {
        self.parts().concat()
    }
}

/// Read a stored chunk; None if there is none.
fn load(path: &str, buffer: &mut crate::buffer::Buffer) -> Result<Option<usize>> {
    let Some((file, status)) = local::open(path)? else { return Ok(None) };
    let size = usize::try_from(status.len()).map_err(|_| Error::memory(usize::MAX))?;
    local::read_at(&file, buffer.get(size)?, 0)?;
    Ok(Some(size))
}
