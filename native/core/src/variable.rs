//! Chunks of elements of variable length: from encoded bytes to references, and back.

use crate::arena::Arena;
use crate::buffer::Output;
use crate::codec::{open, vlen};
use crate::decode::scatter;
use crate::encode::{Patch, encode_bytes, overlay};
use crate::error::{Error, Kind, Result};
use crate::grid::Region;
use crate::heap::{FILL, Ref};
use crate::memory::{self, View};
use crate::plan::{Body, Chain, Plan, Variable};

/// The slab of what a chunk held before it was changed.
const STORED: u32 = u32::MAX;

/// Decode a chunk and put a region of it (stored axes) where `view` says, the bytes on the heap.
pub(crate) fn place(
    plan: &Plan,
    chain: &Chain,
    data: &[u8],
    region: &Region,
    view: &View,
    arena: &mut Arena,
) -> Result<()> {
    let (kind, heap) = (kind_of(chain)?, plan.heap()?);
    let (mut decoded, mut table) = (arena.take(), arena.take());
    let result = open::decode(&chain.codecs, data, &mut decoded, arena).and_then(|raw| {
        vlen::check(raw, chain.bytes / Ref::SIZE)?;
        let refs = table.get(chain.bytes)?;
        index(kind, raw, FILL, refs)?;
        let (first, stop) = chain.span(region);
        let (wanted, _) = refs[first..stop].as_chunks_mut::<{ Ref::SIZE }>();
        let (start, end) = extent(wanted);
        let bytes = raw.get(start..end).unwrap_or_default();
        let slab = if bytes.is_empty() { FILL } else { heap.push(bytes)? };
        for element in wanted {
            let Ref { length, offset, .. } = Ref::from_bytes(element);
            // No element begins before the first; those of no bytes begin anywhere.
            let offset = if slab == FILL { 0 } else { offset.saturating_sub(start as u64) };
            *element = Ref { slab, length, offset }.to_bytes();
        }
        scatter(chain, &kind.plain, refs, region, view, arena);
        Ok(())
    });
    arena.give(table);
    arena.give(decoded);
    result
}

fn kind_of(chain: &Chain) -> Result<&Variable> {
    match &chain.body {
        Body::Variable(kind) => Ok(kind),
        _ => Err(Error::new(Kind::Internal, "the elements of the chunk have a fixed size")),
    }
}

/// Where the first of some elements begins, and where the last one ends.
fn extent(refs: &[[u8; Ref::SIZE]]) -> (usize, usize) {
    let ends = |element: &[u8; Ref::SIZE]| {
        let element = Ref::from_bytes(element);
        // Both are within the chunk, hence within the address space.
        (element.offset as usize, element.offset as usize + element.length as usize)
    };
    let first = refs.first().map_or(0, |element| ends(element).0);
    (first, refs.last().map_or(0, |element| ends(element).1))
}

/// Find the elements of a decoded chunk; `refs` has room for exactly as many as there must be.
fn index(kind: &Variable, raw: &[u8], slab: u32, refs: &mut [u8]) -> Result<()> {
    let (refs, _) = refs.as_chunks_mut::<{ Ref::SIZE }>();
    let count = refs.len();
    let mut places = refs.iter_mut();
    vlen::decode(raw, count, |start, length| {
        if kind.is_text {
            let bytes = raw.get(start..start + length as usize).unwrap_or_default();
            std::str::from_utf8(bytes)
                .map_err(|error| Error::corrupt(format!("a string is not UTF-8: {error}")))?;
        }
        if let Some(place) = places.next() {
            *place = Ref { slab, length, offset: start as u64 }.to_bytes();
        }
        Ok(())
    })
}

/// Append the encoded chunk to `out`; false, and nothing is appended, if it is all fill value.
///
/// The patch is in stored axes; `before` is what is stored, if any of it stays.
pub(crate) fn encode(
    plan: &Plan,
    chain: &Chain,
    patch: &Patch,
    before: Option<&[u8]>,
    keep_empty: bool,
    arena: &mut Arena,
    out: &mut Output,
) -> Result<bool> {
    let kind = kind_of(chain)?;
    let (mut decoded, mut table) = (arena.take(), arena.take());
    let result = (|| {
        let stored = match before {
            Some(data) => open::decode(&chain.codecs, data, &mut decoded, arena)?,
            None => &[],
        };
        if before.is_some() {
            vlen::check(stored, chain.bytes / Ref::SIZE)?;
        }
        let refs = table.get(chain.bytes)?;
        if before.is_some() {
            index(kind, stored, STORED, refs)?;
        } else if !patch.region.is_full(&chain.stored_shape) {
            memory::fill_slice(refs, &kind.plain.fill);
        }
        overlay(chain, &kind.plain, patch, refs, arena);
        let (refs, _) = refs.as_chunks::<{ Ref::SIZE }>();
        Encoded { plan, refs, stored }.append(chain, keep_empty, arena, out)
    })();
    arena.give(table);
    arena.give(decoded);
    result
}

/// The elements of a chunk, on their way to being stored.
struct Encoded<'a> {
    plan: &'a Plan,
    refs: &'a [[u8; Ref::SIZE]],
    stored: &'a [u8],
}

impl<'a> Encoded<'a> {
    fn bytes(&self, element: &[u8; Ref::SIZE]) -> Result<&'a [u8]> {
        let element = Ref::from_bytes(element);
        let found = match element.slab {
            STORED => element.of(self.stored),
            _ => self.plan.heap()?.written(element),
        };
        found.ok_or_else(|| Error::new(Kind::Internal, "an element to be written is not there"))
    }

    fn append(
        &self,
        chain: &Chain,
        keep_empty: bool,
        arena: &mut Arena,
        out: &mut Output,
    ) -> Result<bool> {
        let fill = self.plan.heap()?.fill();
        let elements: Vec<&[u8]> =
            self.refs.iter().map(|element| self.bytes(element)).collect::<Result<_>>()?;
        if !keep_empty && elements.iter().all(|element| *element == fill) {
            return Ok(false);
        }
        let sizes = elements.iter().map(|element| element.len());
        let size = vlen::size(sizes).ok_or_else(|| Error::memory(usize::MAX))?;
        let encode =
            |target: &mut [u8]| vlen::encode(elements.len(), elements.iter().copied(), target);
        if chain.codecs.is_empty() {
            out.append(size, encode)?;
            return Ok(true);
        }
        let mut raw = arena.take();
        let result = raw
            .get(size)
            .and_then(encode)
            .and_then(|size| encode_bytes(chain, raw.bytes(size), arena, out));
        arena.give(raw);
        result.map(|()| true)
    }
}
