//! Elements of variable length: written and read in parts, and damaged in many ways.
#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(unsafe_code)] // readers and writers take views of memory

mod common;

use anyzarr_core::alike::{Alike, write_alike};
use anyzarr_core::chunk::{decode, encode_chunk};
use anyzarr_core::dims::c_strides;
use anyzarr_core::heap::{Ref, VALUE};
use anyzarr_core::memory::{view_of, view_of_mut};
use anyzarr_core::read::{self, Files};
use anyzarr_core::write::{self, Options};
use anyzarr_core::{Dims, Kind, Plan, Region};
use common::{Random, document, shard};

const FILL: &[u8] = b"-";

fn plans() -> Vec<Plan> {
    let tails =
        ["", r#","crc32c""#, r#","zstd""#, r#","gzip""#, r#","zstd","gzip""#, r#","blosc""#];
    let chains = tails.iter().map(|tail| format!(r#""vlen-bytes"{tail}"#));
    let all = chains.flat_map(|chain| {
        let order = r#"{"name":"transpose","configuration":{"order":[1,0]}}"#;
        [format!("{order},{chain}"), shard(&chain, "start"), shard(&chain, "end"), chain]
    });
    all.map(|codecs| {
        let document = document(&codecs).replace("uint16", "variable_length_bytes");
        Plan::compile(&document, FILL, false).unwrap_or_else(|e| unreachable!("{e}: {codecs}"))
    })
    .collect()
}

fn elements(random: &mut Random, count: usize) -> Vec<Vec<u8>> {
    let element = |random: &mut Random| match random.below(3) {
        0 => FILL.to_vec(),
        _ => (0..random.below(5)).map(|_| random.number() as u8).collect(),
    };
    (0..count).map(|_| element(random)).collect()
}

fn bound(plan: &Plan, elements: &[Vec<u8>]) -> (Plan, Vec<u8>) {
    let mut offset = 0;
    let refs = elements.iter().flat_map(|element| {
        let made = Ref { slab: VALUE, length: element.len() as u32, offset };
        offset += element.len() as u64;
        made.to_bytes()
    });
    (plan.with_heap(Some(Box::new(elements.concat()))), refs.collect())
}

fn gathered(plan: &Plan, refs: &[u8]) -> Vec<Vec<u8>> {
    let heap = plan.heap().unwrap();
    let mut offsets = vec![0; refs.len() / Ref::SIZE * 8 + 8];
    heap.measure(refs, &mut offsets).unwrap();
    let ends: Vec<usize> =
        offsets.as_chunks::<8>().0.iter().map(|n| i64::from_ne_bytes(*n) as usize).collect();
    let mut bytes = vec![0; *ends.last().unwrap()];
    heap.gather(refs, &mut bytes, 2).unwrap();
    ends.windows(2).map(|pair| bytes[pair[0]..pair[1]].to_vec()).collect()
}

#[test]
fn damaged_chunks_are_errors_or_elements() {
    let mut random = Random(21);
    for plan in plans() {
        let all = elements(&mut random, plan.chain.bytes / Ref::SIZE);
        let (writer, refs) = bound(&plan, &all);
        let encoded = encode_chunk(&writer, &refs).unwrap();
        let reader = plan.with_heap(None);
        let mut out = vec![0xA5; plan.chain.bytes];
        decode(&reader, &encoded, &mut out).unwrap();
        assert_eq!(gathered(&reader, &out), all);
        for _ in 0..200 {
            let mut broken = encoded.clone();
            random.damage(&mut broken);
            if let Err(error) = decode(&reader, &broken, &mut out) {
                let known = matches!(error.kind(), Kind::Corrupt | Kind::Unsupported);
                assert!(known, "{:?} {error}", error.kind());
            }
        }
    }
}

#[test]
fn parts_are_written_and_read() {
    let folder = std::env::temp_dir().join(format!("anyzarr-variable-{}", std::process::id()));
    let mut random = Random(22);
    for (number, plan) in plans().into_iter().enumerate() {
        let root = folder.join(number.to_string());
        let files = Files::new(root.to_str().unwrap(), "a");
        let mut expected = vec![FILL.to_vec(); 1600];
        for round in 0..6 {
            let start = Dims::from_fn(2, |_| random.below(40));
            let count = Dims::from_fn(2, |d| 1 + random.below(40 - start[d]));
            let region = Region { start, count, step: Dims::filled(2, 1), picked: None };
            let places: Vec<usize> = (0..count[0] * count[1])
                .map(|n| (start[0] + n / count[1]) * 40 + start[1] + n % count[1])
                .collect();
            if round % 2 == 0 {
                let new = elements(&mut random, places.len());
                let (plan, refs) = bound(&plan, &new);
                let view = view_of(&refs, c_strides(&count, Ref::SIZE));
                let options = Options { threads: 3, keep_empty: round == 4 };
                // SAFETY: the view is of memory of the region's size.
                unsafe { write::write(&plan, &files, &region, &view, options) }.unwrap();
                for (&place, element) in places.iter().zip(new) {
                    expected[place] = element;
                }
            }
            let plan = plan.with_heap(None);
            let mut refs = vec![0xA5; places.len() * Ref::SIZE];
            let view = view_of_mut(&mut refs, c_strides(&count, Ref::SIZE));
            // SAFETY: as above.
            unsafe { read::read(&plan, &files, &region, &view, 3) }.unwrap();
            let wanted: Vec<_> = places.iter().map(|&place| expected[place].clone()).collect();
            assert_eq!(gathered(&plan, &refs), wanted);
        }
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_plan_without_memory_for_elements_says_so() {
    let plan = plans().swap_remove(3);
    let found = decode(&plan, b"", &mut vec![0; plan.chain.bytes]);
    assert_eq!(found.map_err(|error| error.kind()), Err(Kind::Internal));
    let refs = vec![0xFF; plan.chain.bytes];
    let found = encode_chunk(&plan.with_heap(None), &refs).map_err(|error| error.kind());
    assert_eq!(found, Err(Kind::Internal));
}

#[test]
fn many_arrays_are_written_as_one_by_one() {
    let folder = std::env::temp_dir().join(format!("anyzarr-alike-{}", std::process::id()));
    let mut random = Random(23);
    for (number, plan) in plans().into_iter().enumerate() {
        let root = folder.join(number.to_string());
        let root = root.to_str().unwrap();
        let paths: Vec<String> = (0..5).map(|n| format!("b/{n}")).collect();
        let bounds = [0, 7, 7, 40, 41, 50];
        let coords: Vec<Vec<u32>> =
            [7, 11].map(|step| (0..50u32).map(|n| (n * step) % 40).collect()).to_vec();
        let all = elements(&mut random, 50);
        let (writer, refs) = bound(&plan, &all);
        let view = view_of(&refs, c_strides(&Dims::filled(1, 50), Ref::SIZE));
        let options = Options { threads: 3, keep_empty: false };
        let arrays = Alike { root, paths: &paths, bounds: &bounds, coords: &coords };
        // SAFETY: the view is of memory of 50 elements.
        unsafe { write_alike(&writer, arrays, &view, options) }.unwrap();
        for (path, run) in paths.iter().zip(bounds.windows(2)) {
            let files = Files::new(root, path);
            let reader = plan.with_heap(None);
            for n in run[0]..run[1] {
                let start = Dims::from_fn(2, |d| coords[d][n] as usize);
                let one = Dims::filled(2, 1);
                let region = Region { start, count: one, step: one, picked: None };
                let mut refs = vec![0xA5; Ref::SIZE];
                let view = view_of_mut(&mut refs, c_strides(&one, Ref::SIZE));
                // SAFETY: the view is of memory of one element.
                unsafe { read::read(&reader, &files, &region, &view, 1) }.unwrap();
                assert_eq!(gathered(&reader, &refs), [all[n].clone()]);
            }
        }
        for bounds in [&[0usize, 50][..], &[0, 9, 8, 9, 9, 50], &[0, 9, 9, 9, 9, 51]] {
            let arrays = Alike { root, paths: &paths, bounds, coords: &coords };
            // SAFETY: as above.
            let found = unsafe { write_alike(&writer, arrays, &view, options) };
            assert_eq!(found.map_err(|error| error.kind()), Err(Kind::Invalid));
        }
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
