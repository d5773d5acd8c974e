//! Codec chains that cover every codec, and damage: for the tests and the fuzz targets.
#![allow(dead_code)] // not everyone uses all of it

/// Numbers that look random, from a seed that is not 0.
pub struct Random(pub u64);

impl Random {
    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        (self.number() % n.max(1) as u64) as usize
    }

    /// Change, cut, lengthen or splice some bytes.
    pub fn damage(&mut self, data: &mut Vec<u8>) {
        for _ in 0..=self.below(4) {
            let (at, size) = (self.below(data.len()), data.len());
            match self.below(8) {
                _ if size == 0 => data.push(self.number() as u8),
                0 => data.truncate(at),
                1 => data.insert(at, self.number() as u8),
                2 => data[at] ^= 1 << self.below(8),
                3 => {
                    let number = self.odd_number().to_le_bytes();
                    let end = (at + 1 + self.below(8)).min(size);
                    data[at..end].copy_from_slice(&number[..end - at]);
                }
                4 => {
                    let other = self.below(size);
                    data.swap(at, other);
                }
                5 => data[at..].fill(if self.below(2) == 0 { 0 } else { 0xFF }),
                6 => data.extend_from_within(at..),
                _ => data[at] = self.number() as u8,
            }
        }
    }

    /// A number at the edge of something.
    pub fn odd_number(&mut self) -> u64 {
        let odd =
            [0, 1, 0x7F, 0x80, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, u64::MAX, u64::MAX - 15, 1 << 63];
        odd[self.below(odd.len())].wrapping_add(self.below(3) as u64)
    }
}

/// The array-to-bytes codec.
pub const LITTLE: &str = r#"{"name":"bytes","configuration":{"endian":"little"}}"#;

/// A document of an array of 40 by 40 `uint16` in chunks of 32 by 24.
pub fn document(codecs: &str) -> String {
    format!(
        r#"{{"shape":[40,40],"data_type":"uint16","chunk_grid":{{"name":"regular",
        "configuration":{{"chunk_shape":[32,24]}}}},"chunk_key_encoding":"default",
        "codecs":[{codecs}]}}"#
    )
}

/// A shard of subchunks of 8 by 8.
pub fn shard(codecs: &str, location: &str) -> String {
    format!(
        r#"{{"name":"sharding_indexed","configuration":{{"chunk_shape":[8,8],"codecs":[{codecs}],
        "index_codecs":[{LITTLE}],"index_location":"{location}"}}}}"#
    )
}

fn blosc(cname: &str, shuffle: &str, typesize: usize) -> String {
    format!(
        r#"{{"name":"blosc","configuration":{{"cname":"{cname}","clevel":4,"shuffle":"{shuffle}",
        "typesize":{typesize},"blocksize":512}}}}"#
    )
}

/// Every codec, alone and with others.
pub fn chains() -> Vec<String> {
    let zstd = r#"{"name":"zstd","configuration":{"level":1,"checksum":true}}"#;
    let gzip = r#"{"name":"gzip","configuration":{"level":1}}"#;
    let mut tails = vec![String::new()];
    tails.extend(
        [zstd, gzip, r#"{"name":"crc32c"}"#, r#""numcodecs.zlib""#, r#""numcodecs.lz4""#]
            .map(|codec| format!(",{codec}")),
    );
    tails.push(format!(",{zstd},{gzip}"));
    tails.push(format!(
        r#",{{"name":"numcodecs.shuffle","configuration":{{"elementsize":2}}}},{zstd}"#
    ));
    for cname in ["lz4", "lz4hc", "zlib", "zstd", "blosclz"] {
        for (shuffle, typesize) in [("noshuffle", 1), ("shuffle", 2), ("bitshuffle", 2)] {
            tails.push(format!(",{}", blosc(cname, shuffle, typesize)));
        }
    }
    let mut all: Vec<String> = tails.iter().map(|tail| format!("{LITTLE}{tail}")).collect();
    let big = r#"{"name":"bytes","configuration":{"endian":"big"}}"#;
    all.push(format!(r#"{{"name":"transpose","configuration":{{"order":[1,0]}}}},{big},{zstd}"#));
    let delta = r#"{"name":"numcodecs.delta","configuration":{"dtype":"<u2"}}"#;
    all.push(format!("{delta},{LITTLE},{gzip}"));
    let plain = shard(LITTLE, "start");
    all.push(plain.clone());
    all.push(shard(&format!("{LITTLE},{zstd}"), "end"));
    all.push(format!("{},{gzip}", shard(&format!("{LITTLE},{zstd}"), "end")));
    let nested = r#"{"name":"sharding_indexed","configuration":{"chunk_shape":[16,8],"codecs":["#;
    all.push(format!(r#"{nested}{plain}],"index_codecs":[{LITTLE},{{"name":"crc32c"}}]}}}}"#));
    all
}
