//! Runs of rows, copied one after the other from where they lie.

use std::sync::{Mutex, PoisonError};

use crate::error::{Error, Result};
use crate::pool;

/// Below this, other threads take longer to wake than the work takes.
const INLINE_BYTES: usize = 1 << 20;

/// Parts of the work per thread, so that none waits long for the others.
const PARTS: usize = 4;

/// A number of 64 bits, in the byte order of this machine.
type Number = [u8; 8];

/// Copy the rows `[starts[k], starts[k] + counts[k])` for each k, run after run.
///
/// `starts` and `counts` are 64-bit integers in the byte order of this machine; `out` has exactly
/// the room that the rows need.
///
/// # Errors
/// It has not, or a run leaves `source`.
pub fn take_runs(
    source: &[u8],
    row_bytes: usize,
    starts: &[u8],
    counts: &[u8],
    out: &mut [u8],
    threads: usize,
) -> Result<()> {
    let (starts, rest) = starts.as_chunks::<8>();
    let (counts, more) = counts.as_chunks::<8>();
    if starts.len() != counts.len() || !rest.is_empty() || !more.is_empty() {
        return Err(Error::invalid("there are as many starts as counts, of 64 bits each"));
    }
    let runs = Runs { source, row_bytes };
    if threads <= 1 || out.len() <= INLINE_BYTES {
        return runs.copy(starts, counts, out);
    }
    let per_part = starts.len().div_ceil(PARTS * threads.min(pool::MAX_THREADS)).max(1);
    let mut jobs = Vec::with_capacity(PARTS * threads);
    let mut left = out;
    for (starts, counts) in starts.chunks(per_part).zip(counts.chunks(per_part)) {
        let size = counts.iter().try_fold(0usize, |sum, count| sum.checked_add(runs.bytes(count)?));
        let (mine, after) =
            size.and_then(|size| left.split_at_mut_checked(size)).ok_or_else(no_room)?;
        jobs.push(Mutex::new(Some((starts, counts, mine))));
        left = after;
    }
    if !left.is_empty() {
        return Err(no_room());
    }
    pool::run(threads, jobs.len(), |_, item| {
        let job = jobs[item].lock().unwrap_or_else(PoisonError::into_inner).take();
        job.map_or(Ok(()), |(starts, counts, out)| runs.copy(starts, counts, out))
    })
}

struct Runs<'a> {
    source: &'a [u8],
    row_bytes: usize,
}

impl Runs<'_> {
    /// How many bytes so many rows have; None if there are no such rows.
    fn bytes(&self, rows: &Number) -> Option<usize> {
        usize::try_from(i64::from_ne_bytes(*rows)).ok()?.checked_mul(self.row_bytes)
    }

    fn copy(&self, starts: &[Number], counts: &[Number], out: &mut [u8]) -> Result<()> {
        let mut left = out;
        for (start, count) in starts.iter().zip(counts) {
            let run = self.find(start, count).ok_or_else(|| {
                Error::invalid("a run of rows leaves the memory that it is taken from")
            })?;
            let (place, after) = left.split_at_mut_checked(run.len()).ok_or_else(no_room)?;
            place.copy_from_slice(run);
            left = after;
        }
        if left.is_empty() { Ok(()) } else { Err(no_room()) }
    }

    fn find(&self, start: &Number, count: &Number) -> Option<&[u8]> {
        let (start, size) = (self.bytes(start)?, self.bytes(count)?);
        self.source.get(start..start.checked_add(size)?)
    }
}

fn no_room() -> Error {
    Error::invalid("the rows that are taken do not fit their place")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(all: &[i64]) -> Vec<u8> {
        all.iter().flat_map(|number| number.to_ne_bytes()).collect()
    }

    #[test]
    fn runs_are_copied_in_their_order_by_any_number_of_threads() -> Result<()> {
        let source: Vec<u8> = (0..=255).cycle().take(3 << 20).collect();
        let rows = (source.len() / 3) as i64;
        let (starts, counts) = ([rows - 2, 0, 5, 1], [2, rows, 0, 1]);
        let mut expected = source[source.len() - 6..].to_vec();
        expected.extend_from_slice(&source);
        expected.extend_from_slice(&source[3..6]);
        for threads in [1, 3] {
            let mut out = vec![0; expected.len()];
            take_runs(&source, 3, &numbers(&starts), &numbers(&counts), &mut out, threads)?;
            assert!(out == expected);
        }
        take_runs(&source, 3, &[], &[], &mut [], 2)
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let source = [0u8; 12];
        for (starts, counts, room) in [
            (&[3][..], &[2][..], 6),
            (&[-1], &[1], 3),
            (&[0], &[-1], 0),
            (&[i64::MAX], &[1], 3),
            (&[i64::MAX / 3], &[i64::MAX / 3], 3),
            (&[0], &[1], 2),
            (&[0], &[1], 4),
            (&[0, 1], &[1], 3),
        ] {
            for threads in [1, 2] {
                let (starts, counts) = (numbers(starts), numbers(counts));
                let mut out = vec![0; room];
                assert!(take_runs(&source, 3, &starts, &counts, &mut out, threads).is_err());
            }
        }
        assert!(take_runs(&source, 3, &[0; 7], &[0; 8], &mut [], 1).is_err());
    }

    #[test]
    fn what_does_not_fit_is_refused_by_threads_too() {
        let (source, size) = (vec![0u8; 8], 2 << 20);
        let (starts, counts) = (numbers(&[0; 4]), numbers(&[4; 4]));
        assert!(take_runs(&source, 1, &starts, &counts, &mut vec![0; size], 2).is_err());
        let counts = numbers(&[size as i64 / 4; 4]);
        assert!(take_runs(&source, 1, &starts, &counts, &mut vec![0; size], 2).is_err());
    }
}
