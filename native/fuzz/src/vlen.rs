//! Chunks and shards of elements of variable length: every way to read and to change them agrees.
#![allow(unsafe_code)] // readers and writers take views of memory

use std::cell::LazyCell;

use anyzarr_core::batched::{self, Objects};
use anyzarr_core::chunk::{decode, encode_chunk};
use anyzarr_core::heap::{Heap, Ref, VALUE};
use anyzarr_core::memory::{view_of, view_of_mut};
use anyzarr_core::write::Options;
use anyzarr_core::{Plan, Result};

use crate::input::Input;
use crate::selected::{CHUNK, Selected};
use crate::stores::Memory;
use crate::{check_error, common};

const KEY: &str = "c/0/0";
const COUNT: usize = CHUNK[0] * CHUNK[1];

/// A fill value that is sometimes there.
const FILL: &[u8] = b"ab";

/// Bytes-to-bytes codecs, so that what decodes to a varying number of bytes is met.
const AFTER: [&str; 6] = [
    "",
    r#","crc32c""#,
    r#",{"name":"zstd","configuration":{"level":1}}"#,
    r#",{"name":"gzip","configuration":{"level":1}},"crc32c""#,
    r#",{"name":"blosc","configuration":{"cname":"lz4","clevel":1,"shuffle":"noshuffle"}}"#,
    r#",{"name":"gzip","configuration":{"level":1}},"numcodecs.lz4""#,
];

/// Each chain of codecs, compiled; every second one is of text, and some are of shards.
pub fn plans() -> Vec<Plan> {
    let chains = AFTER.iter().flat_map(|after| {
        [("bytes", "vlen-bytes"), ("string", "vlen-utf8")]
            .map(|(data_type, codec)| (data_type, format!(r#""{codec}"{after}"#)))
    });
    let mut plans: Vec<Plan> = Vec::new();
    for (data_type, chain) in chains {
        let order = r#"{"name":"transpose","configuration":{"order":[1,0]}}"#;
        let shards =
            common::shard(&chain, if plans.len().is_multiple_of(4) { "start" } else { "end" });
        for codecs in [chain.clone(), format!("{order},{chain}"), shards] {
            let document = common::document(&codecs).replace("uint16", data_type);
            let plan = Plan::compile(&document, FILL, false);
            plans.push(plan.unwrap_or_else(|error| panic!("{error}: {codecs}")));
        }
    }
    plans
}

thread_local! {
    static PLANS: LazyCell<Vec<Plan>> = LazyCell::new(plans);
}

/// Input: a byte for the chain, one of options, a selection (see [`Selected::take`]), the chunk.
pub fn vlen(data: &[u8]) {
    let mut input = Input(data);
    let (number, options) = (input.byte(), input.byte());
    let selected = Selected::take(&mut input);
    PLANS.with(|plans| {
        let stored = Stored { plan: &plans[number % plans.len()], data: input.0 };
        let whole = stored.decoded();
        if let Some(elements) = &whole {
            stored.encodes_again(elements);
        }
        stored.reads_a_part(&selected, whole.as_deref());
        stored.updates_a_part(&selected, whole.as_deref(), options & 1 != 0);
    });
}

type Elements = Vec<Vec<u8>>;

/// The elements that references refer to.
fn gathered(heap: &Heap, refs: &[u8]) -> Elements {
    let mut offsets = vec![0; refs.len() / Ref::SIZE * 8 + 8];
    heap.measure(refs, &mut offsets).unwrap_or_else(|error| panic!("{error}"));
    let ends: Vec<usize> =
        offsets.as_chunks::<8>().0.iter().map(|n| u64::from_ne_bytes(*n) as usize).collect();
    let mut bytes = vec![0; ends.last().copied().unwrap_or_default()];
    heap.gather(refs, &mut bytes, 1).unwrap_or_else(|error| panic!("{error}"));
    ends.windows(2).map(|pair| bytes[pair[0]..pair[1]].to_vec()).collect()
}

/// A plan with elements to be written, and the references to them.
pub fn bound(plan: &Plan, elements: &[Vec<u8>]) -> (Plan, Vec<u8>) {
    let mut offset = 0;
    let refs = elements.iter().flat_map(|element| {
        let made = Ref { slab: VALUE, length: element.len() as u32, offset };
        offset += element.len() as u64;
        made.to_bytes()
    });
    (plan.with_heap(Some(Box::new(elements.concat()))), refs.collect())
}

struct Stored<'a> {
    plan: &'a Plan,
    data: &'a [u8],
}

impl Stored<'_> {
    fn decoded(&self) -> Option<Elements> {
        let plan = self.plan.with_heap(None);
        let mut refs = vec![0xA5; plan.chain.bytes];
        kept(decode(&plan, self.data, &mut refs))?;
        Some(gathered(plan.heap().unwrap_or_else(|error| panic!("{error}")), &refs))
    }

    /// Elements give back themselves, in the same bytes each time.
    fn encodes_again(&self, elements: &[Vec<u8>]) {
        let (plan, refs) = bound(self.plan, elements);
        let encode = || encode_chunk(&plan, &refs).unwrap_or_else(|error| panic!("{error}"));
        let encoded = encode();
        assert!(encoded == encode(), "it encodes to something else");
        let again = Stored { plan: self.plan, data: &encoded }.decoded();
        assert!(again.as_deref() == Some(elements), "it decodes to something else");
    }

    fn reads_a_part(&self, selected: &Selected, whole: Option<&[Vec<u8>]>) {
        let memory = Memory::with(KEY, self.data);
        let objects = Objects { storage: &memory, prefix: "" };
        let plan = self.plan.with_heap(None);
        let mut refs = vec![0xC3; selected.elements.len() * Ref::SIZE];
        let result = selected.with(&plan, |region, strides| {
            // SAFETY: the view is of memory of the region's size.
            unsafe { batched::read(&plan, &objects, region, &view_of_mut(&mut refs, strides), 1) }
        });
        let found = kept(result)
            .map(|()| gathered(plan.heap().unwrap_or_else(|error| panic!("{error}")), &refs));
        if let Some(whole) = whole {
            let expected: Elements =
                selected.elements.iter().map(|&number| whole[number].clone()).collect();
            assert!(found == Some(expected), "a part of it is something else");
        }
    }

    /// Write over a part; where the chunk was good, the rest of it is as before.
    fn updates_a_part(&self, selected: &Selected, whole: Option<&[Vec<u8>]>, keep_empty: bool) {
        let new: Elements = (0..selected.elements.len())
            .map(|n| FILL.iter().copied().cycle().take(n * 5 % 7).collect())
            .collect();
        let (plan, refs) = bound(self.plan, &new);
        let memory = Memory::with(KEY, self.data);
        let objects = Objects { storage: &memory, prefix: "" };
        let options = Options { threads: 1, keep_empty };
        let done = kept(selected.with(&plan, |region, strides| {
            // SAFETY: the view is of memory of the region's size.
            unsafe { batched::write(&plan, &objects, region, &view_of(&refs, strides), options) }
        }));
        let after = memory.objects().remove(KEY);
        if done.is_none() {
            assert!(whole.is_none(), "a good chunk cannot be changed");
            assert!(after.as_deref() == Some(self.data), "what failed left its traces");
        } else if let Some(whole) = whole {
            let mut expected = whole.to_vec();
            for (&number, value) in selected.elements.iter().zip(&new) {
                expected[number].clone_from(value);
            }
            let found = after.as_deref().map_or(Some(vec![FILL.to_vec(); COUNT]), |data| {
                Stored { plan: self.plan, data }.decoded()
            });
            assert!(found == Some(expected), "the update is something else");
        }
    }
}

/// A result, unless it is an error, which must be one of bytes that are wrong.
fn kept<T>(result: Result<T>) -> Option<T> {
    result.map_err(|error| check_error(&error)).ok()
}
