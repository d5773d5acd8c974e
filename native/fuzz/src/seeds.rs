//! Writes the seeds of every target: valid data of every kind, small, the same on every machine.
//!
//! The argument is the directory; each target has one in it.

use std::path::PathBuf;

use anyzarr_core::chunk::encode_chunk;
use anyzarr_core::codec::blosc::{Arrange, Blosc, Inner};
use anyzarr_core::codec::deflate::{Deflate, Wrapper};
use anyzarr_core::codec::lz4::Lz4;
use anyzarr_core::codec::zstd::Zstd;
use anyzarr_core::codec::{BytesCodec, Contexts};
use anyzarr_core::heap::Ref;
use anyzarr_core::shard::{Entry, IndexLayout};
use anyzarr_fuzz::chunk::plans;
use anyzarr_fuzz::common::{LITTLE, Random, chains, document};
use anyzarr_fuzz::vlen;

struct Seeds {
    root: PathBuf,
    count: usize,
}

impl Seeds {
    fn put(&mut self, target: &str, parts: &[&[u8]]) -> std::io::Result<()> {
        let folder = self.root.join(target);
        std::fs::create_dir_all(&folder)?;
        self.count += 1;
        std::fs::write(folder.join(format!("seed-{:04}", self.count)), parts.concat())
    }
}

fn main() -> std::io::Result<()> {
    let root = std::env::args_os().nth(1).unwrap_or_else(|| "corpus".into());
    let mut seeds = Seeds { root: root.into(), count: 0 };
    codecs(&mut seeds)?;
    blosc(&mut seeds)?;
    indices(&mut seeds)?;
    plans_of_documents(&mut seeds)?;
    chunks(&mut seeds)?;
    elements(&mut seeds)?;
    archives(&mut seeds)
}

/// Bytes that compress in different ways.
fn plains() -> Vec<Vec<u8>> {
    let mut random = Random(11);
    let ramp = (0..600u32).flat_map(|n| ((n / 3) as u16).to_le_bytes()).collect();
    let noise = (0..300).map(|_| random.number() as u8).collect();
    let mixed = (0..1200).map(|n| if n % 5 == 0 { random.number() as u8 } else { 7 }).collect();
    vec![Vec::new(), vec![9], vec![0; 1000], ramp, noise, mixed]
}

fn encoded(codec: &BytesCodec, plain: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut target = vec![0; codec.bound(plain.len()).unwrap_or(0)];
    let size = codec
        .encode(&mut Contexts::default(), plain, &mut target)
        .map_err(|error| std::io::Error::other(error.to_string()))?;
    target.truncate(size);
    Ok(target)
}

fn codecs(seeds: &mut Seeds) -> std::io::Result<()> {
    for plain in plains() {
        let room = (plain.len() as u16).to_le_bytes();
        for (options, level) in [(0u8, -5), (0x81, 0), (0x82, 12)] {
            let codec = BytesCodec::Zstd(Zstd { level, checksum: options != 0 });
            let frame = encoded(&codec, &plain)?;
            seeds.put("zstd", &[&room, &[options], &frame])?;
            let twice = ((2 * plain.len()) as u16).to_le_bytes();
            seeds.put(
                "zstd",
                &[&twice, &[options], b"\x50\x2a\x4d\x18\x01\0\0\0x", &frame, &frame],
            )?;
        }
        for (options, wrapper) in [(0u8, Wrapper::Gzip), (0x80, Wrapper::Zlib)] {
            for level in [0, 1, 9] {
                let stream = encoded(&BytesCodec::Deflate(Deflate { wrapper, level }), &plain)?;
                seeds.put("deflate", &[&room, &[options | level as u8], &stream])?;
                let twice = ((2 * plain.len()) as u16).to_le_bytes();
                seeds.put("deflate", &[&twice, &[options], &stream, &stream, &[0; 3]])?;
            }
        }
        let block = encoded(&BytesCodec::Lz4(Lz4 { acceleration: 1 }), &plain)?;
        seeds.put("lz4", &[&room, &[101], &block])?;
    }
    Ok(())
}

fn blosc(seeds: &mut Seeds) -> std::io::Result<()> {
    let arranged = [Arrange::Plain, Arrange::Shuffle, Arrange::BitShuffle];
    let inner = [Inner::BloscLz, Inner::Lz4, Inner::Lz4Hc, Inner::Zlib, Inner::Zstd];
    for (number, plain) in plains().iter().enumerate() {
        for (i, &inner) in inner.iter().enumerate() {
            for (a, &arrange) in arranged.iter().enumerate() {
                let typesize = [1, 2, 4, 8, 3, 2][(number + i + a) % 6];
                let blocksize = [0, 256, 500][(number + i) % 3];
                let settings = Blosc { inner, level: 5, arrange, typesize, blocksize };
                let frame = encoded(&BytesCodec::Blosc(settings), plain)?;
                let room = (plain.len() as u16).to_le_bytes();
                let options = (i + 5 * a) as u8;
                seeds.put("blosc", &[&room, &[10, 0, 0, 1, options, 35], &frame])?;
            }
        }
    }
    Ok(())
}

fn indices(seeds: &mut Seeds) -> std::io::Result<()> {
    for options in 0..12u8 {
        let layout = IndexLayout {
            entries: 4,
            at_start: options & 1 != 0,
            big_endian: options & 2 != 0,
            checksums: usize::from(options >> 2),
        };
        let size = layout.bytes() as u64;
        let start = if layout.at_start { size } else { 0 };
        let entry = |n: u64| Entry { offset: start + n, size: 5 };
        let mut index = Vec::new();
        layout.encode(&[entry(0), Entry::NONE, entry(5), entry(10)], &mut index);
        let body = [7; 15];
        let parts: [&[u8]; 2] = if layout.at_start { [&index, &body] } else { [&body, &index] };
        seeds.put("shard_index", &[&[options, 4], parts[0], parts[1]])?;
    }
    Ok(())
}

fn plans_of_documents(seeds: &mut Seeds) -> std::io::Result<()> {
    for codecs in chains() {
        seeds.put("plan", &[&[2, 0, 0], document(&codecs).as_bytes()])?;
    }
    let types = [("bool", 1), ("int8", 1), ("float16", 2), ("float32", 4), ("complex128", 16)];
    for (number, (name, size)) in types.into_iter().enumerate() {
        let edge = number + 1;
        let text = format!(
            r#"{{"shape":[7,{edge},5],"data_type":"{name}","chunk_grid":{{"name":"regular",
            "configuration":{{"chunk_shape":[3,{edge},2]}}}},"chunk_key_encoding":{{"name":"v2",
            "configuration":{{"separator":"/"}}}},"codecs":[{LITTLE},"zstd"],
            "storage_transformers":[],"attributes":{{}},"dimension_names":["z",null,"x"]}}"#
        );
        seeds.put("plan", &[&[size], &vec![1; usize::from(size)], text.as_bytes()])?;
    }
    Ok(())
}

fn chunks(seeds: &mut Seeds) -> std::io::Result<()> {
    let mut random = Random(12);
    for (number, plan) in plans().iter().enumerate() {
        let size = plan.chain.bytes;
        let ramp: Vec<u8> = (0..size / 2).flat_map(|n| ((n / 5) as u16).to_le_bytes()).collect();
        let sparse: Vec<u8> =
            (0..size).map(|n| if n < 200 { random.number() as u8 } else { 0 }).collect();
        for (options, value) in [(1, ramp), (3, sparse)] {
            let data = encode_chunk(plan, &value)
                .map_err(|error| std::io::Error::other(error.to_string()))?;
            let kind = ((number + usize::from(options)) % 5) as u8;
            let selected = [kind, 3, 5, 0, (number % 4) as u8, 20, 9];
            // Of points there are up to two lists: a count less one, and the indices.
            let points: &[u8] = match kind {
                0 => &[],
                3 => &[2, 30, 1, 1, 3, 7, 20, 21, 2],
                4 => &[2, 30, 1, 17, 3, 3, 23],
                _ => &[3, 9, 4, 4, 20],
            };
            seeds.put("chunk", &[&[number as u8, options], &selected, points, &data])?;
        }
    }
    Ok(())
}

fn elements(seeds: &mut Seeds) -> std::io::Result<()> {
    let lengths: [fn(usize) -> usize; 3] = [|_| 0, |n| usize::from(n < 30) * (n % 4), |n| n % 3];
    for (number, plan) in vlen::plans().iter().enumerate() {
        for (options, length) in lengths.into_iter().enumerate() {
            let count = plan.chain.bytes / Ref::SIZE;
            let all: Vec<Vec<u8>> = (0..count).map(|n| vec![b'a'; length(n)]).collect();
            let (plan, refs) = vlen::bound(plan, &all);
            let data = encode_chunk(&plan, &refs)
                .map_err(|error| std::io::Error::other(error.to_string()))?;
            let kind = ((number + options) % 2 * 4) as u8;
            let selected = [kind, 3, 5, 0, (number % 4) as u8, 20, 9];
            let points: &[u8] = if kind == 0 { &[] } else { &[2, 30, 1, 17, 3, 3, 23] };
            seeds.put("vlen", &[&[number as u8, options as u8], &selected, points, &data])?;
        }
    }
    Ok(())
}

fn archives(seeds: &mut Seeds) -> std::io::Result<()> {
    let name = anyzarr_fuzz::archive::KEY.as_bytes();
    for (before, extra) in [(0u8, 0u8), (5, 0), (0, 9)] {
        let mut file = vec![b'-'; usize::from(before)];
        file.extend_from_slice(b"PK\x03\x04");
        file.resize(usize::from(before) + 26, 0);
        file.extend_from_slice(&[name.len() as u8, 0, extra, 0]);
        file.extend_from_slice(name);
        file.resize(file.len() + usize::from(extra), b'+');
        file.extend_from_slice(b"sixteen bytes ..");
        let size = file.len() as u8;
        for options in [0, 1, 2, 3] {
            let numbers = [before, 0, 16, 0, size, 0];
            seeds.put("archive", &[&[options, 3, 9], &numbers, &file])?;
        }
    }
    Ok(())
}
