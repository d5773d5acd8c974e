//! A shard that goes to its file while it is encoded, so that little of it is held in memory.
//!
//! Runs of subchunks are encoded by several threads, and written in their order by whichever
//! thread completes the next one. The file appears under its name when all of it is there.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::buffer::Output;
use crate::encode::{finish_index, reserve};
use crate::error::Result;
use crate::local::Replacement;
use crate::plan::Shard;
use crate::shard::Entry;

/// Encoded subchunks that follow each other.
#[derive(Default)]
pub(crate) struct Run {
    pub bytes: Output,
    /// One per subchunk, offsets counted from the first byte of the run.
    pub entries: Vec<Entry>,
}

/// Put the entries of a run behind those of the runs before it, which take `offset` bytes.
pub(crate) fn append_entries(entries: &mut Vec<Entry>, run: &Run, offset: u64) {
    entries.extend(run.entries.iter().map(|entry| match *entry {
        Entry::NONE => Entry::NONE,
        entry => Entry { offset: entry.offset + offset, ..entry },
    }));
}

struct State {
    /// Number of the next run to be written.
    next: usize,
    /// Runs that wait for those before them.
    waiting: Vec<Option<Run>>,
    /// None before the first byte, and while a thread writes.
    file: Option<Replacement>,
    is_writing: bool,
    entries: Vec<Entry>,
    offset: u64,
}

/// A shard on its way to a file.
pub(crate) struct ShardFile<'a> {
    shard: &'a Shard,
    path: &'a str,
    state: Mutex<State>,
}

impl<'a> ShardFile<'a> {
    /// A shard of so many runs. Nothing is created before the first byte.
    pub fn new(shard: &'a Shard, path: &'a str, runs: usize) -> Result<Self> {
        let mut entries = Vec::new();
        reserve(&mut entries, shard.index.entries)?;
        let state = State {
            next: 0,
            waiting: (0..runs).map(|_| None).collect(),
            file: None,
            is_writing: false,
            entries,
            offset: 0,
        };
        Ok(Self { shard, path, state: Mutex::new(state) })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Take run number `number`; write it and those that waited for it, unless a thread does.
    pub fn add(&self, number: usize, run: Run) -> Result<()> {
        let mut state = self.lock();
        state.waiting[number] = Some(run);
        if state.is_writing {
            return Ok(());
        }
        state.is_writing = true;
        // After an error nobody writes any more, and the file is removed with its `Replacement`.
        while let Some(run) = state.take_next() {
            let mut file = state.file.take();
            drop(state);
            if !run.bytes.is_empty() {
                let file = match &mut file {
                    Some(file) => file,
                    none => none.insert(begin(self.shard, self.path)?),
                };
                file.write(run.bytes.bytes())?;
            }
            drop(run);
            state = self.lock();
            state.file = file;
        }
        state.is_writing = false;
        Ok(())
    }

    /// Complete the file. False if there is nothing in the shard, and hence no file.
    pub fn finish(self) -> Result<bool> {
        let mut state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        if state.entries.iter().all(|entry| *entry == Entry::NONE) {
            return Ok(false);
        }
        let index = finish_index(self.shard, &mut state.entries)?;
        let mut file = match state.file {
            Some(file) => file,
            None => begin(self.shard, self.path)?, // subchunks of no bytes
        };
        if self.shard.index.at_start {
            file.write_at_start(&index)?;
        } else {
            file.write(&index)?;
        }
        file.commit()?;
        Ok(true)
    }
}

fn begin(shard: &Shard, path: &str) -> Result<Replacement> {
    let mut file = Replacement::new(path)?;
    if shard.index.at_start {
        file.write(&vec![0; shard.index.bytes()])?;
    }
    Ok(file)
}

impl State {
    /// Take the next run if it is there, and count it as written.
    fn take_next(&mut self) -> Option<Run> {
        let run = self.waiting.get_mut(self.next)?.take()?;
        self.next += 1;
        append_entries(&mut self.entries, &run, self.offset);
        self.offset += run.bytes.len() as u64;
        Some(run)
    }
}
