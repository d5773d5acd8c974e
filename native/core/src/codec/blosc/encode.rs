//! Writing frames: the same bytes for the same input, on every machine.

use super::header::{
    BITSHUFFLED, FORMAT_BLOSCLZ, FORMAT_LZ4, FORMAT_ZLIB, FORMAT_ZSTD, Header, MEMCPYED, NOT_SPLIT,
    SHUFFLED,
};
use super::{Arrange, Blosc, HEADER, Inner, bits, clz};
use crate::codec::deflate::{Deflate, Wrapper};
use crate::codec::lz4::{Effort, encode_block};
use crate::codec::shuffle::shuffle;
use crate::codec::zstd::Zstd;
use crate::codec::{Contexts, store};
use crate::error::{Error, Result};

const L1_BYTES: usize = 32 << 10;
const MAX_SPLIT_BLOCK: usize = 1 << 20;
const MIN_BYTES: usize = 128;

impl Blosc {
    /// Encode to one frame.
    ///
    /// # Errors
    /// `source` has 2 GiB or more, or `target` is too small.
    pub fn encode(&self, cx: &mut Contexts, source: &[u8], target: &mut [u8]) -> Result<usize> {
        if source.len() > i32::MAX as usize - HEADER {
            return Err(Error::unsupported("a blosc chunk holds less than 2 GiB"));
        }
        if self.inner == Inner::BloscLz {
            return clz::encode(self, source, target);
        }
        let header = self.header(source.len());
        let room = target.len().min(source.len() + HEADER);
        if self.level > 0 && source.len() >= MIN_BYTES {
            let mut block = std::mem::take(&mut cx.blosc.block);
            let result = self.blocks(cx, &header, source, &mut target[..room], &mut block);
            cx.blosc.block = block;
            if let Some(size) = result? {
                return Ok(size);
            }
        }
        let plain = Header { flags: header.flags | MEMCPYED, ..header };
        store(&plain.bytes(source.len() + HEADER), target)?;
        store(source, &mut target[HEADER..])?;
        Ok(source.len() + HEADER)
    }

    fn header(&self, size: usize) -> Header {
        let format = match self.inner {
            Inner::BloscLz => FORMAT_BLOSCLZ,
            Inner::Lz4 | Inner::Lz4Hc => FORMAT_LZ4,
            Inner::Zlib => FORMAT_ZLIB,
            Inner::Zstd => FORMAT_ZSTD,
        };
        let arranged = match self.arrange {
            Arrange::Plain => 0,
            Arrange::Shuffle => SHUFFLED,
            Arrange::BitShuffle => BITSHUFFLED,
        };
        let split = if self.inner == Inner::Zstd { NOT_SPLIT } else { 0 };
        let flags = format << 5 | split | arranged;
        Header { flags, typesize: self.typesize, size, blocksize: self.block_bytes(size) }
    }

    /// Bytes per block, growing with the level as in C-Blosc; a multiple of the element.
    fn block_bytes(&self, size: usize) -> usize {
        let slow = self.inner != Inner::Lz4;
        let mut bytes = if self.blocksize > 0 {
            self.blocksize.clamp(MIN_BYTES, MAX_SPLIT_BLOCK)
        } else {
            let factor = match self.level {
                ..=1 => 1,
                2 => 2,
                3 => 4,
                4 | 5 => 8,
                _ => 16,
            };
            let doubled = if slow { 2 } else { 1 };
            let last = if slow && self.level == 9 { 2 } else { 1 };
            L1_BYTES / 2 * factor * doubled * last
        };
        if self.blocksize == 0 && self.inner != Inner::Zstd && self.typesize <= 16 {
            bytes = (bytes.min(1 << 18) * self.typesize).clamp(1 << 16, MAX_SPLIT_BLOCK);
        }
        let bytes = bytes.min(size.max(1));
        if bytes > self.typesize { bytes / self.typesize * self.typesize } else { bytes }
    }

    /// Write offsets and blocks; None if that is no smaller than the plain bytes.
    fn blocks(
        &self,
        cx: &mut Contexts,
        header: &Header,
        source: &[u8],
        target: &mut [u8],
        scratch: &mut crate::buffer::Buffer,
    ) -> Result<Option<usize>> {
        let arranged = scratch.get(header.blocksize)?;
        let mut at = HEADER + 4 * header.n_blocks();
        if at >= target.len() {
            return Ok(None);
        }
        for (number, part) in source.chunks(header.blocksize).enumerate() {
            let offset = (at as u32).to_le_bytes();
            store(&offset, &mut target[HEADER + 4 * number..])?;
            let arranged = &mut arranged[..part.len()];
            let block: &[u8] = match self.arrange {
                Arrange::Shuffle if self.typesize > 1 => {
                    shuffle(self.typesize, part, arranged);
                    arranged
                }
                Arrange::BitShuffle => {
                    bits::shuffle(self.typesize, part, arranged);
                    arranged
                }
                _ => part,
            };
            let streams = header.n_streams(block.len());
            for stream in block.chunks_exact((block.len() / streams).max(1)) {
                let Some(size) = self.stream(cx, stream, target.get_mut(at..))? else {
                    return Ok(None);
                };
                at += size;
            }
        }
        store(&header.bytes(at), target)?;
        Ok(Some(at))
    }

    /// Write one stream with its size; None if there is no room for it.
    fn stream(
        &self,
        cx: &mut Contexts,
        stream: &[u8],
        target: Option<&mut [u8]>,
    ) -> Result<Option<usize>> {
        let Some((head, room)) = target.and_then(|t| t.split_first_chunk_mut::<4>()) else {
            return Ok(None);
        };
        // A stream that does not shrink is stored plain, which its size tells.
        let limit = room.len().min(stream.len().saturating_sub(1));
        let size = match self.compress(cx, stream, &mut room[..limit]) {
            Some(size) if size < stream.len() => size,
            _ => match room.get_mut(..stream.len()) {
                Some(place) => {
                    place.copy_from_slice(stream);
                    stream.len()
                }
                None => return Ok(None),
            },
        };
        *head = (size as u32).to_le_bytes();
        Ok(Some(size + 4))
    }

    fn compress(&self, cx: &mut Contexts, stream: &[u8], room: &mut [u8]) -> Option<usize> {
        match self.inner {
            Inner::Lz4 => encode_block(Effort::Fast(10 - self.level), stream, room),
            Inner::Lz4Hc => encode_block(Effort::High(self.level), stream, room),
            Inner::Zlib => Deflate { wrapper: Wrapper::Zlib, level: self.level }
                .encode(&mut cx.deflate, stream, room)
                .ok(),
            Inner::Zstd => {
                let level = match self.level {
                    9 => 22,
                    8 => 20,
                    level => 2 * level - 1,
                };
                Zstd { level, checksum: false }.encode(&mut cx.zstd, stream, room).ok()
            }
            Inner::BloscLz => None,
        }
    }
}
