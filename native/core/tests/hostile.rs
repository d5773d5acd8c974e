//! Damaged input: never a panic, never out of bounds; an error, or values of the right size.
//!
//! Each test damages valid input in many ways, from a fixed seed. `ANYZARR_FUZZ_ROUNDS` sets how
//! many; run it with a large number, or under a sanitizer, for longer.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use anyzarr_core::chunk::{decode, encode_chunk};
use anyzarr_core::memory::view_of_mut;
use anyzarr_core::read::{self, Files};
use anyzarr_core::shard::{Entry, IndexLayout};
use anyzarr_core::write::{self, Options};
use anyzarr_core::{Dims, Kind, Plan, Region};
use common::{LITTLE, Random, chains, document};

fn rounds(default: usize) -> usize {
    std::env::var("ANYZARR_FUZZ_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

fn plan(codecs: &str) -> Plan {
    Plan::compile(&document(codecs), &[0, 0], false)
        .unwrap_or_else(|e| unreachable!("{e}: {codecs}"))
}

fn values(random: &mut Random, size: usize) -> Vec<u8> {
    (0..size)
        .map(|i| if random.below(3) == 0 { random.number() as u8 } else { (i / 7) as u8 })
        .collect()
}

#[test]
fn every_chain_gives_back_what_it_got() {
    let mut random = Random(1);
    for codecs in chains() {
        let plan = plan(&codecs);
        for fill in [false, true] {
            let size = plan.chain.bytes;
            let value = if fill { vec![0; size] } else { values(&mut random, size) };
            let encoded = encode_chunk(&plan, &value).unwrap();
            assert!(encoded.len() <= *plan.chain.bounds.last().unwrap(), "{codecs}");
            assert_eq!(encoded, encode_chunk(&plan, &value).unwrap(), "{codecs}");
            let mut back = vec![1; size];
            decode(&plan, &encoded, &mut back).unwrap();
            assert_eq!(back, value, "{codecs}");
        }
    }
}

#[test]
fn damaged_chunks_are_errors_or_values() {
    let mut random = Random(2);
    for codecs in chains() {
        let plan = plan(&codecs);
        let value = values(&mut random, plan.chain.bytes);
        let encoded = encode_chunk(&plan, &value).unwrap();
        let mut out = vec![0; plan.chain.bytes];
        for _ in 0..rounds(400) {
            let mut broken = encoded.clone();
            random.damage(&mut broken);
            if let Err(error) = decode(&plan, &broken, &mut out) {
                let known = matches!(error.kind(), Kind::Corrupt | Kind::Unsupported);
                assert!(known, "{:?} {error} {codecs}", error.kind());
            }
        }
    }
}

#[test]
fn checksums_find_every_change_of_one_byte() {
    let plan = plan(&format!(r#"{LITTLE},{{"name":"crc32c"}}"#));
    let encoded = encode_chunk(&plan, &values(&mut Random(3), plan.chain.bytes)).unwrap();
    let mut out = vec![0; plan.chain.bytes];
    for at in 0..encoded.len() {
        let mut broken = encoded.clone();
        broken[at] ^= 0x10;
        assert!(decode(&plan, &broken, &mut out).is_err_and(|e| e.kind() == Kind::Corrupt));
    }
}

#[test]
fn garbage_is_an_error_or_values() {
    let mut random = Random(4);
    for codecs in chains() {
        let plan = plan(&codecs);
        let mut out = vec![0; plan.chain.bytes];
        for _ in 0..rounds(200) {
            let size = random.below(2000);
            let garbage: Vec<u8> = (0..size).map(|_| random.number() as u8).collect();
            let _ = decode(&plan, &garbage, &mut out);
        }
    }
}

#[test]
fn shard_indices_place_nothing_outside() {
    let mut random = Random(5);
    let layout = IndexLayout { entries: 12, at_start: false, big_endian: false, checksums: 0 };
    let mut entries = Vec::new();
    for _ in 0..rounds(5000) {
        let mut encoded = Vec::new();
        let stored: Vec<Entry> = (0..12)
            .map(|_| Entry { offset: random.odd_number(), size: random.odd_number() })
            .collect();
        layout.encode(&stored, &mut encoded);
        random.damage(&mut encoded);
        if layout.decode(&encoded, &mut entries).is_ok() {
            assert_eq!(entries.len(), 12);
            for entry in &entries {
                let length = random.odd_number();
                if let Ok(Some((start, stop))) = entry.range(length) {
                    assert!(start <= stop && stop <= length);
                }
            }
        }
    }
}

#[test]
fn damaged_documents_are_errors_or_plans() {
    let mut random = Random(6);
    for codecs in chains() {
        for _ in 0..rounds(200) {
            let mut text = document(&codecs).into_bytes();
            random.damage(&mut text);
            if let Ok(text) = String::from_utf8(text)
                && let Err(error) = Plan::compile(&text, &[0, 0], false)
            {
                assert!(matches!(error.kind(), Kind::Invalid | Kind::Unsupported), "{error}");
            }
        }
    }
}

#[test]
fn absurd_sizes_are_refused_not_allocated() {
    for (shape, chunk) in [
        ("[18446744073709551615]", "[1]"),
        ("[4294967296,4294967296,4294967296]", "[1,1,1]"),
        ("[8]", "[18446744073709551615]"),
        ("[8]", "[9223372036854775807]"),
        ("[8]", "[0]"),
        ("[-1]", "[1]"),
        ("[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]"),
    ] {
        let document = format!(
            r#"{{"shape":{shape},"data_type":"uint16","chunk_grid":{{"name":"regular",
            "configuration":{{"chunk_shape":{chunk}}}}},"chunk_key_encoding":"default",
            "codecs":[{LITTLE}]}}"#
        );
        assert!(Plan::compile(&document, &[0, 0], false).is_err(), "{shape} {chunk}");
    }
}

fn document_1d(shape: &str, chunk: &str, inner: &str, location: &str) -> String {
    format!(
        r#"{{"shape":[{shape}],"data_type":"uint8","chunk_grid":{{"name":"regular",
        "configuration":{{"chunk_shape":[{chunk}]}}}},"chunk_key_encoding":"default",
        "codecs":[{{"name":"sharding_indexed","configuration":{{"chunk_shape":[{inner}],
        "codecs":[{LITTLE}],"index_codecs":[{LITTLE}],"index_location":"{location}"}}}}]}}"#
    )
}

fn span(start: usize, count: usize) -> Region<'static> {
    let one = |n| Dims::filled(1, n);
    Region { start: one(start), count: one(count), step: one(1), picked: None }
}

#[test]
fn an_index_that_was_read_for_another_layout_is_not_used() {
    let folder = std::env::temp_dir().join(format!("anyzarr-hostile-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("c")).unwrap();
    // 16 elements, of which an index at the start and one at the end find the same.
    let value: Vec<u8> = (0..16).collect();
    let mut stored = Vec::new();
    for (location, inner) in [("end", "8"), ("end", "1"), ("start", "4")] {
        let plan = Plan::compile(&document_1d("16", "16", inner, location), &[0], false).unwrap();
        stored.push((encode_chunk(&plan, &value).unwrap(), plan));
    }
    let path = folder.join("c/0");
    let files = Files::new(&folder.to_string_lossy(), "");
    // One part at a time, so that the index is read by itself; the file is old enough to be known.
    for (data, own) in &stored {
        std::fs::write(&path, data).unwrap();
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        let then = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
        file.set_modified(then).unwrap();
        for plan in [own, &stored[0].1, &stored[1].1, &stored[2].1, own] {
            let mut out = [0xEE; 2];
            let view = view_of_mut(&mut out, Dims::filled(1, 1));
            // SAFETY: the view is of as many elements as the region has.
            #[allow(unsafe_code)]
            let result = unsafe { read::read(plan, &files, &span(14, 2), &view, 1) };
            match result {
                Ok(()) if std::ptr::eq(plan, own) => assert_eq!(out, [14, 15]),
                Ok(()) => {}
                Err(error) => {
                    assert_eq!(error.kind(), Kind::Corrupt, "{error}");
                    assert!(!std::ptr::eq(plan, own), "{error}");
                }
            }
        }
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn shards_with_more_subchunks_than_memory_are_refused() {
    let size = "1099511627776";
    for location in ["start", "end"] {
        let plan = Plan::compile(&document_1d(size, size, "1", location), &[0], false).unwrap();
        for threads in [1, 4] {
            let folder = std::env::temp_dir().join(format!("anyzarr-huge-{}", std::process::id()));
            let files = Files::new(&folder.to_string_lossy(), "");
            let mut value = vec![1; 1 << 20];
            let view = view_of_mut(&mut value, Dims::filled(1, 1));
            let options = Options { threads, keep_empty: false };
            // SAFETY: the view is of as many elements as the region has.
            #[allow(unsafe_code)]
            let result = unsafe { write::write(&plan, &files, &span(5, 1 << 20), &view, options) };
            assert_eq!(result.expect_err("too much").kind(), Kind::Memory);
            assert!(!folder.exists());
        }
    }
}
