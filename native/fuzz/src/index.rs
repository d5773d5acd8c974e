//! The index of a shard.

use anyzarr_core::codec::crc32c;
use anyzarr_core::shard::{Entry, IndexLayout};

use crate::check_error;
use crate::input::Input;

/// Input: a byte for the layout, one for the number of subchunks, the shard.
pub fn shard_index(data: &[u8]) {
    let mut input = Input(data);
    let (options, entries) = (input.byte(), input.byte());
    let layout = IndexLayout {
        entries,
        at_start: options & 1 != 0,
        big_endian: options & 2 != 0,
        checksums: (options >> 2) % 3,
    };
    let mut shard = input.0.to_vec();
    if options & 0x80 == 0 {
        correct_checksums(&layout, &mut shard);
    }
    if let Some(index) = decode(&layout, &shard) {
        let found = layout.find(&shard).unwrap_or_default();
        let mut again = Vec::new();
        layout.encode(&index, &mut again);
        assert_eq!(again, found);
        assert_eq!(index.len(), entries);
        for entry in index {
            check_entry(entry, &shard);
        }
    }
    // Fetched alone, it may have any length.
    let mut index = Vec::new();
    let alone = layout.decode(input.0, &mut index);
    assert!(alone.is_err() || input.0.len() == layout.bytes());
}

fn decode(layout: &IndexLayout, shard: &[u8]) -> Option<Vec<Entry>> {
    let mut index = vec![Entry::NONE; 3];
    match layout.find(shard).and_then(|found| layout.decode(found, &mut index)) {
        Ok(()) => Some(index),
        Err(error) => {
            check_error(&error);
            None
        }
    }
}

fn check_entry(entry: Entry, shard: &[u8]) {
    for length in [shard.len() as u64, 0, u64::MAX, i64::MAX as u64] {
        match entry.range(length) {
            Ok(None) => assert_eq!(entry, Entry::NONE),
            Ok(Some((start, stop))) => {
                assert!(start <= stop && stop <= length && stop - start == entry.size);
            }
            Err(error) => {
                let end = u128::from(entry.offset) + u128::from(entry.size);
                assert!(end > u128::from(length), "it lies within");
                check_error(&error);
            }
        }
    }
}

/// Give the index the checksums it should have, so that damage gets past them.
fn correct_checksums(layout: &IndexLayout, shard: &mut [u8]) {
    let size = layout.bytes();
    let Some(start) = shard.len().checked_sub(size) else { return };
    let start = if layout.at_start { 0 } else { start };
    let mut end = size - layout.checksums * crc32c::SIZE;
    for _ in 0..layout.checksums {
        let sum = crc32c::of(&shard[start..start + end]).to_le_bytes();
        shard[start + end..][..crc32c::SIZE].copy_from_slice(&sum);
        end += crc32c::SIZE;
    }
}
