//! From encoded bytes to elements in their place, for any chain.
#![allow(unsafe_code)] // elements are placed through `View`s, whose makers vouch for them

use crate::arena::Arena;
use crate::codec::{BytesCodec, blosc, crc32c, store};
use crate::dims::Dims;
use crate::error::{Error, Result};
use crate::grid::Region;
use crate::memory::{self, Item, View};
use crate::plan::{Body, Chain, Plain, Plan, Shard};
use crate::runs::{self, Runs, Unit};
use crate::variable;

/// Decode a chunk and put a region of it (in the chunk's axes, within it) where `view` says.
pub(crate) fn place(
    plan: &Plan,
    chain: &Chain,
    data: &[u8],
    region: &Region,
    view: &View,
    arena: &mut Arena,
) -> Result<()> {
    let (region, view) = chain.stored(region, view);
    match &chain.body {
        Body::Plain(plain) => place_plain(chain, plain, data, &region, &view, arena),
        Body::Variable(_) => variable::place(plan, chain, data, &region, &view, arena),
        Body::Shard(shard) if chain.codecs.is_empty() => {
            place_shard(plan, shard, data, &region, &view, arena)
        }
        Body::Shard(shard) => {
            let mut buffer = arena.take();
            let result = decode_shard_bytes(chain, data, &mut buffer, arena)
                .and_then(|n| place_shard(plan, shard, buffer.bytes(n), &region, &view, arena));
            arena.give(buffer);
            result
        }
    }
}

/// Undo the codecs around a shard; return its size.
pub(crate) fn decode_shard_bytes(
    chain: &Chain,
    data: &[u8],
    buffer: &mut crate::buffer::Buffer,
    arena: &mut Arena,
) -> Result<usize> {
    let room = with_slack(chain.bounds[0])?;
    decode_bytes(&chain.codecs, &chain.bounds, data, buffer.get(room)?, arena)
}

/// Other writers' streams may be a little larger than ours could be.
fn with_slack(size: usize) -> Result<usize> {
    size.checked_add(size / 8)
        .and_then(|n| n.checked_add(1 << 16))
        .filter(|&n| isize::try_from(n).is_ok())
        .ok_or_else(|| Error::memory(size))
}

fn place_plain(
    chain: &Chain,
    plain: &Plain,
    data: &[u8],
    region: &Region,
    view: &View,
    arena: &mut Arena,
) -> Result<()> {
    let is_stored = chain.codecs.iter().all(|codec| *codec == BytesCodec::Crc32c);
    if is_stored && plain.delta.is_none() {
        let mut raw = data;
        for _ in &chain.codecs {
            raw = crc32c::check(raw)?;
        }
        check_size(raw.len(), chain.bytes)?;
        scatter(chain, plain, raw, region, view, arena);
        return Ok(());
    }
    let is_direct = region.is_full(&chain.stored_shape)
        && view.is_contiguous(&chain.stored_shape, plain.item.size);
    if is_direct {
        // SAFETY: the view is valid for the region, which is the chunk, contiguous.
        let target = unsafe { view.bytes_mut(chain.bytes) };
        decode_raw(chain, plain, data, target, arena)?;
        memory::swap_in_place(target, plain.item.swap);
        return Ok(());
    }
    let mut buffer = arena.take();
    let result = buffer.get(chain.bytes).and_then(|raw| {
        match (&chain.codecs[..], plain.delta) {
            // Of a Blosc frame only the blocks that are wanted.
            ([BytesCodec::Blosc(_)], None) => {
                let (first, stop) = chain.span(region);
                let found = blosc::decode_span(&mut arena.contexts, data, raw, first..stop)?;
                check_size(found, chain.bytes)?;
            }
            _ => decode_raw(chain, plain, data, raw, arena)?,
        }
        scatter(chain, plain, raw, region, view, arena);
        Ok(())
    });
    arena.give(buffer);
    result
}

/// Decode a chunk into exactly its bytes, as stored.
pub(crate) fn decode_raw(
    chain: &Chain,
    plain: &Plain,
    data: &[u8],
    raw: &mut [u8],
    arena: &mut Arena,
) -> Result<()> {
    let size = decode_bytes(&chain.codecs, &chain.bounds, data, raw, arena)?;
    check_size(size, chain.bytes)?;
    if let Some(delta) = plain.delta {
        delta.decode(raw);
    }
    Ok(())
}

fn check_size(found: usize, expected: usize) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(Error::corrupt(format!("it decodes to {found} bytes where {expected} are expected")))
}

/// Undo bytes-to-bytes codecs; return how many bytes are at the start of `target`.
fn decode_bytes(
    codecs: &[BytesCodec],
    bounds: &[usize],
    data: &[u8],
    target: &mut [u8],
    arena: &mut Arena,
) -> Result<usize> {
    match codecs {
        [] => store(data, target),
        [rest @ .., BytesCodec::Crc32c] => {
            decode_bytes(rest, bounds, crc32c::check(data)?, target, arena)
        }
        [codec] => codec.decode(&mut arena.contexts, data, target),
        [rest @ .., last] => {
            let mut buffer = arena.take();
            let result = with_slack(bounds[rest.len()]).and_then(|room| {
                let size = last.decode(&mut arena.contexts, data, buffer.get(room)?)?;
                decode_bytes(rest, bounds, buffer.bytes(size), target, arena)
            });
            arena.give(buffer);
            result
        }
    }
}

/// Put a region (stored axes) of decoded bytes in its place.
pub(crate) fn scatter(
    chain: &Chain,
    plain: &Plain,
    raw: &[u8],
    region: &Region,
    view: &View,
    arena: &mut Arena,
) {
    debug_assert_eq!(raw.len(), chain.bytes);
    let source = memory::view_of(raw, chain.stored_strides).at(&region.start);
    scatter_from(&source, plain, region, view, arena);
}

/// Put a region of a raw chunk in its place, given the bytes from its first element to its last.
pub(crate) fn scatter_span(
    chain: &Chain,
    plain: &Plain,
    span: &[u8],
    region: &Region,
    view: &View,
    arena: &mut Arena,
) -> Result<()> {
    let (first, stop) = chain.span(region);
    check_size(span.len(), stop - first)?;
    // Where element 0 of the chunk would be.
    let source = memory::view_of(span, chain.stored_strides).moved(-(first as isize));
    scatter_from(&source.at(&region.start), plain, region, view, arena);
    Ok(())
}

fn scatter_from(source: &View, plain: &Plain, region: &Region, view: &View, arena: &mut Arena) {
    let strides = Dims::from_fn(region.count.len(), |d| {
        source.strides()[d].wrapping_mul(region.step[d] as isize)
    });
    let source = source.with_strides(strides);
    // SAFETY: the region lies within the chunk, whose bytes the source holds; the view is valid
    // for it.
    unsafe {
        match &region.picked {
            None => memory::copy(view, &source, &region.count, plain.item),
            Some(picked) => {
                let runs = &mut arena.runs;
                runs::copy(view, &source, region, picked, plain.item, Unit::Source, runs);
            }
        }
    }
}

fn place_shard(
    plan: &Plan,
    shard: &Shard,
    data: &[u8],
    region: &Region,
    view: &View,
    arena: &mut Arena,
) -> Result<()> {
    let mut index = arena.take_index();
    let mut pieces = arena.take_pieces();
    pieces.fill(region, &shard.inner.shape);
    let result = (|| {
        shard.index.decode(shard.index.find(data)?, &mut index)?;
        for cell in pieces.range(0, pieces.len()) {
            let entry = index[shard.number(&cell.coords)];
            let target = view.at(&cell.at);
            match entry.range(data.len() as u64)? {
                None => place_fill(plan, &cell.region, &target),
                Some((start, stop)) => {
                    let encoded = &data[start as usize..stop as usize];
                    place(plan, &shard.inner, encoded, &cell.region, &target, arena)
                        .map_err(|error| in_subchunk(error, &cell.coords))?;
                }
            }
        }
        Ok(())
    })();
    arena.give_pieces(pieces);
    arena.give_index(index);
    result
}

/// Say which subchunk of the shard it was.
pub(crate) fn in_subchunk(error: Error, coords: &[usize]) -> Error {
    error.within(&format!("subchunk {coords:?} of the shard"))
}

/// Put the fill value in the place of a region.
pub(crate) fn place_fill(plan: &Plan, region: &Region, view: &View) {
    let Some(picked) = &region.picked else {
        // SAFETY: the view is valid for these elements.
        unsafe { memory::fill(view, &region.count, &plan.fill) };
        return;
    };
    // A chunk whose elements all lie in the same place.
    let source = memory::view_of(&plan.fill, Dims::filled(region.count.len(), 0));
    let item = Item { size: plan.itemsize, swap: 1 };
    // SAFETY: as above.
    unsafe {
        runs::copy(view, &source, region, picked, item, Unit::Source, &mut Runs::default());
    }
}
