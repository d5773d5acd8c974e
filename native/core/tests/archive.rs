//! Damaged archives and tables that lie: an error, or values of the right size; never a panic.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

use anyzarr_core::archive::{Archive, Member, Members};
use anyzarr_core::dims::c_strides;
use anyzarr_core::memory::view_of_mut;
use anyzarr_core::read::read;
use anyzarr_core::{Dims, Kind, Plan, Region, Result};

const KEY: &str = "a/c/0";
const CHUNK: [u8; 16] = *b"sixteen bytes ..";

fn plan() -> Plan {
    let document = r#"{"shape":[16],"data_type":"uint8","chunk_grid":{"name":"regular",
        "configuration":{"chunk_shape":[16]}},"chunk_key_encoding":"default",
        "codecs":[{"name":"bytes"}]}"#;
    Plan::compile(document, &[0], false).expect("a plan")
}

/// A local header as zip archives have it, and its member.
fn member_bytes() -> Vec<u8> {
    let mut bytes = b"PK\x03\x04".to_vec();
    bytes.resize(26, 0);
    bytes.extend_from_slice(&(KEY.len() as u16).to_le_bytes());
    bytes.extend_from_slice(&4u16.to_le_bytes());
    bytes.extend_from_slice(KEY.as_bytes());
    bytes.extend_from_slice(&[9; 4]);
    bytes.extend_from_slice(&CHUNK);
    bytes
}

fn temporary(name: &str, bytes: &[u8]) -> PathBuf {
    let path = std::env::temp_dir().join(format!("anyzarr-{}-{name}", std::process::id()));
    File::create(&path).and_then(|mut file| file.write_all(bytes)).expect("a file");
    path
}

fn read_from(bytes: &[u8], name: &str, member: Member, region: &Region) -> Result<Vec<u8>> {
    let path = temporary(name, bytes);
    let file = File::open(&path).expect("the file");
    std::fs::remove_file(&path).expect("removed");
    let members = HashMap::from([(Box::from(KEY), member)]);
    let archive = Archive::new(file, "archive", members);
    let mut out = vec![0xEE; region.count[0]];
    let count = Dims::new(&[out.len()])?;
    let view = view_of_mut(&mut out, c_strides(&count, 1));
    // SAFETY: the view is of as many elements as the region has.
    #[allow(unsafe_code)]
    unsafe {
        read(&plan(), &Members::new(&archive, "a")?, region, &view, 1)?;
    }
    Ok(out)
}

fn part(start: usize, count: usize) -> Region<'static> {
    let dims = |n| Dims::new(&[n]).expect("one number");
    Region { start: dims(start), count: dims(count), step: dims(1), picked: None }
}

fn crc() -> u32 {
    anyzarr_core::codec::deflate::crc32(&CHUNK)
}

#[test]
fn a_member_is_a_range_after_its_own_header() {
    let bytes = member_bytes();
    let member = || Member::new(0, 16, bytes.len() as u64, Some(crc()));
    assert_eq!(read_from(&bytes, "whole", member(), &part(0, 16)).expect("whole"), CHUNK);
    assert_eq!(read_from(&bytes, "part", member(), &part(3, 5)).expect("a part"), CHUNK[3..8]);
}

#[test]
fn a_member_that_is_absent_is_the_fill_value() {
    let mut bytes = member_bytes();
    bytes[33] = b'b';
    let path = temporary("absent", &bytes);
    let archive = Archive::new(File::open(&path).expect("the file"), "", HashMap::new());
    std::fs::remove_file(&path).expect("removed");
    let mut out = vec![7; 16];
    let view = view_of_mut(&mut out, c_strides(&part(0, 16).count, 1));
    let members = Members::new(&archive, "a").expect("members");
    // SAFETY: the view is of as many elements as the region has.
    #[allow(unsafe_code)]
    unsafe { read(&plan(), &members, &part(0, 16), &view, 1) }.expect("fill");
    assert_eq!(out, [0; 16]);
}

#[test]
fn a_checksum_is_checked_where_all_of_a_member_is_read() {
    let bytes = member_bytes();
    let member = || Member::new(0, 16, bytes.len() as u64, Some(crc() ^ 1));
    let error = read_from(&bytes, "crc", member(), &part(0, 16)).expect_err("another CRC-32");
    assert_eq!((error.kind(), error.key()), (Kind::Corrupt, Some("c/0")));
    assert_eq!(read_from(&bytes, "crc-part", member(), &part(0, 15)).expect("ok"), CHUNK[..15]);
}

#[test]
fn what_is_not_there_as_it_is_is_unsupported() {
    let bytes = member_bytes();
    let member = Member::new(0, 16, bytes.len() as u64, None);
    let error = read_from(&bytes, "deflated", member, &part(0, 16)).expect_err("deflated");
    assert_eq!(error.kind(), Kind::Unsupported);
}

#[test]
fn every_changed_byte_and_every_cut_is_noticed_or_harmless() {
    let bytes = member_bytes();
    let limit = bytes.len() as u64;
    for at in 0..bytes.len() {
        for flip in [0x01, 0x80, 0xFF] {
            let mut changed = bytes.clone();
            changed[at] ^= flip;
            match read_from(
                &changed,
                "changed",
                Member::new(0, 16, limit, Some(crc())),
                &part(0, 16),
            ) {
                Ok(found) => assert_eq!(found, CHUNK),
                Err(error) => assert_eq!(error.kind(), Kind::Corrupt),
            }
        }
        let member = Member::new(0, 16, limit, Some(crc()));
        let error = read_from(&bytes[..at], "cut", member, &part(0, 16)).expect_err("cut off");
        assert_eq!(error.kind(), Kind::Corrupt);
    }
}

#[test]
fn numbers_that_lie_are_errors() {
    let bytes = member_bytes();
    let odd =
        [0, 1, 15, 16, 17, 55, 56, 1 << 31, 1 << 40, i64::MAX as u64, u64::MAX - 16, u64::MAX];
    for header in odd {
        for size in odd {
            for limit in odd {
                let member = Member::new(header, size, limit, Some(crc()));
                match read_from(&bytes, "numbers", member, &part(0, 16)) {
                    Ok(found) => assert_eq!(found, CHUNK),
                    Err(error) => assert_eq!(error.kind(), Kind::Corrupt, "{error}"),
                }
            }
        }
    }
}
