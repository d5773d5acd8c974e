//! From elements to encoded bytes, for any chain; what is stored already is kept where it can be.
#![allow(unsafe_code)] // elements are gathered through `View`s, whose makers vouch for them

use crate::arena::Arena;
use crate::buffer::Output;
use crate::codec::BytesCodec;
use crate::decode::{decode_raw, decode_shard_bytes, in_subchunk};
use crate::dims::{Dims, product};
use crate::error::{Error, Result};
use crate::grid::{Cell, Pieces, Region};
use crate::memory::{self, View};
use crate::plan::{Body, Chain, Plain, Plan, Shard};
use crate::runs::{self, Unit};
use crate::shard::Entry;
use crate::variable;

/// New elements for a chunk.
#[derive(Clone, Copy)]
pub(crate) struct Patch<'a> {
    /// Where they go, in the chunk.
    pub region: Region<'a>,
    /// Where they are.
    pub value: View,
    /// How much of the chunk is inside the array, from its first element on.
    pub inside: Dims,
}

impl<'a> Patch<'a> {
    /// Whether nothing of what was stored before is left.
    pub fn is_whole(&self) -> bool {
        self.region.covers(&self.inside)
    }

    /// The patch in the order of the stored axes.
    pub fn stored(&self, chain: &'a Chain) -> Self {
        let (region, value) = chain.stored(&self.region, &self.value);
        let inside = chain.order.as_ref().map_or(self.inside, |order| self.inside.permuted(order));
        Self { region, value, inside }
    }

    /// The part of the patch in a cell of subchunks of this shape.
    pub fn of_cell<'b>(&self, cell: &Cell<'b>, shape: &Dims) -> Patch<'b> {
        let inside = Dims::from_fn(shape.len(), |d| {
            self.inside[d].saturating_sub(cell.coords[d] * shape[d]).min(shape[d])
        });
        Patch { region: cell.region, value: self.value.at(&cell.at), inside }
    }
}

/// Append the encoded chunk to `out`; false, and nothing is appended, if it is all fill value.
///
/// `before` is what is stored; it is not looked at if the patch is whole.
pub(crate) fn encode(
    plan: &Plan,
    chain: &Chain,
    patch: &Patch,
    before: Option<&[u8]>,
    keep_empty: bool,
    arena: &mut Arena,
    out: &mut Output,
) -> Result<bool> {
    let before = before.filter(|_| !patch.is_whole());
    let patch = patch.stored(chain);
    match &chain.body {
        Body::Plain(plain) => encode_plain(chain, plain, &patch, before, keep_empty, arena, out),
        Body::Variable(_) => variable::encode(plan, chain, &patch, before, keep_empty, arena, out),
        Body::Shard(shard) if chain.codecs.is_empty() => {
            encode_shard(plan, shard, &patch, before, keep_empty, arena, out)
        }
        Body::Shard(shard) => {
            let mut decoded = arena.take();
            let mut inner = Output::default();
            let result = before
                .map(|data| decode_shard_bytes(chain, data, &mut decoded, arena))
                .transpose()
                .and_then(|size| {
                    let before = size.map(|size| decoded.bytes(size));
                    encode_shard(plan, shard, &patch, before, keep_empty, arena, &mut inner)
                });
            arena.give(decoded);
            if !result? {
                return Ok(false);
            }
            encode_bytes(chain, inner.bytes(), arena, out)?;
            Ok(true)
        }
    }
}

fn encode_plain(
    chain: &Chain,
    plain: &Plain,
    patch: &Patch,
    before: Option<&[u8]>,
    keep_empty: bool,
    arena: &mut Arena,
    out: &mut Output,
) -> Result<bool> {
    let is_full = patch.region.is_full(&chain.stored_shape);
    let is_direct = is_full
        && plain.item.swap == 1
        && plain.delta.is_none()
        && patch.value.is_contiguous(&chain.stored_shape, plain.item.size);
    if is_direct {
        // SAFETY: the patch's value is valid for the chunk, contiguous.
        let raw = unsafe { patch.value.bytes(chain.bytes) };
        if !keep_empty && memory::is_filled(raw, &plain.fill) {
            return Ok(false);
        }
        encode_bytes(chain, raw, arena, out)?;
        return Ok(true);
    }
    let gather = |raw: &mut [u8], arena: &mut Arena| {
        gather(chain, plain, patch, before, is_full, raw, arena)?;
        if !keep_empty && memory::is_filled(raw, &plain.fill) {
            return Ok(false);
        }
        if let Some(delta) = plain.delta {
            delta.encode(raw);
        }
        Ok(true)
    };
    if chain.codecs.is_empty() {
        let mut is_stored = false;
        out.append(chain.bytes, |raw| {
            is_stored = gather(raw, arena)?;
            Ok(if is_stored { chain.bytes } else { 0 })
        })?;
        return Ok(is_stored);
    }
    let mut buffer = arena.take();
    let result = (|| {
        let raw = buffer.get(chain.bytes)?;
        let is_stored = gather(raw, arena)?;
        if is_stored {
            encode_bytes(chain, raw, arena, out)?;
        }
        Ok(is_stored)
    })();
    arena.give(buffer);
    result
}

/// Put the chunk together as stored: what was there, or the fill value, under the new elements.
fn gather(
    chain: &Chain,
    plain: &Plain,
    patch: &Patch,
    before: Option<&[u8]>,
    is_full: bool,
    raw: &mut [u8],
    arena: &mut Arena,
) -> Result<()> {
    match before {
        Some(data) => decode_raw(chain, plain, data, raw, arena)?,
        None if is_full => {}
        None => memory::fill_slice(raw, &plain.fill),
    }
    overlay(chain, plain, patch, raw, arena);
    Ok(())
}

/// Put the new elements in their place in a chunk as stored.
pub(crate) fn overlay(
    chain: &Chain,
    plain: &Plain,
    patch: &Patch,
    raw: &mut [u8],
    arena: &mut Arena,
) {
    let strides = Dims::from_fn(patch.region.count.len(), |d| {
        chain.stored_strides[d].wrapping_mul(patch.region.step[d] as isize)
    });
    let target = memory::view_of_mut(raw, chain.stored_strides).at(&patch.region.start);
    let target = target.with_strides(strides);
    let (region, item) = (&patch.region, plain.item);
    // SAFETY: the region lies within the chunk, whose bytes `raw` holds; the value is valid for it.
    unsafe {
        match &region.picked {
            None => memory::copy(&target, &patch.value, &region.count, item),
            Some(picked) => {
                let runs = &mut arena.runs;
                runs::copy(&target, &patch.value, region, picked, item, Unit::Target, runs);
            }
        }
    }
}

/// Apply the bytes-to-bytes codecs and append the result.
pub(crate) fn encode_bytes(
    chain: &Chain,
    raw: &[u8],
    arena: &mut Arena,
    out: &mut Output,
) -> Result<()> {
    let Some((last, first)) = chain.codecs.split_last() else {
        return out.extend(raw);
    };
    let room = |number: usize, size: usize| {
        chain.codecs[number].bound(size).ok_or_else(|| Error::memory(size))
    };
    // A checksum at the end needs no copy of what it covers.
    if let (BytesCodec::Crc32c, [codec]) = (last, first) {
        let start = out.len();
        out.append(room(0, raw.len())?, |t| codec.encode(&mut arena.contexts, raw, t))?;
        let sum = crate::codec::crc32c::of(&out.bytes()[start..]);
        return out.extend(&sum.to_le_bytes());
    }
    let (mut current, mut next) = (arena.take(), arena.take());
    let mut size = None;
    let result = (|| {
        for (number, codec) in first.iter().enumerate() {
            let source = size.map_or(raw, |n| current.bytes(n));
            let target = next.get(room(number, source.len())?)?;
            size = Some(codec.encode(&mut arena.contexts, source, target)?);
            std::mem::swap(&mut current, &mut next);
        }
        let source = size.map_or(raw, |n| current.bytes(n));
        let room = room(first.len(), source.len())?;
        out.append(room, |target| last.encode(&mut arena.contexts, source, target))
    })();
    arena.give(next);
    arena.give(current);
    result
}

/// The subchunks of a shard in C order, those of a patch among them.
pub(crate) struct ShardPatch<'a> {
    pub plan: &'a Plan,
    pub shard: &'a Shard,
    /// In stored axes.
    pub patch: &'a Patch<'a>,
    /// What is stored, with its index; None where nothing is or nothing of it stays.
    pub before: Option<(&'a [u8], &'a [Entry])>,
    /// The touched subchunks.
    pub pieces: &'a Pieces,
    pub keep_empty: bool,
}

impl ShardPatch<'_> {
    /// Append the encoded subchunks number `from` to `to` of the shard to `out`; push one entry
    /// for each, its offset counted from the end of what `out` held.
    pub fn encode(
        &self,
        from: usize,
        to: usize,
        arena: &mut Arena,
        out: &mut Output,
        entries: &mut Vec<Entry>,
    ) -> Result<()> {
        reserve(entries, to - from)?;
        let origin = out.len();
        for (number, coords) in (from..).zip(Coords::range(&self.shard.counts, from, to)) {
            let start = out.len();
            let is_stored = self.append(number, &coords, arena, out)?;
            entries.push(if is_stored {
                Entry { offset: (start - origin) as u64, size: (out.len() - start) as u64 }
            } else {
                Entry::NONE
            });
        }
        Ok(())
    }

    fn append(
        &self,
        number: usize,
        coords: &Dims,
        arena: &mut Arena,
        out: &mut Output,
    ) -> Result<bool> {
        let before = match self.before {
            None => None,
            Some((data, index)) => index[number]
                .range(data.len() as u64)
                .map_err(|error| in_subchunk(error, coords))?
                .map(|(start, stop)| &data[start as usize..stop as usize]),
        };
        let Some(cell) = self.pieces.touched(coords) else {
            let Some(data) = before else { return Ok(false) };
            out.extend(data)?;
            return Ok(true);
        };
        let inner = &self.shard.inner;
        let patch = self.patch.of_cell(&cell, &inner.shape);
        encode(self.plan, inner, &patch, before, self.keep_empty, arena, out)
            .map_err(|error| in_subchunk(error, coords))
    }
}

fn encode_shard(
    plan: &Plan,
    shard: &Shard,
    patch: &Patch,
    before: Option<&[u8]>,
    keep_empty: bool,
    arena: &mut Arena,
    out: &mut Output,
) -> Result<bool> {
    let mut known = arena.take_index();
    let mut entries = arena.take_index();
    let mut pieces = arena.take_pieces();
    pieces.fill(&patch.region, &shard.inner.shape);
    entries.clear();
    let result = (|| {
        if let Some(data) = before {
            shard.index.decode(shard.index.find(data)?, &mut known)?;
        }
        let before = before.map(|data| (data, &known[..]));
        let all = ShardPatch { plan, shard, patch, before, pieces: &pieces, keep_empty };
        let start = out.len();
        if shard.index.at_start {
            // The place is filled in once the offsets are known.
            out.append(shard.index.bytes(), |place| Ok(place.len()))?;
        }
        all.encode(0, shard.index.entries, arena, out, &mut entries)?;
        if !entries.iter().any(|entry| *entry != Entry::NONE) {
            out.truncate(start);
            return Ok(false);
        }
        let index = finish_index(shard, &mut entries)?;
        if shard.index.at_start {
            out.tail_mut(start)?[..index.len()].copy_from_slice(&index);
        } else {
            out.extend(&index)?;
        }
        Ok(true)
    })();
    arena.give_pieces(pieces);
    arena.give_index(entries);
    arena.give_index(known);
    result
}

/// Encode the index of subchunks whose offsets are counted from the first subchunk.
pub(crate) fn finish_index(shard: &Shard, entries: &mut [Entry]) -> Result<Vec<u8>> {
    let shift = if shard.index.at_start { shard.index.bytes() as u64 } else { 0 };
    for entry in entries.iter_mut().filter(|entry| **entry != Entry::NONE) {
        entry.offset += shift;
    }
    let mut index = Vec::new();
    reserve(&mut index, shard.index.bytes())?;
    shard.index.encode(entries, &mut index);
    Ok(index)
}

/// Make room where the metadata says how much: a document may ask for more than there is.
pub(crate) fn reserve<T>(list: &mut Vec<T>, count: usize) -> Result<()> {
    list.try_reserve(count).map_err(|_| Error::memory(count.saturating_mul(size_of::<T>())))
}

/// Coordinates in C order.
struct Coords {
    shape: Dims,
    next: Dims,
    left: usize,
}

impl Coords {
    fn range(shape: &Dims, from: usize, to: usize) -> Self {
        let mut next = Dims::filled(shape.len(), 0);
        let mut rest = from;
        for d in (0..shape.len()).rev() {
            next[d] = rest % shape[d].max(1);
            rest /= shape[d].max(1);
        }
        debug_assert!(product(shape).is_some_and(|n| to <= n));
        Self { shape: *shape, next, left: to - from }
    }
}

impl Iterator for Coords {
    type Item = Dims;

    fn next(&mut self) -> Option<Dims> {
        self.left = self.left.checked_sub(1)?;
        let found = self.next;
        for d in (0..self.shape.len()).rev() {
            self.next[d] += 1;
            if self.next[d] < self.shape[d] {
                break;
            }
            self.next[d] = 0;
        }
        Some(found)
    }
}
