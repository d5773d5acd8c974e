//! Reading frames.

use super::header::{
    BITSHUFFLED, FORMAT_BLOSCLZ, FORMAT_LZ4, FORMAT_SNAPPY, FORMAT_ZLIB, FORMAT_ZSTD, Header,
    MEMCPYED, SHUFFLED,
};
use super::{HEADER, bits, clz};
use crate::codec::deflate::{Deflate, Wrapper};
use crate::codec::shuffle::unshuffle;
use crate::codec::{Contexts, lz4, store, too_much, zstd};
use crate::error::{Error, Result};

const ZLIB: Deflate = Deflate { wrapper: Wrapper::Zlib, level: 1 };

/// Decode a frame.
///
/// # Errors
/// The frame is malformed, or decodes to more than `target` holds.
pub fn decode(cx: &mut Contexts, frame: &[u8], target: &mut [u8]) -> Result<usize> {
    decode_span(cx, frame, target, 0..usize::MAX)
}

/// How many bytes a frame says it decodes to.
///
/// # Errors
/// The header is malformed.
pub fn claimed(frame: &[u8]) -> Result<usize> {
    Header::read(frame).map(|header| header.size)
}

/// Decode the blocks of a frame that hold some of the bytes in `span`; the others are not touched.
///
/// # Errors
/// As for [`decode`], as far as those blocks go.
pub fn decode_span(
    cx: &mut Contexts,
    frame: &[u8],
    target: &mut [u8],
    span: std::ops::Range<usize>,
) -> Result<usize> {
    let header = Header::read(frame)?;
    let room = target.len();
    let target = target.get_mut(..header.size).ok_or_else(|| too_much(header.size, room))?;
    if header.is(MEMCPYED) {
        let body = frame.get(HEADER..).unwrap_or_default();
        if body.len() != header.size {
            return Err(Error::corrupt("the blosc frame is cut off"));
        }
        return store(body, target);
    }
    if header.format() == FORMAT_BLOSCLZ {
        clz::decode(frame, target)?;
        return Ok(header.size);
    }
    // What is counted from here on is within the frame.
    if header.n_blocks() > (frame.len() - HEADER) / 4 {
        return Err(cut_off());
    }
    let mut block = std::mem::take(&mut cx.blosc.block);
    let result = (|| {
        // No larger than the target, whatever the frame says.
        let arranged = block.get(header.blocksize.min(header.size))?;
        let size = header.blocksize.max(1);
        let first = span.start / size;
        let last = span.end.div_ceil(size).max(first);
        let blocks = target.chunks_mut(size).enumerate();
        for (number, part) in blocks.take(last).skip(first) {
            decode_block(cx, &header, frame, number, arranged, part)?;
        }
        Ok(header.size)
    })();
    cx.blosc.block = block;
    result
}

fn cut_off() -> Error {
    Error::corrupt("a block of the blosc frame lies outside it")
}

fn number_at(frame: &[u8], at: usize) -> Result<usize> {
    let bytes = frame.get(at..).and_then(|rest| rest.first_chunk::<4>()).ok_or_else(cut_off)?;
    usize::try_from(i32::from_le_bytes(*bytes)).map_err(|_| cut_off())
}

fn decode_block(
    cx: &mut Contexts,
    header: &Header,
    frame: &[u8],
    number: usize,
    arranged: &mut [u8],
    part: &mut [u8],
) -> Result<()> {
    let start = number_at(frame, HEADER + 4 * number)?;
    if start < HEADER + 4 * header.n_blocks() {
        return Err(cut_off());
    }
    let arranged = arranged.get_mut(..part.len()).ok_or_else(cut_off)?;
    if header.is(SHUFFLED) && header.typesize > 1 {
        decode_streams(cx, header, frame, start, arranged)?;
        unshuffle(header.typesize, arranged, part);
    } else if header.is(BITSHUFFLED) {
        decode_streams(cx, header, frame, start, arranged)?;
        bits::unshuffle(header.typesize, arranged, part);
    } else {
        decode_streams(cx, header, frame, start, part)?;
    }
    Ok(())
}

fn decode_streams(
    cx: &mut Contexts,
    header: &Header,
    frame: &[u8],
    start: usize,
    block: &mut [u8],
) -> Result<()> {
    let streams = header.n_streams(block.len());
    let size = block.len() / streams;
    if size * streams != block.len() {
        return Err(Error::corrupt("a block of the blosc frame cannot be split evenly"));
    }
    let mut at = start;
    for stream in block.chunks_exact_mut(size.max(1)) {
        let stored = number_at(frame, at)?;
        let body = at + 4;
        at = body.checked_add(stored).ok_or_else(cut_off)?;
        let data = frame.get(body..at).ok_or_else(cut_off)?;
        if stored == size {
            stream.copy_from_slice(data);
        } else {
            decode_stream(cx, header.format(), data, stream)?;
        }
    }
    Ok(())
}

fn decode_stream(cx: &mut Contexts, format: u8, data: &[u8], stream: &mut [u8]) -> Result<()> {
    let found = match format {
        FORMAT_LZ4 => return lz4::decode_block(data, stream),
        FORMAT_ZLIB => ZLIB.decode(&mut cx.deflate, data, stream)?,
        FORMAT_ZSTD => zstd::decode(&mut cx.zstd, data, stream)?,
        FORMAT_SNAPPY => {
            let message = "the blosc frame is compressed with snappy, which is not covered";
            return Err(Error::unsupported(message));
        }
        other => {
            let message = format!("the blosc frame names the format {other}, which there is not");
            return Err(Error::corrupt(message));
        }
    };
    if found == stream.len() {
        Ok(())
    } else {
        Err(Error::corrupt("a stream of the blosc frame decodes to too little"))
    }
}
