//! Decoding where the metadata does not tell how many bytes there will be.
//!
//! What a stream claims is believed as far as its own size justifies it; where it claims nothing,
//! room is made for more until it suffices.

use super::{BytesCodec, Contexts, blosc, crc32c, lz4, zstd};
use crate::arena::Arena;
use crate::buffer::Buffer;
use crate::error::{Error, Result};

/// Beyond what its ratio justifies, anything may decode to so many bytes.
const SLACK: usize = 1 << 17;

/// How large what claims nothing is taken to be at first.
const FIRST_RATIO: usize = 4;
const FIRST_BYTES: usize = 4096;

/// Undo bytes-to-bytes codecs; `buffer` is used where there is anything to undo.
///
/// # Errors
/// `data` is no such stream, or there is not enough memory.
pub(crate) fn decode<'a>(
    codecs: &[BytesCodec],
    data: &'a [u8],
    buffer: &'a mut Buffer,
    arena: &mut Arena,
) -> Result<&'a [u8]> {
    match codecs {
        [] => Ok(data),
        [rest @ .., BytesCodec::Crc32c] => decode(rest, crc32c::check(data)?, buffer, arena),
        [codec] => {
            let size = one(codec, &mut arena.contexts, data, buffer)?;
            Ok(buffer.bytes(size))
        }
        [rest @ .., last] => {
            let mut between = arena.take();
            let size = one(last, &mut arena.contexts, data, &mut between).and_then(|size| {
                let inner = between.bytes(size);
                let mut scratch = arena.take();
                let found = decode(rest, inner, &mut scratch, arena).and_then(|found| {
                    buffer.get(found.len())?.copy_from_slice(found);
                    Ok(found.len())
                });
                arena.give(scratch);
                found
            });
            arena.give(between);
            size.map(|size| buffer.bytes(size))
        }
    }
}

/// How many bytes one byte may decode to.
fn ratio(codec: &BytesCodec) -> usize {
    match codec {
        // A block of 128 KiB that repeats a byte takes 4 bytes.
        BytesCodec::Zstd(_) | BytesCodec::Blosc(_) => 1 << 15,
        // 258 bytes take 2 bits.
        BytesCodec::Deflate(_) => 1032,
        BytesCodec::Lz4(_) => 255,
        BytesCodec::Crc32c | BytesCodec::Shuffle(_) => 1,
    }
}

/// Undo one codec.
fn one(codec: &BytesCodec, cx: &mut Contexts, data: &[u8], buffer: &mut Buffer) -> Result<usize> {
    let most = data.len().saturating_mul(ratio(codec)).saturating_add(SLACK);
    if let Some(size) = claimed(codec, data)? {
        if size > most {
            return Err(Error::corrupt(format!(
                "{} bytes cannot decode to the {size} that they claim",
                data.len()
            )));
        }
        return codec.decode(cx, data, buffer.get(size)?);
    }
    let mut room = data.len().saturating_mul(FIRST_RATIO).max(FIRST_BYTES);
    loop {
        let found = codec.decode(cx, data, buffer.get(room)?);
        match found {
            Err(error) if error.lacks_room() && room < most => {
                room = room.saturating_mul(4).min(most);
            }
            found => return found,
        }
    }
}

/// The size that encoded bytes say they decode to; None if they say nothing.
fn claimed(codec: &BytesCodec, data: &[u8]) -> Result<Option<usize>> {
    Ok(match codec {
        BytesCodec::Zstd(_) => zstd::claimed(data),
        BytesCodec::Deflate(_) => None,
        BytesCodec::Blosc(_) => Some(blosc::claimed(data)?),
        BytesCodec::Lz4(_) => Some(lz4::claimed(data)?),
        BytesCodec::Crc32c | BytesCodec::Shuffle(_) => Some(data.len()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;
    use crate::codec::deflate::{Deflate, Wrapper};
    use crate::codec::lz4::Lz4;
    use crate::codec::zstd::Zstd;

    fn all() -> Vec<BytesCodec> {
        vec![
            BytesCodec::Zstd(Zstd { level: 1, checksum: true }),
            BytesCodec::Deflate(Deflate { wrapper: Wrapper::Gzip, level: 1 }),
            BytesCodec::Deflate(Deflate { wrapper: Wrapper::Zlib, level: 6 }),
            BytesCodec::Lz4(Lz4 { acceleration: 1 }),
            BytesCodec::Crc32c,
        ]
    }

    fn encoded(codecs: &[BytesCodec], plain: &[u8]) -> Result<Vec<u8>> {
        let mut data = plain.to_vec();
        for codec in codecs {
            let mut target = vec![0; codec.bound(data.len()).unwrap_or_default()];
            let size = codec.encode(&mut Contexts::default(), &data, &mut target)?;
            target.truncate(size);
            data = target;
        }
        Ok(data)
    }

    #[test]
    #[cfg_attr(miri, ignore = "calls C")]
    fn sizes_are_found_out() -> Result<()> {
        let mut arena = Arena::default();
        for plain in [vec![], vec![7], vec![0; 3 << 20], (0..=255).cycle().take(70_000).collect()] {
            for first in all() {
                for last in all() {
                    let codecs = [first.clone(), last];
                    let data = encoded(&codecs, &plain)?;
                    let mut buffer = Buffer::default();
                    assert_eq!(decode(&codecs, &data, &mut buffer, &mut arena)?, plain);
                    let one = encoded(&codecs[..1], &plain)?;
                    assert_eq!(decode(&codecs[..1], &one, &mut buffer, &mut arena)?, plain);
                }
            }
        }
        Ok(())
    }

    #[test]
    #[cfg_attr(miri, ignore = "calls C")]
    fn absurd_claims_are_corrupt() {
        let huge = |mut data: Vec<u8>| {
            data.extend_from_slice(&[0xFF; 8]);
            data
        };
        let frame = huge(vec![0x28, 0xB5, 0x2F, 0xFD, 0xE0]);
        let blosc = [2, 1, 0, 1, 255, 255, 255, 127, 255, 255, 255, 127, 20, 0, 0, 0, 1, 2, 3, 4];
        let cases = [
            (all().swap_remove(0), frame),
            (all().swap_remove(3), huge(Vec::new())),
            (all().swap_remove(1), huge(vec![0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3])),
        ];
        let mut arena = Arena::default();
        for (codec, data) in cases {
            let found =
                decode(&[codec], &data, &mut Buffer::default(), &mut arena).map(<[u8]>::len);
            assert_eq!(found.map_err(|error| error.kind()), Err(Kind::Corrupt), "{data:?}");
        }
        assert!(blosc::claimed(&blosc).is_ok_and(|size| size > blosc.len() * (1 << 15) + SLACK));
    }
}
