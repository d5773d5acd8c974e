//! Codec chains: transposes folded into one, the body, and the bytes-to-bytes codecs.

use serde_json::{Map, Value};

use super::dtype::Element;
use super::{Body, Chain, Plain, Shard, Variable, codecs, json};
use crate::codec::delta::Delta;
use crate::codec::{BytesCodec, crc32c};
use crate::dims::{Dims, c_strides, product};
use crate::error::{Error, Result};
use crate::memory::{Item, swap_in_place};
use crate::shard::IndexLayout;

const MAX_DEPTH: usize = 4;

/// Compile the chain of chunks of `shape`.
pub(super) fn compile(
    chain: &[Value],
    shape: Dims,
    element: &Element,
    depth: usize,
) -> Result<Chain> {
    let bytes = product(&shape)
        .and_then(|n| n.checked_mul(element.size))
        .filter(|&n| isize::try_from(n).is_ok())
        .ok_or_else(|| Error::unsupported("a chunk has more bytes than this machine can count"))?;
    let cost = product(&shape).unwrap_or(usize::MAX).saturating_mul(element.cost);
    let after_elements = element.encoded();
    let mut order: Option<Dims> = None;
    let mut delta = None;
    let mut body = None;
    let mut after = Vec::new();
    for value in chain {
        let (name, configuration) = json::named(Some(value), "codecs")?;
        if body.is_some() {
            after.extend(bytes_codec(value, name, configuration, &after_elements)?);
            continue;
        }
        match name {
            "transpose" if delta.is_some() => {
                return Err(Error::unsupported("a transpose after a filter is not covered"));
            }
            "transpose" => {
                let next = transpose_order(configuration, shape.len())?;
                order = Some(order.map_or(next, |before| before.permuted(&next)));
            }
            "delta" | "numcodecs.delta" if delta.is_none() => {
                delta = Some(codecs::delta(configuration, element)?);
            }
            "vlen-bytes" | "vlen-utf8" if delta.is_none() => {
                body = Some(variable(name == "vlen-utf8", element)?);
            }
            "bytes" | "endian" if element.is_variable() => {
                return Err(Error::invalid("elements of no fixed size need a vlen codec"));
            }
            "bytes" | "endian" => body = Some(plain(configuration, element, delta)?),
            "sharding_indexed" if delta.is_none() => {
                let stored = order.as_ref().map_or(shape, |order| shape.permuted(order));
                body = Some(shard(configuration, &stored, element, depth)?);
            }
            _ if json::may_be_ignored(value) => {}
            _ => return Err(Error::unsupported(format!("the codec {name:?} is not covered"))),
        }
    }
    let body = body.ok_or_else(|| Error::invalid("codecs has no array-to-bytes codec"))?;
    let identity = |order: &Dims| order.iter().enumerate().all(|(d, &axis)| d == axis);
    let order = order.filter(|order| !identity(order));
    let stored_shape = order.as_ref().map_or(shape, |order| shape.permuted(order));
    check_shuffles(&body, bytes, &after)?;
    let bounds = if element.is_variable() {
        if matches!(body, Body::Shard(_)) && !after.is_empty() {
            return Err(Error::unsupported(
                "codecs around a shard of elements of no fixed size are not covered",
            ));
        }
        vec![0; after.len() + 1]
    } else {
        bounds(&body, bytes, &after)?
    };
    Ok(Chain {
        shape,
        order,
        stored_shape,
        stored_strides: c_strides(&stored_shape, element.size),
        bytes,
        cost,
        body,
        codecs: after,
        bounds,
    })
}

fn bytes_codec(
    value: &Value,
    name: &str,
    configuration: &Map<String, Value>,
    element: &Element,
) -> Result<Option<BytesCodec>> {
    match codecs::bytes_codec(name, configuration, element)? {
        Some(codec) => Ok(Some(codec)),
        None if json::may_be_ignored(value) => Ok(None),
        None => Err(Error::unsupported(format!("the codec {name:?} is not covered"))),
    }
}

/// A shuffle takes whole elements only; what comes to it must be known to be such.
fn check_shuffles(body: &Body, bytes: usize, codecs: &[BytesCodec]) -> Result<()> {
    let mut size = matches!(body, Body::Plain(_)).then_some(bytes);
    for codec in codecs {
        size = match (codec, size) {
            (BytesCodec::Crc32c, size) => size.and_then(|n| n.checked_add(crc32c::SIZE)),
            (BytesCodec::Shuffle(shuffle), size) if shuffle.element_bytes == 1 => size,
            (BytesCodec::Shuffle(shuffle), Some(n)) if n.is_multiple_of(shuffle.element_bytes) => {
                size
            }
            (BytesCodec::Shuffle(shuffle), _) => {
                let found = size.map_or(String::from("a varying number of"), |n| n.to_string());
                return Err(Error::unsupported(format!(
                    "a shuffle of {}-byte elements cannot take {found} bytes",
                    shuffle.element_bytes
                )));
            }
            _ => None,
        };
    }
    Ok(())
}

/// Bytes-to-bytes codecs of other writers may need a little more than ours; leave room for it.
fn bounds(body: &Body, bytes: usize, codecs: &[BytesCodec]) -> Result<Vec<usize>> {
    let too_large =
        || Error::unsupported("an encoded chunk may have more bytes than can be counted");
    let mut size = match body {
        Body::Plain(_) | Body::Variable(_) => bytes,
        Body::Shard(shard) => shard
            .inner
            .bounds
            .last()
            .and_then(|&n| n.checked_mul(shard.index.entries))
            .and_then(|n| n.checked_add(shard.index.bytes()))
            .ok_or_else(too_large)?,
    };
    let mut all = vec![size];
    for codec in codecs {
        size = codec.bound(size).filter(|&n| isize::try_from(n).is_ok()).ok_or_else(too_large)?;
        all.push(size);
    }
    Ok(all)
}

fn transpose_order(configuration: &Map<String, Value>, ndim: usize) -> Result<Dims> {
    match configuration.get("order").and_then(Value::as_str) {
        Some("C") => return Ok(Dims::from_fn(ndim, |d| d)),
        Some("F") => return Ok(Dims::from_fn(ndim, |d| ndim - 1 - d)),
        _ => {}
    }
    let order = json::dims(configuration.get("order"), "order", 0)?;
    let mut seen = Dims::filled(ndim, false);
    for &axis in &*order {
        match seen.get_mut(axis) {
            Some(slot) if !*slot => *slot = true,
            _ => return Err(Error::invalid("the order of a transpose is no permutation")),
        }
    }
    if order.len() != ndim {
        return Err(Error::invalid("the order of a transpose has the wrong length"));
    }
    Ok(order)
}

fn plain(
    configuration: &Map<String, Value>,
    element: &Element,
    delta: Option<Delta>,
) -> Result<Body> {
    let is_big = match configuration.get("endian").and_then(Value::as_str) {
        Some("big") => Some(true),
        Some("little") => Some(false),
        Some(other) => return Err(Error::invalid(format!("the byte order {other:?} is unknown"))),
        None => None,
    };
    let differs = is_big.is_some_and(|is_big| is_big != element.memory_is_big_endian);
    let swap = match (element.unit, is_big) {
        (Some(1), _) => 1,
        (Some(unit), Some(_)) => {
            if differs {
                unit
            } else {
                1
            }
        }
        (Some(_), None) => return Err(Error::invalid("the bytes codec must say its byte order")),
        (None, _) if differs || (is_big.is_none() && element.memory_is_big_endian) => {
            return Err(Error::unsupported("structs in another byte order are not covered"));
        }
        (None, _) => 1,
    };
    let delta = delta.map(|delta| Delta { big_endian: is_big == Some(true), ..delta });
    let mut fill = element.fill.clone();
    swap_in_place(&mut fill, swap);
    Ok(Body::Plain(Plain { item: Item { size: element.size, swap }, fill, delta }))
}

fn variable(is_text: bool, element: &Element) -> Result<Body> {
    if element.text != Some(is_text) {
        return Err(Error::unsupported("vlen codecs of other data types are not covered"));
    }
    let item = Item { size: element.size, swap: 1 };
    let plain = Plain { item, fill: element.fill.clone(), delta: None };
    Ok(Body::Variable(Variable { plain, is_text }))
}

fn shard(
    configuration: &Map<String, Value>,
    shape: &Dims,
    element: &Element,
    depth: usize,
) -> Result<Body> {
    if depth >= MAX_DEPTH {
        return Err(Error::unsupported("shards are nested too deeply"));
    }
    let inner = json::dims(configuration.get("chunk_shape"), "chunk_shape", 1)?;
    let fits = inner.len() == shape.len()
        && shape.iter().zip(&*inner).all(|(&shard, &chunk)| shard.is_multiple_of(chunk));
    if !fits {
        return Err(Error::invalid("subchunks must divide their shard"));
    }
    let counts = Dims::from_fn(shape.len(), |d| shape[d] / inner[d]);
    let index = index_layout(configuration, &counts)?;
    let chain = json::list(configuration.get("codecs"), "codecs")?;
    let inner = compile(chain, inner, element, depth + 1)?;
    Ok(Body::Shard(Box::new(Shard { counts, index, inner })))
}

fn index_layout(configuration: &Map<String, Value>, counts: &Dims) -> Result<IndexLayout> {
    let entries = product(counts)
        .filter(|n| n.checked_mul(16).and_then(|n| n.checked_add(64)).is_some())
        .ok_or_else(|| Error::unsupported("a shard has more subchunks than can be counted"))?;
    let at_start = match configuration.get("index_location").and_then(Value::as_str) {
        None | Some("end") => false,
        Some("start") => true,
        Some(other) => {
            return Err(Error::invalid(format!("the index location {other:?} is unknown")));
        }
    };
    let mut layout = IndexLayout { entries, at_start, big_endian: false, checksums: 0 };
    let chain = json::list(configuration.get("index_codecs"), "index_codecs")?;
    for (number, value) in chain.iter().enumerate() {
        match (number, json::named(Some(value), "index_codecs")?) {
            (0, ("bytes" | "endian", settings)) => {
                layout.big_endian = settings.get("endian").and_then(Value::as_str) == Some("big");
            }
            (1..=2, ("crc32c", _)) => layout.checksums += 1,
            (_, (name, _)) => {
                return Err(Error::unsupported(format!(
                    "the codec {name:?} around a shard index is not covered"
                )));
            }
        }
    }
    if chain.is_empty() {
        return Err(Error::invalid("index_codecs has no array-to-bytes codec"));
    }
    Ok(layout)
}
