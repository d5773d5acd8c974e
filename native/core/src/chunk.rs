//! One chunk's codecs as pure functions.

use crate::arena::Arena;
use crate::buffer::Output;
use crate::decode::place;
use crate::dims::{Dims, c_strides};
use crate::encode::{Patch, encode};
use crate::error::Result;
use crate::grid::Region;
use crate::memory::{View, view_of, view_of_mut};
use crate::plan::Plan;
use crate::pool;

use std::sync::Mutex;

/// Decode a chunk into `out`, which has `plan.chain.bytes` bytes, in C order.
///
/// # Errors
/// `data` is no such chunk.
pub fn decode(plan: &Plan, data: &[u8], out: &mut [u8]) -> Result<()> {
    let chain = &plan.chain;
    if out.len() != chain.bytes {
        return Err(crate::Error::invalid("the buffer has not the size of a chunk"));
    }
    let view = view_of_mut(out, c_strides(&chain.shape, plan.itemsize));
    pool::run(1, 1, |arena, _| place(plan, chain, data, &Region::full(&chain.shape), &view, arena))
}

/// Encode a chunk, also one that is all fill value.
///
/// # Errors
/// A codec cannot do it.
pub fn encode_chunk(plan: &Plan, value: &[u8]) -> Result<Vec<u8>> {
    let shape = plan.chain.shape;
    if value.len() != plan.chain.bytes {
        return Err(crate::Error::invalid("the value has not the size of a chunk"));
    }
    let view: View = view_of(value, c_strides(&shape, plan.itemsize));
    let region = Region::full(&shape);
    let patch = Patch { region, value: view, inside: Dims::from_fn(shape.len(), |d| shape[d]) };
    let encoded = Mutex::new(Vec::new());
    pool::run(1, 1, |arena: &mut Arena, _| {
        let mut out = Output::default();
        // Subchunks of fill value are left out, unless nothing would be left.
        if !encode(plan, &plan.chain, &patch, None, false, arena, &mut out)? {
            encode(plan, &plan.chain, &patch, None, true, arena, &mut out)?;
        }
        if let Ok(mut slot) = encoded.lock() {
            *slot = out.bytes().to_vec();
        }
        Ok(())
    })?;
    encoded.into_inner().map_err(|_| crate::Error::new(crate::Kind::Internal, "a chunk was lost"))
}
