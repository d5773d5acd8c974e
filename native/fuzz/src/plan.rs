//! Metadata documents.

use anyzarr_core::chunk::{decode, encode_chunk};
use anyzarr_core::heap::Ref;
use anyzarr_core::plan::{Body, Chain};
use anyzarr_core::{Kind, Plan, Region};

use crate::check_error;
use crate::input::Input;

const MAX_CHUNK: usize = 1 << 14;
const MAX_ENCODED: usize = 1 << 20;
const MAX_SUBCHUNKS: usize = 1 << 10;

/// Input: a byte for the size of the fill value and the byte order, the fill value, the document.
pub fn plan(data: &[u8]) {
    let mut input = Input(data);
    let options = input.byte();
    let fill = input.take(options & 0x1F);
    let Ok(document) = std::str::from_utf8(input.0) else { return };
    let plan = match Plan::compile(document, fill, options & 0x80 != 0) {
        Ok(plan) => plan,
        Err(error) => {
            assert!(matches!(error.kind(), Kind::Invalid | Kind::Unsupported), "{error}");
            return;
        }
    };
    assert_eq!(plan.itemsize, if plan.is_variable() { Ref::SIZE } else { fill.len() });
    assert!(plan.check(&Region::full(&plan.shape)).is_ok());
    assert_eq!(plan.shape.len(), plan.chain.shape.len());
    for ((&n, &edge), &cells) in plan.shape.iter().zip(&*plan.chain.shape).zip(&*plan.grid) {
        assert!(u128::from(cells as u64) * edge as u128 >= n as u128 && edge > 0);
    }
    assert!(!plan.key(&plan.grid).is_empty());
    check_chain(&plan.chain, plan.itemsize);
    if is_small(&plan.chain) && !plan.is_variable() {
        move_chunks(&plan, input.0);
    }
}

/// Sizes that the executors rely on.
fn check_chain(chain: &Chain, itemsize: usize) {
    let product = |shape: &[usize]| shape.iter().product::<usize>();
    assert_eq!(product(&chain.shape) * itemsize, chain.bytes);
    assert_eq!(product(&chain.stored_shape), product(&chain.shape));
    assert_eq!(chain.itemsize(), itemsize);
    assert_eq!(chain.bounds.len(), chain.codecs.len() + 1);
    assert!(chain.bounds.iter().all(|&n| isize::try_from(n).is_ok()));
    assert!(chain.span(&Region::full(&chain.stored_shape)) == (0, chain.bytes));
    if let Body::Shard(shard) = &chain.body {
        assert_eq!(product(&shard.counts), shard.index.entries);
        assert_eq!(shard.index.entries * product(&shard.inner.shape), product(&chain.shape));
        check_chain(&shard.inner, itemsize);
    }
}

fn is_small(chain: &Chain) -> bool {
    let subchunks = match &chain.body {
        Body::Plain(_) | Body::Variable(_) => 1,
        Body::Shard(shard) if !is_small(&shard.inner) => return false,
        Body::Shard(shard) => shard.index.entries,
    };
    let most = chain.bounds.iter().copied().max().unwrap_or(0);
    chain.bytes <= MAX_CHUNK && most <= MAX_ENCODED && subchunks <= MAX_SUBCHUNKS
}

/// What the plan encodes it decodes; anything else is an error or values.
fn move_chunks(plan: &Plan, bytes: &[u8]) {
    let size = plan.chain.bytes;
    let mut found = vec![0; size];
    if let Err(error) = decode(plan, bytes, &mut found) {
        check_error(&error);
    }
    let pattern: Vec<u8> = bytes.iter().copied().cycle().take(size).collect();
    let fill: Vec<u8> = plan.fill.iter().copied().cycle().take(size).collect();
    for value in [pattern, fill] {
        if value.len() != size {
            continue;
        }
        match encode_chunk(plan, &value) {
            Ok(encoded) => {
                decode(plan, &encoded, &mut found).unwrap_or_else(|e| panic!("{e}"));
                assert!(found == value, "it decodes to something else");
            }
            Err(error) => check_error(&error),
        }
    }
}
