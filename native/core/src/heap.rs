//! Elements of variable length in memory: what stands for each, and where their bytes are.
//!
//! Chunks are cut, scattered and put together as if elements had a fixed size, that of a [`Ref`].
//! The bytes themselves are in the [`Heap`] of the call: those decoded in slabs, one per decoded
//! chunk, from which [`Heap::gather`] makes one run of bytes at the end; those to be written where
//! the caller has them.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Error, Kind, Result};
use crate::pool;

/// The slab of the fill value.
pub const FILL: u32 = 0;

/// The slab of what is written.
pub const VALUE: u32 = 1;

/// The first slab of what was decoded.
const DECODED: u32 = 2;

/// Below this, other threads take longer to wake than the work takes.
const INLINE_BYTES: usize = 1 << 20;

/// Parts per thread, so that none waits for the slowest.
const PARTS: usize = 4;

const OFFSET: usize = size_of::<i64>();

/// What stands for an element in memory, in the byte order of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ref {
    /// Which run of bytes.
    pub slab: u32,
    /// How many bytes the element has.
    pub length: u32,
    /// Where they begin in the slab.
    pub offset: u64,
}

impl Ref {
    /// Bytes of one.
    pub const SIZE: usize = 16;

    /// As it lies in memory.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        bytes[..4].copy_from_slice(&self.slab.to_ne_bytes());
        bytes[4..8].copy_from_slice(&self.length.to_ne_bytes());
        bytes[8..].copy_from_slice(&self.offset.to_ne_bytes());
        bytes
    }

    /// What lies in memory.
    #[must_use]
    pub fn from_bytes(b: &[u8; Self::SIZE]) -> Self {
        Self {
            slab: u32::from_ne_bytes([b[0], b[1], b[2], b[3]]),
            length: u32::from_ne_bytes([b[4], b[5], b[6], b[7]]),
            offset: u64::from_ne_bytes([b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]]),
        }
    }

    /// The element, in the bytes of its slab; None if it is not there.
    #[must_use]
    pub fn of(self, slab: &[u8]) -> Option<&[u8]> {
        let start = usize::try_from(self.offset).ok()?;
        slab.get(start..start.checked_add(self.length as usize)?)
    }
}

/// Bytes that a caller keeps valid.
pub type Held = Box<dyn AsRef<[u8]> + Send + Sync>;

/// The bytes of a decoded chunk.
type Slab = Arc<Vec<u8>>;

/// The bytes of the elements of one read or write.
pub struct Heap {
    fill: Vec<u8>,
    value: Option<Held>,
    slabs: Mutex<Vec<Slab>>,
}

impl fmt::Debug for Heap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heap").field("fill", &self.fill).finish_non_exhaustive()
    }
}

impl Heap {
    /// A heap with the fill value, and what is to be written.
    #[must_use]
    pub fn new(fill: &[u8], value: Option<Held>) -> Self {
        Self { fill: fill.to_vec(), value, slabs: Mutex::default() }
    }

    /// The fill value.
    #[must_use]
    pub fn fill(&self) -> &[u8] {
        &self.fill
    }

    /// Keep a copy of some bytes; return the number of their slab.
    pub(crate) fn push(&self, bytes: &[u8]) -> Result<u32> {
        let mut kept = Vec::new();
        kept.try_reserve_exact(bytes.len()).map_err(|_| Error::memory(bytes.len()))?;
        kept.extend_from_slice(bytes);
        let mut slabs = self.slabs.lock().unwrap_or_else(PoisonError::into_inner);
        let number = u32::try_from(slabs.len()).ok().and_then(|n| n.checked_add(DECODED));
        slabs.push(Arc::new(kept));
        number.ok_or_else(|| Error::memory(usize::MAX))
    }

    /// All slabs: no lock is held while they are looked at.
    fn decoded(&self) -> Vec<Slab> {
        self.slabs.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The bytes of an element that is written or fill value.
    pub(crate) fn written(&self, element: Ref) -> Option<&[u8]> {
        match element.slab {
            FILL => element.of(&self.fill),
            VALUE => element.of((**self.value.as_ref()?).as_ref()),
            _ => None,
        }
    }

    /// Where each element would begin in one run of bytes, and where the last one would end:
    /// 64-bit numbers in the byte order of this machine, one more than there are elements.
    ///
    /// # Errors
    /// `offsets` has another size.
    pub fn measure(&self, refs: &[u8], offsets: &mut [u8]) -> Result<()> {
        let (refs, rest) = refs.as_chunks::<{ Ref::SIZE }>();
        let (offsets, more) = offsets.as_chunks_mut::<OFFSET>();
        let Some((first, ends)) = offsets.split_first_mut() else { return Err(mismatch()) };
        if ends.len() != refs.len() || !rest.is_empty() || !more.is_empty() {
            return Err(mismatch());
        }
        *first = 0i64.to_ne_bytes();
        let mut end = 0i64;
        for (place, element) in ends.iter_mut().zip(refs) {
            let length = i64::from(Ref::from_bytes(element).length);
            end = end.checked_add(length).ok_or_else(|| Error::memory(usize::MAX))?;
            *place = end.to_ne_bytes();
        }
        Ok(())
    }

    /// Copy the elements to one run of bytes, which has exactly the room that they need.
    ///
    /// # Errors
    /// It has not, or one of `refs` is none of this heap.
    pub fn gather(&self, refs: &[u8], out: &mut [u8], threads: usize) -> Result<()> {
        let (refs, rest) = refs.as_chunks::<{ Ref::SIZE }>();
        if !rest.is_empty() {
            return Err(mismatch());
        }
        let threads =
            if out.len() <= INLINE_BYTES { 1 } else { threads.clamp(1, pool::MAX_THREADS) };
        let parts = if threads == 1 { 1 } else { PARTS * threads };
        let slabs = self.decoded();
        let mut jobs = Vec::with_capacity(parts);
        let mut left = out;
        for refs in refs.chunks(refs.len().div_ceil(parts).max(1)) {
            let size = refs.iter().try_fold(0usize, |sum, element| {
                sum.checked_add(Ref::from_bytes(element).length as usize)
            });
            let (mine, after) =
                size.and_then(|size| left.split_at_mut_checked(size)).ok_or_else(mismatch)?;
            jobs.push(Mutex::new(Some((refs, mine))));
            left = after;
        }
        if !left.is_empty() {
            return Err(mismatch());
        }
        let slabs = &slabs[..];
        pool::run(threads, jobs.len(), |_, item| {
            let job = jobs[item].lock().unwrap_or_else(PoisonError::into_inner).take();
            job.map_or(Ok(()), |(refs, out)| self.copy(refs, slabs, out))
        })
    }

    /// Call `work` with the bytes of each element.
    ///
    /// # Errors
    /// One of `refs` is none of this heap.
    pub fn with<T>(&self, refs: &[u8], work: impl FnOnce(&[&[u8]]) -> T) -> Result<T> {
        let (refs, rest) = refs.as_chunks::<{ Ref::SIZE }>();
        if !rest.is_empty() {
            return Err(mismatch());
        }
        let slabs = self.decoded();
        let elements = refs.iter().map(|element| self.find(element, &slabs));
        Ok(work(&elements.collect::<Result<Vec<_>>>()?))
    }

    fn find<'a>(&'a self, element: &[u8; Ref::SIZE], slabs: &'a [Slab]) -> Result<&'a [u8]> {
        let element = Ref::from_bytes(element);
        let found = match element.slab.checked_sub(DECODED) {
            Some(number) => slabs.get(number as usize).and_then(|slab| element.of(slab)),
            None => self.written(element),
        };
        found.ok_or_else(mismatch)
    }

    fn copy(&self, refs: &[[u8; Ref::SIZE]], slabs: &[Slab], out: &mut [u8]) -> Result<()> {
        let mut out = out;
        for element in refs {
            let bytes = self.find(element, slabs)?;
            let (place, rest) = out.split_at_mut_checked(bytes.len()).ok_or_else(mismatch)?;
            place.copy_from_slice(bytes);
            out = rest;
        }
        Ok(())
    }
}

fn mismatch() -> Error {
    Error::new(Kind::Internal, "references, offsets and bytes of elements do not fit together")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offsets(bytes: &[u8]) -> Vec<i64> {
        bytes.as_chunks::<8>().0.iter().map(|bytes| i64::from_ne_bytes(*bytes)).collect()
    }

    #[test]
    fn elements_are_gathered_in_their_order() -> Result<()> {
        let heap = Heap::new(b"fill", Some(Box::new(b"value".to_vec())));
        let first = heap.push(b"abc")?;
        let second = heap.push(&vec![b'x'; 2 << 20])?;
        let all = [
            Ref { slab: second, length: 2 << 20, offset: 0 },
            Ref { slab: FILL, length: 4, offset: 0 },
            Ref { slab: first, length: 2, offset: 1 },
            Ref { slab: first, length: 0, offset: 3 },
            Ref { slab: VALUE, length: 3, offset: 2 },
        ];
        let refs = all.map(Ref::to_bytes).concat();
        let mut places = vec![0; 48];
        heap.measure(&refs, &mut places)?;
        let total = 2 << 20;
        assert_eq!(offsets(&places), [0, total, total + 4, total + 6, total + 6, total + 9]);
        for threads in [1, 3] {
            let mut out = vec![0; (total + 9) as usize];
            heap.gather(&refs, &mut out, threads)?;
            assert_eq!(&out[total as usize - 1..], b"xfillbclue");
        }
        let lengths = heap.with(&refs, |all| all.iter().map(|one| one.len()).sum::<usize>())?;
        assert_eq!(lengths as i64, total + 9);
        assert!(heap.gather(&refs, &mut [0; 9], 1).is_err());
        assert!(heap.gather(&refs, &mut vec![0; total as usize + 10], 1).is_err());
        assert!(heap.measure(&refs, &mut places[8..]).is_err());
        for wrong in [
            Ref { slab: 9, length: 1, offset: 0 },
            Ref { slab: first, length: 1, offset: 3 },
            Ref { slab: first, length: 1, offset: u64::MAX },
        ] {
            assert!(heap.gather(&wrong.to_bytes(), &mut [0], 1).is_err());
            assert!(heap.with(&wrong.to_bytes(), |_| ()).is_err());
        }
        Ok(())
    }
}
