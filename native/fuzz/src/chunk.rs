//! Whole chunks and shards: every way to read them agrees, and so does every way to change them.
#![allow(unsafe_code)] // readers and writers take views of memory

use std::cell::LazyCell;

use anyzarr_core::batched::{self, Objects};
use anyzarr_core::chunk::{decode, encode_chunk};
use anyzarr_core::dims::c_strides;
use anyzarr_core::memory::{view_of, view_of_mut};
use anyzarr_core::read::{self, Files};
use anyzarr_core::write::{self, Options};
use anyzarr_core::{Dims, Plan, Region, Result};

use crate::input::Input;
use crate::stores::{Folder, Memory};
use crate::{check_error, common};

const KEY: &str = "c/0/0";
const CHUNK: [usize; 2] = [32, 24];
const ITEM: usize = 2;

/// Each chain of codecs, compiled.
pub fn plans() -> Vec<Plan> {
    let compile = |codecs: &String| {
        Plan::compile(&common::document(codecs), &[0, 0], false)
            .unwrap_or_else(|error| panic!("{error}: {codecs}"))
    };
    common::chains().iter().map(compile).collect()
}

thread_local! {
    static PLANS: LazyCell<Vec<Plan>> = LazyCell::new(plans);
    static FOLDER: LazyCell<Folder> = LazyCell::new(Folder::new);
}

/// Input: a byte for the chain, one of options, start, count and step of two dimensions (a byte
/// each), the chunk.
pub fn chunk(data: &[u8]) {
    let mut input = Input(data);
    let (number, options) = (input.byte(), input.byte());
    let region = region(&mut input);
    PLANS.with(|plans| {
        let stored = Stored { plan: &plans[number % plans.len()], data: input.0 };
        let whole = stored.decoded();
        if let Some(value) = &whole {
            stored.encodes_again(value);
        }
        let files = options & 1 != 0;
        stored.reads_a_part(&region, whole.as_deref(), files);
        stored.updates_a_part(&region, whole.as_deref(), files, options & 2 != 0);
    });
}

/// A region within the chunk.
fn region(input: &mut Input<'_>) -> Region {
    let start = Dims::from_fn(2, |d| input.byte() % CHUNK[d]);
    let step = Dims::from_fn(2, |_| input.byte() % 5 + 1);
    let most = Dims::from_fn(2, |d| (CHUNK[d] - 1 - start[d]) / step[d] + 1);
    let count = Dims::from_fn(2, |d| input.byte() % most[d] + 1);
    Region { start, count, step }
}

/// The chunk's elements of a region, one after the other.
fn elements<'a>(region: &'a Region) -> impl Iterator<Item = usize> + 'a {
    (0..region.count[0]).flat_map(move |i| {
        let row = (region.start[0] + i * region.step[0]) * CHUNK[1];
        (0..region.count[1]).map(move |j| row + region.start[1] + j * region.step[1])
    })
}

struct Stored<'a> {
    plan: &'a Plan,
    data: &'a [u8],
}

impl Stored<'_> {
    fn decoded(&self) -> Option<Vec<u8>> {
        let mut value = vec![0xA5; self.plan.chain.bytes];
        kept(decode(self.plan, self.data, &mut value)).map(|()| value)
    }

    /// A value gives back itself, in the same bytes each time.
    fn encodes_again(&self, value: &[u8]) {
        let encode = || encode_chunk(self.plan, value).unwrap_or_else(|error| panic!("{error}"));
        let encoded = encode();
        assert!(encoded == encode(), "it encodes to something else");
        assert!(Some(&encoded.len()) <= self.plan.chain.bounds.last());
        let again = Stored { plan: self.plan, data: &encoded }.decoded();
        assert!(again.as_deref() == Some(value), "it decodes to something else");
    }

    fn reads_a_part(&self, region: &Region, whole: Option<&[u8]>, files: bool) {
        let memory = Memory::with(KEY, self.data);
        let objects = Objects { storage: &memory, prefix: "" };
        let found = read_into(region, |out| {
            // SAFETY: the view is of memory of the region's size.
            unsafe { batched::read(self.plan, &objects, region, out, 1) }
        });
        let expected = whole.map(|value| part(value, region));
        assert!(expected.is_none() || found == expected, "a part of it is something else");
        if !files {
            return;
        }
        let from_files = FOLDER.with(|folder| {
            folder.put(KEY, self.data);
            let files = Files::new(&folder.0.to_string_lossy(), "");
            read_into(region, |out| {
                // SAFETY: as above.
                unsafe { read::read(self.plan, &files, region, out, 1) }
            })
        });
        assert!(from_files == found, "a part is something else in a file");
    }

    /// Write over a part; where the chunk was good, the rest of it is as before.
    fn updates_a_part(&self, region: &Region, whole: Option<&[u8]>, files: bool, keep_empty: bool) {
        let region = Region { step: Dims::filled(2, 1), ..*region };
        let size = region.count.iter().product::<usize>() * ITEM;
        let new: Vec<u8> =
            self.data.iter().rev().copied().chain([0; 7]).cycle().take(size).collect();
        let value = view_of(&new, c_strides(&region.count, ITEM));
        let options = Options { threads: 1, keep_empty };
        let memory = Memory::with(KEY, self.data);
        let objects = Objects { storage: &memory, prefix: "" };
        // SAFETY: the view is of memory of the region's size.
        let done = kept(unsafe { batched::write(self.plan, &objects, &region, &value, options) });
        let after = memory.objects().remove(KEY);
        if done.is_none() {
            assert!(whole.is_none(), "a good chunk cannot be changed");
            assert!(after.as_deref() == Some(self.data), "what failed left its traces");
        } else if let Some(whole) = whole {
            self.is_patched(whole, &region, &new, after.as_deref());
        }
        if files {
            FOLDER.with(|folder| {
                folder.put(KEY, self.data);
                let files = Files::new(&folder.0.to_string_lossy(), "");
                // SAFETY: as above.
                let result = unsafe { write::write(self.plan, &files, &region, &value, options) };
                assert!(kept(result) == done, "a file is changed where an object is not");
                assert!(folder.get(KEY) == after, "a file is changed to something else");
            });
        }
    }

    fn is_patched(&self, whole: &[u8], region: &Region, new: &[u8], after: Option<&[u8]>) {
        let mut expected = whole.to_vec();
        for (element, value) in elements(region).zip(new.chunks_exact(ITEM)) {
            expected[element * ITEM..][..ITEM].copy_from_slice(value);
        }
        let found = match after {
            None => vec![0; expected.len()],
            Some(data) => Stored { plan: self.plan, data }
                .decoded()
                .unwrap_or_else(|| panic!("what was written cannot be read")),
        };
        assert!(found == expected, "the update is something else");
    }
}

/// A result, unless it is an error, which must be one of bytes that are wrong.
fn kept<T>(result: Result<T>) -> Option<T> {
    result.map_err(|error| check_error(&error)).ok()
}

/// Read into memory with a margin that stays as it is.
fn read_into(
    region: &Region,
    read: impl FnOnce(&anyzarr_core::View) -> Result<()>,
) -> Option<Vec<u8>> {
    let size = region.count.iter().product::<usize>() * ITEM;
    let mut out = vec![0xC3; size];
    let view = view_of_mut(&mut out, c_strides(&region.count, ITEM));
    kept(read(&view)).map(|()| out)
}

fn part(whole: &[u8], region: &Region) -> Vec<u8> {
    elements(region).flat_map(|n| [whole[n * ITEM], whole[n * ITEM + 1]]).collect()
}
