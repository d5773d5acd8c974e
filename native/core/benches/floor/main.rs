//! The floor beside the engine: what the workload costs when only the necessary work is done.
//!
//! 2048 x 2048 uint16, subchunks of 64 x 64 in shards of 512 x 512, zstd 3. The floor knows
//! every offset beforehand: per shard one open, one read, 64 decodes into one block, 64 rows
//! copied per block, on as many threads as the engine. Run with `cargo bench`.
//!
//! With a folder as its argument, the floor of the layout described there; see [`layout`].
#![allow(unsafe_code)] // rows are copied into an output that threads share
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod layout;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyzarr_core::read::{Files, read};
use anyzarr_core::write::{Options, write};
use anyzarr_core::{Dims, Plan, Region, View};
use zstd_safe::{CCtx, CParameter, DCtx};

const SIDE: usize = 2048;
const SHARD: usize = 512;
const CHUNK: usize = 64;
const SHARDS: usize = (SIDE / SHARD) * (SIDE / SHARD);
const BLOCKS: usize = (SHARD / CHUNK) * (SHARD / CHUNK);
const BLOCK_BYTES: usize = CHUNK * CHUNK * 2;
const REPEAT: usize = 21;
const LAYOUT_REPEAT: usize = 5;

const DOCUMENT: &str = r#"{"shape":[2048,2048],"data_type":"uint16",
"chunk_grid":{"name":"regular","configuration":{"chunk_shape":[512,512]}},
"chunk_key_encoding":{"name":"default"},"codecs":[{"name":"sharding_indexed","configuration":{
"chunk_shape":[64,64],"codecs":[{"name":"bytes","configuration":{"endian":"little"}},
{"name":"zstd","configuration":{"level":3}}],"index_codecs":[{"name":"bytes",
"configuration":{"endian":"little"}},{"name":"crc32c"}]}}]}"#;

fn main() {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    // Cargo adds options of its own.
    if let Some(folder) = std::env::args().skip(1).find(|argument| !argument.starts_with('-')) {
        return layout::compare(Path::new(&folder), LAYOUT_REPEAT, threads);
    }
    let folder = std::env::temp_dir().join(format!("anyzarr-floor-{}", std::process::id()));
    for (label, values) in [("noisy", noisy()), ("compressible", compressible())] {
        let directory = folder.join(label);
        std::fs::create_dir_all(&directory).expect("a folder");
        compare(label, &values, &directory, threads);
    }
    std::fs::remove_dir_all(&folder).expect("the folder");
}

fn noisy() -> Vec<u16> {
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let mut uniform = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f64 / (1u64 << 24) as f64
    };
    (0..SIDE * SIDE)
        .map(|i| {
            let (y, x) = ((i / SIDE) as f64 / 300.0, (i % SIDE) as f64 / 300.0);
            let noise: f64 = (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
            (2000.0 + 800.0 * y.sin() * x.cos() + 40.0 * noise) as u16
        })
        .collect()
}

fn compressible() -> Vec<u16> {
    (0..SIDE * SIDE).map(|i| i as u16).collect()
}

fn compare(label: &str, values: &[u16], directory: &Path, threads: usize) {
    let plan = Plan::compile(DOCUMENT, &[0, 0], false).expect("a plan");
    let files = Files::new(directory.to_str().expect("a name"), "engine");
    let region = Region::full(&plan.shape);
    let strides = Dims::new(&[SIDE as isize * 2, 2]).expect("strides");
    let options = Options { threads, keep_empty: false };
    // SAFETY: the values live on and are only read.
    let view = unsafe { View::new(values.as_ptr().cast_mut().cast(), strides) };
    let mut floor = Floor::new(values, directory, threads);
    let mut out = vec![0u16; SIDE * SIDE];
    // SAFETY: the output lives on and is used by nobody else meanwhile.
    let target = unsafe { View::new(out.as_mut_ptr().cast(), strides) };
    let address = out.as_mut_ptr() as usize;

    let mut times: [Vec<f64>; 4] = Default::default();
    for _ in 0..REPEAT {
        times[0].push(timed(|| floor.write(values)));
        // SAFETY: as said where the views were made.
        times[1].push(timed(|| unsafe {
            write(&plan, &files, &region, &view, options).expect("written");
        }));
        times[2].push(timed(|| floor.read(address)));
        // SAFETY: as said where the views were made.
        times[3].push(timed(|| unsafe {
            read(&plan, &files, &region, &target, threads).expect("read");
        }));
    }
    assert_eq!(out, values);
    let [a, b, c, d] = times.map(median);
    println!("{label}: write floor {a:.2} ms, engine {b:.2} ms, ratio {:.2}", b / a);
    println!("{label}: read  floor {c:.2} ms, engine {d:.2} ms, ratio {:.2}", d / c);
}

fn timed(work: impl FnOnce()) -> f64 {
    let begin = Instant::now();
    work();
    begin.elapsed().as_secs_f64() * 1e3
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

struct Floor {
    paths: Vec<PathBuf>,
    offsets: Vec<Vec<(usize, usize)>>,
    threads: usize,
}

impl Floor {
    fn new(values: &[u16], directory: &Path, threads: usize) -> Self {
        let paths = (0..SHARDS).map(|n| directory.join(format!("floor-{n}"))).collect();
        let mut made = Self { paths, offsets: Vec::new(), threads };
        made.write(values);
        made
    }

    fn each(&self, work: impl Fn(usize) + Sync) {
        let next = AtomicUsize::new(0);
        let drain = || loop {
            let shard = next.fetch_add(1, Ordering::Relaxed);
            if shard >= SHARDS {
                return;
            }
            work(shard);
        };
        std::thread::scope(|scope| {
            for _ in 1..self.threads {
                scope.spawn(drain);
            }
            drain();
        });
    }

    fn write(&mut self, values: &[u16]) {
        let offsets: Vec<_> = (0..SHARDS).map(|_| std::sync::Mutex::new(Vec::new())).collect();
        self.each(|shard| {
            thread_local! {
                static CONTEXT: std::cell::RefCell<CCtx<'static>> = {
                    let mut context = CCtx::create();
                    context.set_parameter(CParameter::CompressionLevel(3)).unwrap();
                    std::cell::RefCell::new(context)
                };
            }
            let mut data = vec![0u8; BLOCKS * (BLOCK_BYTES + 512)];
            let mut block = [0u16; CHUNK * CHUNK];
            let (mut at, mut table) = (0, Vec::new());
            for number in 0..BLOCKS {
                let first = first_element(shard, number);
                for row in 0..CHUNK {
                    block[row * CHUNK..][..CHUNK]
                        .copy_from_slice(&values[first + row * SIDE..][..CHUNK]);
                }
                // SAFETY: any bytes of numbers are bytes.
                let bytes =
                    unsafe { std::slice::from_raw_parts(block.as_ptr().cast::<u8>(), BLOCK_BYTES) };
                let size = CONTEXT
                    .with_borrow_mut(|c| c.compress2(&mut data[at..], bytes))
                    .expect("compressed");
                table.push((at, size));
                at += size;
            }
            let temporary = self.paths[shard].with_extension("tmp");
            std::fs::write(&temporary, &data[..at]).expect("written");
            std::fs::rename(&temporary, &self.paths[shard]).expect("renamed");
            *offsets[shard].lock().expect("alone") = table;
        });
        self.offsets = offsets.into_iter().map(|o| o.into_inner().expect("alone")).collect();
    }

    fn read(&self, out: usize) {
        self.each(|shard| {
            thread_local! {
                static SCRATCH: std::cell::RefCell<(DCtx<'static>, Vec<u8>)> =
                    std::cell::RefCell::new((DCtx::create(), vec![0; 1 << 20]));
            }
            SCRATCH.with_borrow_mut(|(context, data)| {
                let table = &self.offsets[shard];
                let size = table.last().map_or(0, |(at, size)| at + size);
                let file = File::open(&self.paths[shard]).expect("a file");
                file.read_exact_at(&mut data[..size], 0).expect("read");
                let mut block = [0u8; BLOCK_BYTES];
                for (number, &(at, size)) in table.iter().enumerate() {
                    context.decompress(&mut block[..], &data[at..at + size]).expect("decoded");
                    let first = first_element(shard, number);
                    for row in 0..CHUNK {
                        let target = (out as *mut u8).wrapping_add((first + row * SIDE) * 2);
                        // SAFETY: within the output; shards do not overlap.
                        unsafe {
                            target.copy_from_nonoverlapping(
                                block.as_ptr().add(row * CHUNK * 2),
                                CHUNK * 2,
                            );
                        }
                    }
                }
            });
        });
    }
}

/// The first element of a block of a shard in the image.
fn first_element(shard: usize, block: usize) -> usize {
    let (across, inner) = (SIDE / SHARD, SHARD / CHUNK);
    let y = shard / across * SHARD + block / inner * CHUNK;
    let x = shard % across * SHARD + block % inner * CHUNK;
    y * SIDE + x
}
