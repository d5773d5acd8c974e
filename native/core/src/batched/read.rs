//! Reading selections: requests under way, and the units that their answers make.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::tickets::{Chunk, Part, Run, Ticket, Wanted, runs};
use super::units::{Target, Unit};
use super::{BATCH_BYTES, BATCH_REQUESTS, Objects};
use crate::error::Result;
use crate::grid::{Pieces, Region};
use crate::memory::View;
use crate::plan::{Plan, Shard};
use crate::pool;
use crate::shard::Entry;
use crate::storage::{Costs, Fetch, Found, Request, Storage, Version, unanswered};

/// Shards that decode to more are fetched in ranges, however much of them is wanted.
const WHOLE_SHARD_BYTES: usize = 64 << 20;

/// Round trips' worth of bytes that one read may fetch in vain.
const SPARE_ROUND_TRIPS: u64 = 8;

/// Units that wait to be filled in, at most about.
const READY_UNITS: usize = 4096;

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
    pieces.fill(region, &plan.cells);
    let costs = objects.storage.costs();
    let mut line = Line {
        target: Target { plan, out, threads },
        objects,
        costs,
        fetch: objects.storage.fetch(),
        pieces: &pieces,
        next: 0,
        spare_bytes: costs.round_trip_bytes.saturating_mul(SPARE_ROUND_TRIPS),
        waiting: VecDeque::new(),
        asked: HashMap::new(),
        token: 0,
        open: 0,
        open_bytes: 0,
        ready: Vec::new(),
    };
    line.run()
}

/// One read under way.
struct Line<'a, S: Storage> {
    target: Target<'a>,
    objects: &'a Objects<'a, S>,
    costs: Costs,
    fetch: Box<dyn Fetch<S::Blob> + 'a>,
    /// The touched chunks, of which `next` have been opened.
    pieces: &'a Pieces,
    next: usize,
    /// Bytes that may still be fetched only to save round trips.
    spare_bytes: u64,
    waiting: VecDeque<Ticket<'a>>,
    asked: HashMap<usize, Ticket<'a>>,
    token: usize,
    /// Requests made and not decoded yet, and about how many bytes they are.
    open: usize,
    open_bytes: usize,
    ready: Vec<Unit<'a, S::Blob>>,
}

impl<'a, S: Storage> Line<'a, S> {
    fn run(&mut self) -> Result<()> {
        loop {
            self.admit()?;
            let (mut done, mut done_bytes) = (0, 0);
            if !self.asked.is_empty() {
                for (token, answer) in self.answers()? {
                    let ticket = self.asked.remove(&token).ok_or_else(unanswered)?;
                    done += 1;
                    done_bytes += ticket.cost;
                    let found = self.target.located(&ticket.chunk.cell, answer)?;
                    self.take(ticket, found)?;
                }
            } else if self.ready.is_empty() {
                return Ok(());
            }
            // What the answers gave rise to goes out before they are decoded.
            self.admit()?;
            let units = std::mem::take(&mut self.ready);
            let again = self.target.finish(&units)?;
            drop(units);
            self.open -= done;
            self.open_bytes -= done_bytes;
            again.into_iter().for_each(|chunk| self.again(chunk));
        }
    }

    fn answers(&mut self) -> Result<Vec<crate::storage::Answer<S::Blob>>> {
        let answers = self.fetch.wait()?;
        if answers.is_empty() { Err(unanswered()) } else { Ok(answers) }
    }

    /// Ask for as much as may be under way.
    fn admit(&mut self) -> Result<()> {
        let mut requests = Vec::new();
        loop {
            let Some(first) = self.waiting.front() else {
                if self.next >= self.pieces.len() || self.ready.len() >= READY_UNITS {
                    break;
                }
                self.open_next()?;
                continue;
            };
            let is_full = self.open_bytes.saturating_add(first.cost) > BATCH_BYTES
                && self.open >= self.costs.least_requests.max(1);
            if is_full || self.open >= BATCH_REQUESTS {
                break;
            }
            let Some(mut ticket) = self.waiting.pop_front() else { break };
            ticket.cost = ticket.cost.min(usize::MAX / (2 * BATCH_REQUESTS));
            let range = ticket.range();
            requests.push(Request { token: self.token, key: ticket.chunk.key.clone(), range });
            self.open += 1;
            self.open_bytes += ticket.cost;
            self.asked.insert(self.token, ticket);
            self.token += 1;
        }
        if !requests.is_empty() {
            self.fetch.ask(requests);
        }
        Ok(())
    }

    /// Work out what to ask for of the next chunk.
    fn open_next(&mut self) -> Result<()> {
        let plan = self.target.plan;
        let Some(cell) = self.pieces.one(self.next) else { return Ok(()) };
        self.next += 1;
        let key = self.objects.key(plan, &cell.coords);
        let chunk = Chunk::new(plan, cell, key, self.target.out);
        let chunk = Arc::new(self.target.located(&cell, chunk)?);
        let Some(shard) = chunk.chain.open_shard() else {
            self.waiting.push_back(Ticket::whole(chunk));
            return Ok(());
        };
        let bytes = chunk.chain.cost;
        let fits = bytes <= WHOLE_SHARD_BYTES;
        let ticket = if fits && chunk.is_mostly_wanted(shard) {
            Ticket::whole(chunk)
        } else if let Some((version, index)) = self.recall(&chunk) {
            let cut = self.cut(shard, &chunk, &index, Some(&version));
            return self.target.located(&cell, cut);
        } else if fits && self.is_worth_all(bytes as u64) {
            Ticket::whole(chunk)
        } else {
            Ticket::index(chunk)
        };
        self.waiting.push_back(ticket);
        Ok(())
    }

    /// Whether a shard comes sooner as a whole than by its index.
    fn is_worth_all(&mut self, bytes: u64) -> bool {
        if bytes > self.costs.round_trip_bytes {
            return false;
        }
        let left = self.spare_bytes.checked_sub(bytes);
        self.spare_bytes = left.unwrap_or(self.spare_bytes);
        left.is_some()
    }

    /// Use an answer.
    fn take(&mut self, ticket: Ticket<'a>, found: Option<Found<S::Blob>>) -> Result<()> {
        let chunk = ticket.chunk;
        let cell = chunk.cell;
        match (ticket.part, found) {
            (Part::Run(_) | Part::IndexAgain, None) => self.again(chunk),
            (Part::IndexAgain, Some(found)) => {
                let taken = self.take_index_again(chunk, &found);
                self.target.located(&cell, taken)?;
            }
            (_, None) => self.ready.push(Unit::empty(&chunk, None)),
            (Part::Run(run), Some(found)) if !found.is_whole => self.take_run(chunk, run, found),
            (Part::Index, Some(found)) if !found.is_whole => {
                let taken = self.take_index(&chunk, &found);
                self.target.located(&chunk.cell, taken)?;
            }
            (_, Some(found)) => {
                let taken = self.take_whole(&chunk, found);
                self.target.located(&chunk.cell, taken)?;
            }
        }
        Ok(())
    }

    fn take_whole(&mut self, chunk: &Arc<Chunk<'a>>, found: Found<S::Blob>) -> Result<()> {
        let (data, version) = (Arc::new(found.data), found.version);
        let bytes = (*data).as_ref();
        let unit = |sub, start, stop| Unit {
            chunk: Arc::clone(chunk),
            sub,
            data: Some((Arc::clone(&data), start, stop)),
            is_final: true,
        };
        let Some(shard) = chunk.chain.open_shard() else {
            self.ready.push(unit(None, 0, bytes.len()));
            return Ok(());
        };
        let mut index = Vec::new();
        shard.index.decode(shard.index.find(bytes)?, &mut index)?;
        self.remember(chunk, version, &index);
        for want in self.wanted(shard, chunk, &index, bytes.len() as u64)? {
            // Within the data, hence within the address space.
            self.ready.push(unit(Some(want.number), want.start as usize, want.stop as usize));
        }
        Ok(())
    }

    fn take_index(&mut self, chunk: &Arc<Chunk<'a>>, found: &Found<S::Blob>) -> Result<()> {
        let Some(shard) = chunk.chain.open_shard() else { return Ok(()) };
        let mut index = Vec::new();
        shard.index.decode(found.data.as_ref(), &mut index)?;
        self.remember(chunk, found.version.clone(), &index);
        if found.version.as_ref().is_some_and(|version| version.etag.is_none()) {
            // It is set once, by the first answer.
            let _ = chunk.index.set(found.data.as_ref().to_vec());
        }
        self.cut(shard, chunk, &index, found.version.as_ref())
    }

    /// Compare the index with the one that said where things are. Where no tags tell one version
    /// of a shard from the next, runs read in between are of a version with this index.
    fn take_index_again(&mut self, chunk: Arc<Chunk<'a>>, found: &Found<S::Blob>) -> Result<()> {
        let Some(shard) = chunk.chain.open_shard() else { return Ok(()) };
        let data = found.data.as_ref();
        let now = if found.is_whole { shard.index.find(data)? } else { data };
        if chunk.index.get().is_none_or(|then| then != now) {
            self.again(chunk);
        }
        Ok(())
    }

    /// Ask for the wanted subchunks of a shard whose index is known.
    fn cut(
        &mut self,
        shard: &Shard,
        chunk: &Arc<Chunk<'a>>,
        index: &[Entry],
        version: Option<&Version>,
    ) -> Result<()> {
        // The size of a shard of which only the index was fetched may not be known.
        let length = version.map_or(i64::MAX as u64, |version| version.size);
        let wanted = self.wanted(shard, chunk, index, length)?;
        let runs = runs(wanted, version, &self.costs);
        chunk.left.store(runs.len(), Ordering::Relaxed);
        self.waiting.extend(runs.into_iter().map(|run| Ticket::run(Arc::clone(chunk), run)));
        Ok(())
    }

    /// Find the wanted subchunks of a shard; those that are not stored are to be filled in.
    fn wanted(
        &mut self,
        shard: &Shard,
        chunk: &Arc<Chunk<'a>>,
        index: &[Entry],
        length: u64,
    ) -> Result<Vec<Wanted>> {
        let Some(subs) = &chunk.subs else { return Ok(Vec::new()) };
        let mut wanted = Vec::with_capacity(subs.pieces.len());
        for (number, sub) in subs.pieces.range(0, subs.pieces.len()).enumerate() {
            match index[shard.number(&sub.coords)].range(length)? {
                None => self.ready.push(Unit::empty(chunk, Some(number))),
                Some((start, stop)) => wanted.push(Wanted { number, start, stop }),
            }
        }
        Ok(wanted)
    }

    fn take_run(&mut self, chunk: Arc<Chunk<'a>>, run: Run, found: Found<S::Blob>) {
        let is_same = match (&run.version, &found.version) {
            (Some(then), Some(now)) => then == now,
            _ => true,
        };
        if chunk.is_again.load(Ordering::Relaxed) {
            return;
        }
        if !is_same || found.data.as_ref().len() as u64 != run.stop - run.start {
            self.again(chunk);
            return;
        }
        if chunk.left.fetch_sub(1, Ordering::Relaxed) == 1 && chunk.index.get().is_some() {
            self.waiting.push_back(Ticket::index_again(Arc::clone(&chunk)));
        }
        let data = Arc::new(found.data);
        self.ready.extend(run.wanted.into_iter().map(|want| Unit {
            chunk: Arc::clone(&chunk),
            sub: Some(want.number),
            // Within the data, whose size was just checked.
            data: Some((
                Arc::clone(&data),
                (want.start - run.start) as usize,
                (want.stop - run.start) as usize,
            )),
            is_final: false,
        }));
    }

    /// Look at a chunk as a whole: what was found of it does not fit together.
    fn again(&mut self, chunk: Arc<Chunk<'a>>) {
        if chunk.is_again.swap(true, Ordering::Relaxed) {
            return;
        }
        if let Some(id) = self.objects.storage.identity() {
            pool::process().versions.forget(&path_of(id, &chunk.key));
        }
        self.waiting.push_front(Ticket::whole(chunk));
    }

    fn recall(&self, chunk: &Chunk) -> Option<(Version, Arc<[Entry]>)> {
        let id = self.objects.storage.identity()?;
        let layout = chunk.chain.open_shard()?.index;
        pool::process().versions.recall(&path_of(id, &chunk.key), layout)
    }

    fn remember(&self, chunk: &Chunk, version: Option<Version>, index: &[Entry]) {
        let (Some(id), Some(version), Some(shard)) =
            (self.objects.storage.identity(), version, chunk.chain.open_shard())
        else {
            return;
        };
        if version.etag.is_some() {
            let path = path_of(id, &chunk.key);
            pool::process().versions.remember(&path, version, shard.index, index);
        }
    }
}

fn path_of(identity: u64, key: &str) -> String {
    format!("{identity} {key}")
}
