//! Whole chunks and shards: every way to read them agrees, and so does every way to change them.
#![allow(unsafe_code)] // readers and writers take views of memory

use std::cell::LazyCell;

use anyzarr_core::batched::{self, Objects};
use anyzarr_core::chunk::{decode, encode_chunk};
use anyzarr_core::memory::{view_of, view_of_mut};
use anyzarr_core::read::{self, Files};
use anyzarr_core::write::{self, Options};
use anyzarr_core::{Plan, Region, Result, View};

use crate::input::Input;
use crate::selected::Selected;
use crate::stores::{Folder, Memory};
use crate::{check_error, common};

const KEY: &str = "c/0/0";

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

/// Input: a byte for the chain, one of options, a selection (see [`Selected::take`]), the chunk.
pub fn chunk(data: &[u8]) {
    let mut input = Input(data);
    let (number, options) = (input.byte(), input.byte());
    let selected = Selected::take(&mut input);
    PLANS.with(|plans| {
        let stored = Stored { plan: &plans[number % plans.len()], data: input.0 };
        let whole = stored.decoded();
        if let Some(value) = &whole {
            stored.encodes_again(value);
        }
        let files = options & 1 != 0;
        stored.reads_a_part(&selected, whole.as_deref(), files);
        stored.updates_a_part(&selected, whole.as_deref(), files, options & 2 != 0);
    });
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

    fn reads_a_part(&self, selected: &Selected, whole: Option<&[u8]>, files: bool) {
        let memory = Memory::with(KEY, self.data);
        let objects = Objects { storage: &memory, prefix: "" };
        let found = self.read_into(selected, |region, out| {
            // SAFETY: the view is of memory of the region's size.
            unsafe { batched::read(self.plan, &objects, region, out, 1) }
        });
        if let Some(whole) = whole {
            assert!(found == Some(selected.of(whole)), "a part of it is something else");
        }
        if !files {
            return;
        }
        let from_files = FOLDER.with(|folder| {
            folder.put(KEY, self.data);
            let files = Files::new(&folder.0.to_string_lossy(), "");
            self.read_into(selected, |region, out| {
                // SAFETY: as above.
                unsafe { read::read(self.plan, &files, region, out, 1) }
            })
        });
        assert!(from_files == found, "a part is something else in a file");
    }

    fn read_into(
        &self,
        selected: &Selected,
        read: impl FnOnce(&Region, &View) -> Result<()>,
    ) -> Option<Vec<u8>> {
        let mut out = vec![0xC3; selected.bytes()];
        let result = selected
            .with(self.plan, |region, strides| read(region, &view_of_mut(&mut out, strides)));
        kept(result).map(|()| out)
    }

    /// Write over a part; where the chunk was good, the rest of it is as before.
    fn updates_a_part(
        &self,
        selected: &Selected,
        whole: Option<&[u8]>,
        files: bool,
        keep_empty: bool,
    ) {
        let bytes = self.data.iter().rev().copied().chain([0; 7]).cycle();
        let new: Vec<u8> = bytes.take(selected.bytes()).collect();
        let options = Options { threads: 1, keep_empty };
        let memory = Memory::with(KEY, self.data);
        let objects = Objects { storage: &memory, prefix: "" };
        let done = kept(selected.with(self.plan, |region, strides| {
            // SAFETY: the view is of memory of the region's size.
            unsafe { batched::write(self.plan, &objects, region, &view_of(&new, strides), options) }
        }));
        let after = memory.objects().remove(KEY);
        if done.is_none() {
            assert!(whole.is_none(), "a good chunk cannot be changed");
            assert!(after.as_deref() == Some(self.data), "what failed left its traces");
        } else if let Some(whole) = whole {
            let found = after.as_deref().map_or(Some(vec![0; whole.len()]), |data| {
                Stored { plan: self.plan, data }.decoded()
            });
            assert!(found == Some(selected.patched(whole, &new)), "the update is something else");
        }
        if files {
            let result = FOLDER.with(|folder| {
                folder.put(KEY, self.data);
                let files = Files::new(&folder.0.to_string_lossy(), "");
                let result = selected.with(self.plan, |region, strides| {
                    // SAFETY: as above.
                    unsafe {
                        write::write(self.plan, &files, region, &view_of(&new, strides), options)
                    }
                });
                assert!(folder.get(KEY) == after, "a file is changed to something else");
                result
            });
            assert!(kept(result) == done, "a file is changed where an object is not");
        }
    }
}

/// A result, unless it is an error, which must be one of bytes that are wrong.
fn kept<T>(result: Result<T>) -> Option<T> {
    result.map_err(|error| check_error(&error)).ok()
}
