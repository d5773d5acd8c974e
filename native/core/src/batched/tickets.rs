//! What is asked for, and what its answer is for.

use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, OnceLock};

use crate::error::Result;
use crate::grid::{Cell, Pieces};
use crate::memory::View;
use crate::plan::{OneChain, Plan, Shard};
use crate::storage::{Costs, Range, Version};

/// A touched chunk.
pub struct Chunk<'a> {
    pub cell: Cell<'a>,
    pub chain: OneChain<'a>,
    /// Its object.
    pub key: String,
    /// What is wanted of it, if it is a shard.
    pub subs: Option<Subs>,
    /// Whether it is fetched again as a whole, so that nothing else of it counts any more.
    pub is_again: AtomicBool,
    /// Of a shard whose store does not say which version it gave: the index as it was read first.
    pub index: OnceLock<Vec<u8>>,
    /// Runs of it that have not come in yet.
    pub left: AtomicUsize,
}

/// The wanted part of a shard, in stored axes.
pub struct Subs {
    pub view: View,
    pub pieces: Pieces,
}

impl<'a> Chunk<'a> {
    pub fn new(plan: &'a Plan, cell: Cell<'a>, key: String, out: &View) -> Result<Self> {
        let chain = plan.chain_of(&cell.coords)?;
        let subs = chain.open_shard().map(|shard| {
            let (region, view) = chain.stored(&cell.region, &out.at(&cell.at));
            let mut pieces = Pieces::default();
            pieces.fill(&region, &shard.inner.shape);
            Subs { view, pieces }
        });
        let (is_again, left) = (AtomicBool::new(false), AtomicUsize::new(0));
        Ok(Self { cell, chain, key, subs, is_again, index: OnceLock::new(), left })
    }

    /// Whether more than half of the shard is wanted.
    pub fn is_mostly_wanted(&self, shard: &Shard) -> bool {
        self.subs.as_ref().is_none_or(|subs| 2 * subs.pieces.len() > shard.index.entries)
    }
}

/// A request that is to be made, or under way.
pub struct Ticket<'a> {
    pub chunk: Arc<Chunk<'a>>,
    pub part: Part,
    /// About how many bytes the answer has.
    pub cost: usize,
}

/// Which part of the chunk's object.
pub enum Part {
    Whole,
    Index,
    Run(Run),
    /// The index once more, after all runs.
    IndexAgain,
}

impl<'a> Ticket<'a> {
    pub fn whole(chunk: Arc<Chunk<'a>>) -> Self {
        let cost = chunk.chain.cost;
        Self { chunk, part: Part::Whole, cost }
    }

    pub fn index(chunk: Arc<Chunk<'a>>) -> Self {
        let cost = chunk.chain.open_shard().map_or(0, |shard| shard.index.bytes());
        Self { chunk, part: Part::Index, cost }
    }

    pub fn index_again(chunk: Arc<Chunk<'a>>) -> Self {
        Self { part: Part::IndexAgain, ..Self::index(chunk) }
    }

    pub fn run(chunk: Arc<Chunk<'a>>, run: Run) -> Self {
        let cost = usize::try_from(run.stop - run.start).unwrap_or(usize::MAX);
        Self { chunk, part: Part::Run(run), cost }
    }

    /// What to ask the storage for.
    pub fn range(&self) -> Range {
        match (&self.part, self.chunk.chain.open_shard()) {
            (Part::Run(run), _) => Range::Span(run.start, run.stop),
            (Part::Index | Part::IndexAgain, Some(shard)) => {
                let size = shard.index.bytes() as u64;
                if shard.index.at_start { Range::Span(0, size) } else { Range::Last(size) }
            }
            _ => Range::All,
        }
    }
}

/// Bytes `[start, stop)` of a shard, which hold some of its subchunks.
pub struct Run {
    pub start: u64,
    pub stop: u64,
    pub wanted: Vec<Wanted>,
    /// Of which version of the shard the index was.
    pub version: Option<Version>,
}

/// A wanted subchunk, by its number among the pieces, and where it lies in the shard.
#[derive(Clone, Copy)]
pub struct Wanted {
    pub number: usize,
    pub start: u64,
    pub stop: u64,
}

/// Merge what lies close together.
pub fn runs(mut wanted: Vec<Wanted>, version: Option<&Version>, costs: &Costs) -> Vec<Run> {
    wanted.sort_unstable_by_key(|want| (want.start, want.stop));
    let mut runs: Vec<Run> = Vec::new();
    for want in wanted {
        if let Some(run) = runs.last_mut() {
            let is_near = want.start <= run.stop.saturating_add(costs.gap_bytes);
            let stop = run.stop.max(want.stop);
            if is_near && stop - run.start <= costs.run_bytes {
                run.stop = stop;
                run.wanted.push(want);
                continue;
            }
        }
        let Wanted { start, stop, .. } = want;
        runs.push(Run { start, stop, wanted: vec![want], version: version.cloned() });
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    const COSTS: Costs =
        Costs { gap_bytes: 10, run_bytes: 100, round_trip_bytes: 0, least_requests: 1 };

    fn merged(ranges: &[(u64, u64)]) -> Vec<(u64, u64, Vec<usize>)> {
        let wanted = ranges.iter().enumerate();
        let wanted = wanted.map(|(number, &(start, stop))| Wanted { number, start, stop });
        let numbers = |run: &Run| run.wanted.iter().map(|want| want.number).collect();
        let all = runs(wanted.collect(), None, &COSTS);
        all.iter().map(|run| (run.start, run.stop, numbers(run))).collect()
    }

    #[test]
    fn near_ranges_are_one_run_up_to_a_size() {
        assert_eq!(merged(&[(30, 40), (0, 20)]), [(0, 40, vec![1, 0])]);
        assert_eq!(merged(&[(0, 20), (31, 40)]), [(0, 20, vec![0]), (31, 40, vec![1])]);
        assert_eq!(merged(&[(0, 60), (60, 101)]), [(0, 60, vec![0]), (60, 101, vec![1])]);
        assert_eq!(merged(&[(0, 500)]), [(0, 500, vec![0])]);
    }

    #[test]
    fn ranges_may_overlap_repeat_and_be_absurd() {
        assert_eq!(merged(&[(0, 50), (10, 20), (10, 20)]), [(0, 50, vec![0, 1, 2])]);
        let far = i64::MAX as u64;
        assert_eq!(merged(&[(0, far), (far, far)]), [(0, far, vec![0]), (far, far, vec![1])]);
    }
}
