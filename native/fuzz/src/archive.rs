//! Members of a zip archive, in an archive that lies.
#![allow(unsafe_code)] // readers take views of memory

use std::collections::HashMap;
use std::fs::File;

use anyzarr_core::archive::{Archive, Member, Members};
use anyzarr_core::codec::deflate::crc32;
use anyzarr_core::dims::c_strides;
use anyzarr_core::memory::view_of_mut;
use anyzarr_core::read::read;
use anyzarr_core::{Dims, Plan, Region, Result};

use crate::check_error;
use crate::input::Input;
use crate::stores::Folder;

/// The member that is asked for.
pub const KEY: &str = "a/c/0";

const CHUNK: usize = 16;

thread_local! {
    static FOLDER: std::cell::LazyCell<Folder> = std::cell::LazyCell::new(Folder::new);
}

fn plan() -> Plan {
    let document = r#"{"shape":[16],"data_type":"uint8","chunk_grid":{"name":"regular",
        "configuration":{"chunk_shape":[16]}},"chunk_key_encoding":"default",
        "codecs":[{"name":"bytes"}]}"#;
    Plan::compile(document, &[0], false).unwrap_or_else(|error| panic!("{error}"))
}

/// Input: a byte of options, first element and number of elements, where the header, the size
/// and the limit of the member are (two bytes each), the archive.
pub fn archive(data: &[u8]) {
    let mut input = Input(data);
    let options = input.byte();
    let start = input.byte() % CHUNK;
    let count = input.byte() % (CHUNK - start) + 1;
    // The highest bits stand for numbers at the end of what there is.
    let mut number = || match input.short() as u64 {
        n @ 0..0xF000 => n,
        n => u64::MAX - (0xFFFF - n),
    };
    let (header, size, limit) = (number(), number(), number());
    let file = input.0;
    let name = CHUNK.min(file.len());
    let body = &file[file.len() - name..];
    let crc = if options & 1 == 0 { crc32(body) } else { 0 };
    let mut member = Member::new(header, size, limit, (options & 2 == 0).then_some(crc));
    if options & 4 != 0 {
        member.name = Some(file[..file.len().min(options)].into());
    }
    match contents(file, member, start, count) {
        Ok(found) => {
            assert!(size == CHUNK as u64 && options & 2 == 0);
            assert!(file.windows(count).any(|window| window == found), "nothing has these bytes");
            assert!(count < CHUNK || crc32(&found) == crc, "the checksum is another");
        }
        Err(error) => check_error(&error),
    }
}

fn contents(bytes: &[u8], member: Member, start: usize, count: usize) -> Result<Vec<u8>> {
    let file = FOLDER.with(|folder| {
        folder.put("archive", bytes);
        File::open(folder.0.join("archive")).unwrap_or_else(|error| panic!("{error}"))
    });
    let archive = Archive::new(file, "archive", HashMap::from([(Box::from(KEY), member)]));
    let mut out = vec![0xEE; count];
    let one = |n: usize| Dims::filled(1, n);
    let region = Region { start: one(start), count: one(count), step: one(1), picked: None };
    let view = view_of_mut(&mut out, c_strides(&region.count, 1));
    // SAFETY: the view is of as many elements as the region has.
    unsafe { read(&plan(), &Members::new(&archive, "a")?, &region, &view, 1)? };
    Ok(out)
}
