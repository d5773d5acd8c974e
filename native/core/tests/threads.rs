//! Many callers at once, each with helpers: for the thread sanitizer, and for itself.
#![allow(clippy::unwrap_used)]
#![allow(unsafe_code)] // readers and writers take views of memory

mod common;

use std::path::PathBuf;

use anyzarr_core::dims::c_strides;
use anyzarr_core::memory::{view_of, view_of_mut};
use anyzarr_core::read::{self, Files};
use anyzarr_core::write::{self, Options};
use anyzarr_core::{Dims, Plan, Region};
use common::{LITTLE, Random};

const EDGE: usize = 512;
const OPTIONS: Options = Options { threads: 3, keep_empty: false };

fn plan(codecs: &str) -> Plan {
    let document = format!(
        r#"{{"shape":[{EDGE},{EDGE}],"data_type":"uint16","chunk_grid":{{"name":"regular",
        "configuration":{{"chunk_shape":[128,256]}}}},"chunk_key_encoding":"default",
        "codecs":[{codecs}]}}"#
    );
    Plan::compile(&document, &[0, 0], false).unwrap()
}

fn plans() -> Vec<Plan> {
    let zstd = format!(r#"{LITTLE},{{"name":"zstd","configuration":{{"level":1}}}}"#);
    let blosc = format!(
        r#"{LITTLE},{{"name":"blosc","configuration":{{"cname":"lz4","clevel":5,
        "shuffle":"shuffle","typesize":2,"blocksize":0}}}}"#
    );
    let shard = format!(
        r#"{{"name":"sharding_indexed","configuration":{{"chunk_shape":[32,32],"codecs":[{zstd}],
        "index_codecs":[{LITTLE},{{"name":"crc32c"}}]}}}}"#
    );
    [LITTLE, &zstd, &blosc, &shard].into_iter().map(plan).collect()
}

fn band(start: usize, count: usize) -> Region<'static> {
    let dims = |values: [usize; 2]| Dims::new(&values).unwrap();
    Region { start: dims([start, 0]), count: dims([count, EDGE]), step: dims([1, 1]), picked: None }
}

struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn write_band(plan: &Plan, files: &Files, start: usize, value: &[u8]) {
    let region = band(start, value.len() / EDGE / 2);
    let view = view_of(value, c_strides(&region.count, 2));
    // SAFETY: the view is of as many elements as the region has.
    unsafe { write::write(plan, files, &region, &view, OPTIONS) }.unwrap();
}

fn read_band(plan: &Plan, files: &Files, start: usize, count: usize) -> Vec<u8> {
    let region = band(start, count);
    let mut out = vec![0xEE; count * EDGE * 2];
    let view = view_of_mut(&mut out, c_strides(&region.count, 2));
    // SAFETY: as above.
    unsafe { read::read(plan, files, &region, &view, 3) }.unwrap();
    out
}

#[test]
fn callers_with_bands_of_their_own_do_not_meet() {
    for (number, plan) in plans().iter().enumerate() {
        let name = format!("anyzarr-threads-{}-{number}", std::process::id());
        let folder = Folder(std::env::temp_dir().join(name));
        let files = Files::new(&folder.0.to_string_lossy(), "");
        write_band(plan, &files, 0, &vec![7; EDGE * EDGE * 2]);
        let files = &files;
        std::thread::scope(|scope| {
            for caller in 0..4 {
                scope.spawn(move || {
                    let mut random = Random(caller as u64 + 1);
                    for _ in 0..3 {
                        let value: Vec<u8> = (0..128 * EDGE * 2)
                            .map(|n| (n / 9) as u8 ^ random.number() as u8 & 3)
                            .collect();
                        write_band(plan, files, caller * 128, &value);
                        assert!(read_band(plan, files, caller * 128, 128) == value);
                        // A part of its chunks, which are read, changed and replaced.
                        write_band(plan, files, caller * 128 + 40, &value[..20 * EDGE * 2]);
                        let found = read_band(plan, files, caller * 128 + 40, 20);
                        assert!(found == value[..20 * EDGE * 2]);
                        read_band(plan, files, 0, EDGE);
                    }
                });
            }
        });
    }
}
