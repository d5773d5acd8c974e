//! Reading selections from local files, or from members of a local archive.
//!
//! The touched chunks are shared out over threads; of a shard that would keep one thread busy
//! alone, several take parts. A file is opened once per part, its size taken from the open file,
//! so that what is read is all of one version. Of shards only the wanted subchunks are read:
//! ranges are sorted, and merged where that saves a call.
#![allow(unsafe_code)] // reads straight into `View`s, whose makers vouch for them

use crate::arena::Arena;
use crate::decode::{in_subchunk, place, place_fill, scatter_span};
use crate::error::{Error, Result};
use crate::grid::{Cell, Pieces, Region};
use crate::local;
use crate::memory::{self, View};
use crate::plan::{Chain, Plan, Shard};
use crate::pool;
use crate::shard::Entry;
use crate::source::{Object, Source};

/// Below this, other threads take longer to wake than the work takes.
const INLINE_BYTES: usize = 256 << 10;

/// Gaps between ranges that are read rather than skipped.
const GAP_BYTES: u64 = 64 << 10;

/// Ranges are not merged beyond this, so that what was read stays in the cache.
const RUN_BYTES: u64 = 512 << 10;

/// Fewest subchunks that are worth a part of their own.
const PART_SUBCHUNKS: usize = 4;

/// The files of one array: chunk `key` is `root/prefix/key`.
#[derive(Clone, Debug)]
pub struct Files {
    root: String,
    prefix: String,
}

impl Files {
    /// `root` is the directory of the store, `path` the array within it.
    #[must_use]
    pub fn new(root: &str, path: &str) -> Self {
        let root = root.trim_end_matches('/').to_owned();
        let prefix = if path.is_empty() { format!("{root}/") } else { format!("{root}/{path}/") };
        Self { root, prefix }
    }

    pub(crate) fn root(&self) -> &str {
        &self.root
    }
}

impl Source for Files {
    fn path(&self, plan: &Plan, coords: &[usize]) -> String {
        let mut path = String::with_capacity(self.prefix.len() + 32);
        path.push_str(&self.prefix);
        plan.push_key(&mut path, coords);
        path
    }

    fn open(&self, path: &str) -> Result<Option<Object<'_>>> {
        Ok(local::open(path)?.map(|(file, status)| Object::file(file, &status)))
    }
}

/// Read a selection into memory.
///
/// # Errors
/// The selection leaves the array; a chunk is corrupt (the error names it); the system refuses.
///
/// # Safety
/// `out` is valid for the elements of the region, to write, until this returns.
pub unsafe fn read(
    plan: &Plan,
    files: &dyn Source,
    region: &Region,
    out: &View,
    threads: usize,
) -> Result<()> {
    plan.check(region)?;
    if region.is_empty() {
        return Ok(());
    }
    let mut pieces = Pieces::default();
    pieces.fill(region, &plan.cells);
    let chunks = pieces.len();
    let (subchunks, bytes) = work_of(plan, region, chunks);
    let threads = if bytes <= INLINE_BYTES { 1 } else { threads.clamp(1, pool::MAX_THREADS) };
    let parts = parts_per_chunk(chunks, subchunks, threads);
    pool::run(threads, chunks.saturating_mul(parts), |arena, item| {
        let Some(cell) = pieces.one(item / parts) else { return Ok(()) };
        let part = Part { number: item % parts, of: parts };
        read_chunk(plan, files, &cell, part, out, arena)
            .map_err(|error| error.located(&plan.key(&cell.coords), &cell.coords))
    })
}

/// How many units are decoded, and about how many bytes that is.
fn work_of(plan: &Plan, region: &Region, chunks: usize) -> (usize, usize) {
    let unit = match plan.chain.open_shard() {
        Some(shard) => &shard.inner,
        None => &plan.chain,
    };
    if plan.chain.open_shard().is_none() {
        return (chunks, chunks.saturating_mul(touched_bytes(&plan.chain, region)));
    }
    if region.picked.is_some() {
        let units = chunks.saturating_mul(plan.chain.bytes / unit.bytes.max(1)).min(region.len());
        return (units, units.saturating_mul(touched_bytes(unit, region)));
    }
    let shape = match &plan.chain.order {
        // Sizes of subchunks in the array's axes do not matter for an estimate.
        Some(_) => return (chunks, chunks.saturating_mul(plan.chain.cost)),
        None => &unit.shape,
    };
    let units = (0..region.count.len()).fold(1usize, |total, d| {
        let last = region.start[d] + (region.count[d] - 1) * region.step[d];
        let spanned = last / shape[d] - region.start[d] / shape[d] + 1;
        total.saturating_mul(spanned.min(region.count[d]))
    });
    (units, units.saturating_mul(touched_bytes(unit, region)))
}

/// Bytes that are moved for a touched unit: all of it if it must be decoded, else what is wanted.
fn touched_bytes(unit: &Chain, region: &Region) -> usize {
    if unit.raw().is_none() {
        return unit.cost;
    }
    let wanted = unit.shape.iter().zip(&*region.count).map(|(&n, &c)| n.min(c)).product::<usize>();
    let points = region.picked.map_or(1, |picked| picked.len());
    wanted.saturating_mul(points).saturating_mul(unit.itemsize()).min(unit.bytes)
}

fn parts_per_chunk(chunks: usize, subchunks: usize, threads: usize) -> usize {
    if threads == 1 || chunks >= 2 * threads {
        return 1;
    }
    let wanted = (4 * threads).div_ceil(chunks.max(1));
    wanted.min(subchunks / chunks.max(1) / PART_SUBCHUNKS).max(1)
}

#[derive(Clone, Copy)]
struct Part {
    number: usize,
    of: usize,
}

impl Part {
    /// The share of `total` things that this part has.
    fn share(self, total: usize) -> (usize, usize) {
        let cut = |n: usize| (total / self.of) * n + (total % self.of).min(n);
        (cut(self.number), cut(self.number + 1))
    }
}

fn read_chunk(
    plan: &Plan,
    files: &dyn Source,
    cell: &Cell,
    part: Part,
    out: &View,
    arena: &mut Arena,
) -> Result<()> {
    let view = out.at(&cell.at);
    let path = files.path(plan, &cell.coords);
    let chain = &*plan.chain_of(&cell.coords)?;
    let shard = chain.open_shard();
    if shard.is_none() && part.number > 0 {
        return Ok(());
    }
    let Some(file) = files.open(&path)? else {
        if part.number == 0 {
            place_fill(plan, &cell.region, &view);
        }
        return Ok(());
    };
    match shard {
        Some(shard) => {
            let (region, view) = chain.stored(&cell.region, &view);
            let source = ShardFile { plan, shard, file: &file, path: &path };
            source.read(&region, part, &view, arena)
        }
        None => read_whole(plan, chain, &file, &cell.region, &view, arena),
    }
}

/// Read a chunk that is one unit; of plain elements only the bytes from the first to the last.
fn read_whole(
    plan: &Plan,
    chain: &Chain,
    file: &Object<'_>,
    region: &Region,
    view: &View,
    arena: &mut Arena,
) -> Result<()> {
    let length = file.length();
    if chain.raw().is_some() {
        if length != chain.bytes as u64 {
            return Err(Error::corrupt(format!(
                "the file has {length} bytes where {} are expected",
                chain.bytes
            )));
        }
        let (region, view) = chain.stored(region, view);
        return read_raw(chain, file, 0, &region, &view, arena);
    }
    let length = usize::try_from(length).map_err(|_| Error::memory(usize::MAX))?;
    let mut buffer = arena.take();
    let result = buffer.get(length).and_then(|data| {
        file.read_at(data, 0)?;
        place(plan, chain, data, region, view, arena)
    });
    arena.give(buffer);
    result
}

/// Read a region (stored axes) of plain elements that begin at `offset` in the file.
fn read_raw(
    chain: &Chain,
    file: &Object<'_>,
    offset: u64,
    region: &Region,
    view: &View,
    arena: &mut Arena,
) -> Result<()> {
    let Some(plain) = chain.raw() else { return Ok(()) };
    let (first, stop) = chain.span(region);
    let size = stop - first;
    let is_dense = region.len().checked_mul(plain.item.size) == Some(size);
    if is_dense && region.picked.is_none() && view.is_contiguous(&region.count, plain.item.size) {
        // SAFETY: the view is valid for the region, whose elements fill `size` bytes.
        let target = unsafe { view.bytes_mut(size) };
        file.read_at(target, offset + first as u64)?;
        memory::swap_in_place(target, plain.item.swap);
        return Ok(());
    }
    let mut buffer = arena.take();
    let result = buffer.get(size).and_then(|data| {
        file.read_at(data, offset + first as u64)?;
        scatter_span(chain, plain, data, region, view, arena)
    });
    arena.give(buffer);
    result
}

/// A wanted subchunk and the bytes of the file that hold what is wanted of it.
#[derive(Clone, Copy)]
struct Wanted {
    start: u64,
    stop: u64,
    number: usize,
}

struct ShardFile<'a> {
    plan: &'a Plan,
    shard: &'a Shard,
    file: &'a Object<'a>,
    path: &'a str,
}

impl ShardFile<'_> {
    fn read(&self, region: &Region, part: Part, view: &View, arena: &mut Arena) -> Result<()> {
        let mut pieces = arena.take_pieces();
        pieces.fill(region, &self.shard.inner.shape);
        let (from, to) = part.share(pieces.len());
        let most = 2 * (to - from) >= self.shard.index.entries;
        let result = if most && self.file.length() <= RUN_BYTES {
            self.read_at_once(&pieces, from, to, view, arena)
        } else {
            self.read_ranges(&pieces, from, to, view, arena)
        };
        arena.give_pieces(pieces);
        result
    }

    /// Read the whole file, index included, in one call.
    fn read_at_once(
        &self,
        pieces: &Pieces,
        from: usize,
        to: usize,
        view: &View,
        arena: &mut Arena,
    ) -> Result<()> {
        let mut buffer = arena.take();
        let mut index = arena.take_index();
        let result = buffer.get(self.file.length() as usize).and_then(|data| {
            self.file.read_at(data, 0)?;
            self.shard.index.decode(self.shard.index.find(data)?, &mut index)?;
            for cell in pieces.range(from, to) {
                let entry = index[self.shard.number(&cell.coords)];
                let encoded = entry
                    .range(data.len() as u64)?
                    .map(|(start, stop)| &data[start as usize..stop as usize]);
                self.place(&cell, encoded, view, arena)?;
            }
            Ok(())
        });
        arena.give_index(index);
        arena.give(buffer);
        result
    }

    fn place(
        &self,
        cell: &Cell,
        data: Option<&[u8]>,
        view: &View,
        arena: &mut Arena,
    ) -> Result<()> {
        let target = view.at(&cell.at);
        match data {
            Some(data) => place(self.plan, &self.shard.inner, data, &cell.region, &target, arena)
                .map_err(|error| in_subchunk(error, &cell.coords)),
            None => {
                place_fill(self.plan, &cell.region, &target);
                Ok(())
            }
        }
    }

    /// Read the index, if it is not known, and then the wanted ranges.
    fn read_ranges(
        &self,
        pieces: &Pieces,
        from: usize,
        to: usize,
        view: &View,
        arena: &mut Arena,
    ) -> Result<()> {
        let cache = &pool::process().indices;
        if let Some(index) = cache.get(self.path, self.file.stamp, self.shard.index) {
            return self.read_wanted(&index, pieces, from, to, view, arena);
        }
        let layout = &self.shard.index;
        let mut index = arena.take_index();
        let mut buffer = arena.take();
        let result = layout.offset(self.file.length()).and_then(|offset| {
            let encoded = buffer.get(layout.bytes())?;
            self.file.read_at(encoded, offset)?;
            layout.decode(encoded, &mut index)?;
            cache.put(self.path, self.file.stamp, *layout, &index);
            self.read_wanted(&index, pieces, from, to, view, arena)
        });
        arena.give(buffer);
        arena.give_index(index);
        result
    }

    fn read_wanted(
        &self,
        index: &[Entry],
        pieces: &Pieces,
        from: usize,
        to: usize,
        view: &View,
        arena: &mut Arena,
    ) -> Result<()> {
        let mut wanted = Vec::with_capacity(to - from);
        for (number, cell) in (from..).zip(pieces.range(from, to)) {
            let entry = index[self.shard.number(&cell.coords)];
            match entry.range(self.file.length())? {
                None => self.place(&cell, None, view, arena)?,
                Some((start, stop)) => wanted.push(self.narrowed(start, stop, number, &cell)?),
            }
        }
        wanted.sort_unstable_by_key(|want| want.start);
        let mut rest = &wanted[..];
        while let Some(first) = rest.first() {
            let stop = run_stop(rest);
            let count =
                rest.iter().take_while(|want| want.stop <= stop && want.start < stop).count();
            let (run, after) = rest.split_at(count.max(1));
            self.read_run(run, first.start, stop, pieces, view, arena)?;
            rest = after;
        }
        Ok(())
    }

    /// Of plain elements, only the bytes from the first wanted to the last.
    fn narrowed(&self, start: u64, stop: u64, number: usize, cell: &Cell) -> Result<Wanted> {
        let inner = &self.shard.inner;
        if inner.raw().is_none() {
            return Ok(Wanted { start, stop, number });
        }
        if stop - start != inner.bytes as u64 {
            let error = Error::corrupt(format!(
                "it has {} bytes where {} are expected",
                stop - start,
                inner.bytes
            ));
            return Err(in_subchunk(error, &cell.coords));
        }
        let (region, _) = inner.stored(&cell.region, &memory::view_of(&[], inner.stored_strides));
        let (first, last) = inner.span(&region);
        Ok(Wanted { start: start + first as u64, stop: start + last as u64, number })
    }

    fn read_run(
        &self,
        run: &[Wanted],
        start: u64,
        stop: u64,
        pieces: &Pieces,
        view: &View,
        arena: &mut Arena,
    ) -> Result<()> {
        let mut buffer = arena.take();
        let size = usize::try_from(stop - start).map_err(|_| Error::memory(usize::MAX));
        let result = size.and_then(|size| buffer.get(size)).and_then(|data| {
            self.file.read_at(data, start)?;
            for want in run {
                let Some(cell) = pieces.one(want.number) else { continue };
                let data = &data[(want.start - start) as usize..(want.stop - start) as usize];
                let inner = &self.shard.inner;
                if let Some(plain) = inner.raw() {
                    let (region, target) = inner.stored(&cell.region, &view.at(&cell.at));
                    scatter_span(inner, plain, data, &region, &target, arena)?;
                } else {
                    self.place(&cell, Some(data), view, arena)?;
                }
            }
            Ok(())
        });
        arena.give(buffer);
        result
    }
}

/// Where the run of ranges ends that the first of these begins.
fn run_stop(sorted: &[Wanted]) -> u64 {
    let Some(first) = sorted.first() else { return 0 };
    let mut stop = first.stop;
    for next in &sorted[1..] {
        let is_near = next.start <= stop.saturating_add(GAP_BYTES);
        let end = stop.max(next.stop);
        if !is_near || end - first.start > RUN_BYTES {
            break;
        }
        stop = end;
    }
    stop
}
