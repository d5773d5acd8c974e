//! Bits of elements put in planes: bit 0 of byte 0 of every element, and so on.
//!
//! Done for eight elements and one byte at a time, as the transpose of an 8 by 8 matrix of
//! bits in one 64-bit number, and of whole tiles several at once. A number of elements that is no multiple of 8 is copied as it is.
#![allow(unsafe_code)] // one call of a function compiled for vectors, after asking for them

/// Transpose the 8 by 8 bits of a number: bit `8 * i + j` becomes bit `8 * j + i`.
const fn transpose(x: u64) -> u64 {
    let t = (x ^ (x >> 7)) & 0x00AA_00AA_00AA_00AA;
    let x = x ^ t ^ (t << 7);
    let t = (x ^ (x >> 14)) & 0x0000_CCCC_0000_CCCC;
    let x = x ^ t ^ (t << 14);
    let t = (x ^ (x >> 28)) & 0x0000_0000_F0F0_F0F0;
    x ^ t ^ (t << 28)
}

/// How many columns of 8 bytes are worked on at once, one per lane of a vector.
const LANES: usize = 4;

/// Planes of 8 rows of 8 bytes, `LANES` of them next to each other.
type Tile = [[u64; LANES]; 8];

/// Elements of a tile.
const TILE: usize = 64 * LANES;

/// Transpose the bits within each row.
#[inline(always)]
fn transpose_rows(rows: &mut Tile) {
    for row in rows {
        for value in row {
            *value = transpose(*value);
        }
    }
}

/// Transpose the bytes of each lane's 8 rows.
#[inline(always)]
fn transpose_bytes(rows: &mut Tile) {
    for (distance, shift, mask) in [
        (1, 8, 0x00FF_00FF_00FF_00FF_u64),
        (2, 16, 0x0000_FFFF_0000_FFFF),
        (4, 32, 0x0000_0000_FFFF_FFFF),
    ] {
        for i in (0..8).filter(|i| i & distance == 0) {
            let (upper, lower) = rows.split_at_mut(i + distance);
            for (a, b) in upper[i].iter_mut().zip(&mut lower[0]) {
                let (first, second) = (*a, *b);
                *a = (first & mask) | ((second & mask) << shift);
                *b = ((first >> shift) & mask) | (second & !mask);
            }
        }
    }
}

fn word(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

/// Undo the planes of `TILE` elements of `N` bytes, whose bits begin at byte `group` of each plane.
#[inline(always)]
fn unshuffle_tile<const N: usize>(source: &[u8], plane: usize, group: usize, out: &mut [u8]) {
    // The elements' bytes: first byte 0 of all, then byte 1, ….
    let mut bytes = [[0u8; TILE]; N];
    for (number, place) in bytes.iter_mut().enumerate() {
        let planes = &source[number * 8 * plane..(number + 1) * 8 * plane];
        let mut rows: Tile = [[0; LANES]; 8];
        for (i, row) in rows.iter_mut().enumerate() {
            for (lane, slot) in row.iter_mut().enumerate() {
                *slot = word(planes, i * plane + group + 8 * lane);
            }
        }
        transpose_bytes(&mut rows);
        transpose_rows(&mut rows);
        for (i, row) in rows.iter().enumerate() {
            for (lane, value) in row.iter().enumerate() {
                let at = (8 * lane + i) * 8;
                place[at..at + 8].copy_from_slice(&value.to_le_bytes());
            }
        }
    }
    let (elements, _) = out.as_chunks_mut::<N>();
    for (i, element) in elements.iter_mut().enumerate().take(TILE) {
        for (slot, place) in element.iter_mut().zip(&bytes) {
            *slot = place[i];
        }
    }
}

/// Put `TILE` elements of `N` bytes into planes, their bits from byte `group` of each plane on.
#[inline(always)]
fn shuffle_tile<const N: usize>(source: &[u8], plane: usize, group: usize, out: &mut [u8]) {
    let mut bytes = [[0u8; TILE]; N];
    let (elements, _) = source.as_chunks::<N>();
    for (number, place) in bytes.iter_mut().enumerate() {
        for (slot, element) in place.iter_mut().zip(elements) {
            *slot = element[number];
        }
    }
    for (number, place) in bytes.iter().enumerate() {
        let mut rows: Tile = [[0; LANES]; 8];
        for (i, row) in rows.iter_mut().enumerate() {
            for (lane, slot) in row.iter_mut().enumerate() {
                *slot = word(place, (8 * lane + i) * 8);
            }
        }
        transpose_rows(&mut rows);
        transpose_bytes(&mut rows);
        let planes = &mut out[number * 8 * plane..(number + 1) * 8 * plane];
        for (i, row) in rows.iter().enumerate() {
            for (lane, value) in row.iter().enumerate() {
                planes[i * plane + group + 8 * lane..][..8].copy_from_slice(&value.to_le_bytes());
            }
        }
    }
}

#[inline(always)]
fn shuffle_tiles<const N: usize>(source: &[u8], plane: usize, target: &mut [u8]) -> usize {
    let tiles = plane / (8 * LANES);
    for (tile, elements) in source.chunks_exact(TILE * N).take(tiles).enumerate() {
        shuffle_tile::<N>(elements, plane, tile * 8 * LANES, target);
    }
    tiles * 8 * LANES
}

/// The same, compiled for the vectors of newer processors.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn shuffle_avx2<const N: usize>(source: &[u8], plane: usize, target: &mut [u8]) -> usize {
    shuffle_tiles::<N>(source, plane, target)
}

/// Do as many whole tiles as there are; return how many bytes of each plane that is.
fn shuffle_whole<const N: usize>(source: &[u8], plane: usize, target: &mut [u8]) -> usize {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has what the function was compiled for.
        return unsafe { shuffle_avx2::<N>(source, plane, target) };
    }
    shuffle_tiles::<N>(source, plane, target)
}

#[inline(always)]
fn unshuffle_tiles<const N: usize>(source: &[u8], plane: usize, target: &mut [u8]) -> usize {
    let tiles = plane / (8 * LANES);
    for (tile, out) in target.chunks_exact_mut(TILE * N).take(tiles).enumerate() {
        unshuffle_tile::<N>(source, plane, tile * 8 * LANES, out);
    }
    tiles * 8 * LANES
}

/// The same, compiled for the vectors of newer processors.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn unshuffle_avx2<const N: usize>(source: &[u8], plane: usize, target: &mut [u8]) -> usize {
    unshuffle_tiles::<N>(source, plane, target)
}

/// Undo as many whole tiles as there are; return how many bytes of each plane that is.
fn unshuffle_whole<const N: usize>(source: &[u8], plane: usize, target: &mut [u8]) -> usize {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has what the function was compiled for.
        return unsafe { unshuffle_avx2::<N>(source, plane, target) };
    }
    unshuffle_tiles::<N>(source, plane, target)
}

fn sizes(element: usize, size: usize) -> Option<(usize, usize)> {
    let element = element.max(1);
    let count = size / element;
    (count > 0 && count.is_multiple_of(8)).then_some((count, count / 8))
}

/// Byte number `byte` of each of eight elements.
#[inline]
fn gather(bytes: &[u8], element: usize, byte: usize) -> u64 {
    let mut word = [0; 8];
    for (slot, bytes) in word.iter_mut().zip(bytes.chunks_exact(element)) {
        *slot = bytes[byte];
    }
    u64::from_le_bytes(word)
}

/// Put bits into planes; both slices have one length.
pub(super) fn shuffle(element: usize, source: &[u8], target: &mut [u8]) {
    let Some((count, plane)) = sizes(element, source.len()) else {
        target.copy_from_slice(source);
        return;
    };
    let done = match element {
        1 => shuffle_whole::<1>(source, plane, target),
        2 => shuffle_whole::<2>(source, plane, target),
        4 => shuffle_whole::<4>(source, plane, target),
        8 => shuffle_whole::<8>(source, plane, target),
        _ => 0,
    };
    for byte in 0..element {
        let planes = &mut target[byte * count..(byte + 1) * count];
        let groups = source[..count * element].chunks_exact(8 * element).enumerate();
        for (group, bytes) in groups.skip(done) {
            let bits = transpose(gather(bytes, element, byte)).to_le_bytes();
            for (i, &value) in bits.iter().enumerate() {
                planes[i * plane + group] = value;
            }
        }
    }
    target[count * element..].copy_from_slice(&source[count * element..]);
}

/// Put planes of bits back together; both slices have one length.
pub(super) fn unshuffle(element: usize, source: &[u8], target: &mut [u8]) {
    let Some((count, plane)) = sizes(element, source.len()) else {
        target.copy_from_slice(source);
        return;
    };
    let done = match element {
        1 => unshuffle_whole::<1>(source, plane, target),
        2 => unshuffle_whole::<2>(source, plane, target),
        4 => unshuffle_whole::<4>(source, plane, target),
        8 => unshuffle_whole::<8>(source, plane, target),
        _ => 0,
    };
    for byte in 0..element {
        let planes = &source[byte * count..(byte + 1) * count];
        for group in done..plane {
            let mut row = [0; 8];
            for (i, slot) in row.iter_mut().enumerate() {
                *slot = planes[i * plane + group];
            }
            put(transpose(u64::from_le_bytes(row)), element, byte, group, target);
        }
    }
    target[count * element..].copy_from_slice(&source[count * element..]);
}

/// Put the bytes number `byte` of the eight elements of a group in their places.
fn put(values: u64, element: usize, byte: usize, group: usize, target: &mut [u8]) {
    let start = group * 8 * element;
    let place = &mut target[start..start + 8 * element];
    let values = values.to_le_bytes();
    if element == 1 {
        place.copy_from_slice(&values);
        return;
    }
    for (i, &value) in values.iter().enumerate() {
        place[i * element + byte] = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_hold_the_bits_and_come_back() {
        for element in [1, 2, 3, 4, 8] {
            for count in [0usize, 7, 8, 16, 64, 256, 264, 512, 1000] {
                let size = element * count + usize::from(element > 1);
                let source: Vec<u8> = (0..size).map(|i| (i * 37 % 251) as u8).collect();
                let (mut planes, mut back) = (vec![0; size], vec![0; size]);
                shuffle(element, &source, &mut planes);
                if count > 0 && count.is_multiple_of(8) {
                    for bit in 0..8 * element {
                        for i in 0..count {
                            let expected = source[i * element + bit / 8] >> (bit % 8) & 1;
                            let found = planes[bit * (count / 8) + i / 8] >> (i % 8) & 1;
                            assert_eq!(found, expected);
                        }
                    }
                }
                unshuffle(element, &planes, &mut back);
                assert_eq!(back, source);
            }
        }
    }
}
