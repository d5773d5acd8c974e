//! The floor of any layout: blocks of a cube of uint16, through one codec, in files.
//!
//! As for the image of table 1: where every block lies is known beforehand, contexts and memory
//! are used again, a file is one write or one read, and nothing depends on Zarr. The codecs are
//! the engine's own. Items of work are files.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyzarr_core::codec::{BytesCodec, Contexts};
use anyzarr_core::plan::Chain;
use anyzarr_core::read::{Files, read};
use anyzarr_core::write::{Options, write};
use anyzarr_core::{Dims, Plan, Region, View};

use super::{median, timed};

const SIZE: usize = 2;

/// Compare floor and engine on an array: its `zarr.json` and its elements, `image.bin`.
pub fn compare(folder: &Path, repeat: usize, threads: usize) {
    let document = std::fs::read_to_string(folder.join("zarr.json")).expect("a document");
    let plan = Plan::compile(&document, &[0, 0], false).expect("a plan");
    let values = std::fs::read(folder.join("image.bin")).expect("the elements");
    let mut out = vec![0u8; values.len()];
    let files = Files::new(folder.to_str().expect("a name"), "engine");
    let region = Region::full(&plan.shape);
    let options = Options { threads, keep_empty: false };
    let strides = Dims::from_fn(plan.shape.len(), |d| {
        (plan.shape[d + 1..].iter().product::<usize>() * SIZE) as isize
    });
    // SAFETY: the values live on and are only read.
    let view = unsafe { View::new(values.as_ptr().cast_mut(), strides) };
    // SAFETY: the output lives on and is used by nobody else meanwhile.
    let target = unsafe { View::new(out.as_mut_ptr(), strides) };
    let address = out.as_mut_ptr() as usize;
    let floor = Floor::new(&plan, folder, threads);

    let mut times: [Vec<f64>; 4] = Default::default();
    for turn in 0..=repeat {
        let taken = [
            timed(|| floor.write(&values)),
            // SAFETY: as said where the views were made.
            timed(|| unsafe {
                write(&plan, &files, &region, &view, options).expect("written");
            }),
            timed(|| floor.read(address)),
            // SAFETY: as said where the views were made.
            timed(|| unsafe {
                read(&plan, &files, &region, &target, threads).expect("read");
            }),
        ];
        if turn > 0 {
            times.iter_mut().zip(taken).for_each(|(all, one)| all.push(one));
        }
    }
    out.fill(0);
    floor.read(address);
    assert!(out == values, "the floor reads what it wrote");
    let [a, b, c, d] = times.map(median);
    println!("layout: write floor {a:.3} ms, engine {b:.3} ms, ratio {:.2}", b / a);
    println!("layout: read  floor {c:.3} ms, engine {d:.3} ms, ratio {:.2}", d / c);
}

/// What a thread keeps.
#[derive(Default)]
struct Kept {
    contexts: Contexts,
    block: Vec<u8>,
    data: Vec<u8>,
}

struct Floor {
    shape: [usize; 3],
    block: [usize; 3],
    codec: Option<BytesCodec>,
    paths: Vec<PathBuf>,
    /// Per file, the first element of each block.
    firsts: Vec<Vec<usize>>,
    /// Per file, where each block lies.
    ranges: Vec<Mutex<Vec<Range<usize>>>>,
    kept: Vec<Mutex<Kept>>,
}

fn three(dims: &Dims) -> [usize; 3] {
    [dims[0], dims[1], dims[2]]
}

/// The first element of each cell of a grid of `cell` in a box at `start`.
fn cells(start: [usize; 3], size: [usize; 3], cell: [usize; 3]) -> Vec<[usize; 3]> {
    let along = |d: usize| (start[d]..start[d] + size[d]).step_by(cell[d]);
    along(0).flat_map(|z| along(1).flat_map(move |y| along(2).map(move |x| [z, y, x]))).collect()
}

impl Floor {
    fn new(plan: &Plan, folder: &Path, threads: usize) -> Self {
        let inner: &Chain = plan.chain.open_shard().map_or(&plan.chain, |shard| &shard.inner);
        let (shape, block) = (three(&plan.shape), three(&inner.shape));
        let (file, [_, height, width]) = (three(&plan.chain.shape), shape);
        let whole = (0..3).all(|d| shape[d] % file[d] == 0 && file[d] % block[d] == 0);
        assert!(whole && inner.codecs.len() <= 1, "a layout of table 3");
        let firsts: Vec<Vec<usize>> = cells([0; 3], shape, file)
            .into_iter()
            .map(|start| {
                let blocks = cells(start, file, block).into_iter();
                blocks.map(|[z, y, x]| (z * height + y) * width + x).collect()
            })
            .collect();
        std::fs::create_dir_all(folder.join("floor")).expect("a folder");
        Self {
            shape,
            block,
            codec: inner.codecs.first().cloned(),
            paths: (0..firsts.len()).map(|n| folder.join(format!("floor/{n}"))).collect(),
            ranges: firsts.iter().map(|_| Mutex::default()).collect(),
            firsts,
            kept: (0..threads).map(|_| Mutex::default()).collect(),
        }
    }

    fn each(&self, work: impl Fn(&mut Kept, usize) + Sync) {
        let next = AtomicUsize::new(0);
        let drain = |kept: &Mutex<Kept>| {
            let mut kept = kept.lock().expect("alone");
            loop {
                let file = next.fetch_add(1, Ordering::Relaxed);
                if file >= self.paths.len() {
                    return;
                }
                work(&mut kept, file);
            }
        };
        std::thread::scope(|scope| {
            for kept in &self.kept[1..] {
                scope.spawn(|| drain(kept));
            }
            drain(&self.kept[0]);
        });
    }

    /// Where the rows of a block are in the image, in bytes.
    fn rows(&self, first: usize) -> impl Iterator<Item = usize> + use<> {
        let [_, height, width] = self.shape;
        let [depth, rows, _] = self.block;
        (0..depth)
            .flat_map(move |z| (0..rows).map(move |y| (first + (z * height + y) * width) * SIZE))
    }

    fn write(&self, values: &[u8]) {
        let row = self.block[2] * SIZE;
        let bytes = self.block.iter().product::<usize>() * SIZE;
        let room = self.codec.as_ref().map_or(bytes, |c| c.bound(bytes).expect("a size"));
        self.each(|kept, file| {
            kept.block.resize(bytes, 0);
            kept.data.resize(self.firsts[file].len() * room, 0);
            let mut ranges = self.ranges[file].lock().expect("alone");
            ranges.clear();
            let mut at = 0;
            for &first in &self.firsts[file] {
                let direct = self.codec.is_none();
                let block = if direct { &mut kept.data[at..] } else { &mut kept.block[..] };
                for (target, from) in block.chunks_exact_mut(row).zip(self.rows(first)) {
                    target.copy_from_slice(&values[from..from + row]);
                }
                let size = self.codec.as_ref().map_or(bytes, |codec| {
                    codec
                        .encode(&mut kept.contexts, &kept.block, &mut kept.data[at..at + room])
                        .expect("encoded")
                });
                ranges.push(at..at + size);
                at += size;
            }
            let temporary = self.paths[file].with_extension("tmp");
            std::fs::write(&temporary, &kept.data[..at]).expect("written");
            std::fs::rename(&temporary, &self.paths[file]).expect("renamed");
        });
    }

    fn read(&self, out: usize) {
        let row = self.block[2] * SIZE;
        let bytes = self.block.iter().product::<usize>() * SIZE;
        self.each(|kept, file| {
            let ranges = self.ranges[file].lock().expect("alone");
            let size = ranges.last().map_or(0, |range| range.end);
            kept.block.resize(bytes, 0);
            kept.data.resize(size.max(kept.data.len()), 0);
            let opened = File::open(&self.paths[file]).expect("a file");
            opened.read_exact_at(&mut kept.data[..size], 0).expect("read");
            for (range, &first) in ranges.iter().zip(&self.firsts[file]) {
                let data = &kept.data[range.clone()];
                let block = match &self.codec {
                    None => data,
                    Some(codec) => {
                        codec.decode(&mut kept.contexts, data, &mut kept.block).expect("decoded");
                        &kept.block[..]
                    }
                };
                for (source, to) in block.chunks_exact(row).zip(self.rows(first)) {
                    let target = (out as *mut u8).wrapping_add(to);
                    // SAFETY: within the output; blocks do not overlap.
                    unsafe { target.copy_from_nonoverlapping(source.as_ptr(), row) };
                }
            }
        });
    }
}
