//! Bits of elements put in planes: bit 0 of byte 0 of every element, and so on.
//!
//! Done for eight elements and one byte at a time, as the transpose of an 8 by 8 matrix of
//! bits in one 64-bit number. A number of elements that is no multiple of 8 is copied as it is.

/// Transpose the 8 by 8 bits of a number: bit `8 * i + j` becomes bit `8 * j + i`.
const fn transpose(x: u64) -> u64 {
    let t = (x ^ (x >> 7)) & 0x00AA_00AA_00AA_00AA;
    let x = x ^ t ^ (t << 7);
    let t = (x ^ (x >> 14)) & 0x0000_CCCC_0000_CCCC;
    let x = x ^ t ^ (t << 14);
    let t = (x ^ (x >> 28)) & 0x0000_0000_F0F0_F0F0;
    x ^ t ^ (t << 28)
}

/// Transpose 8 numbers of 8 bytes, as a matrix of bytes.
fn transpose_bytes(rows: &mut [u64; 8]) {
    for (distance, shift, mask) in [
        (1, 8, 0x00FF_00FF_00FF_00FF_u64),
        (2, 16, 0x0000_FFFF_0000_FFFF),
        (4, 32, 0x0000_0000_FFFF_FFFF),
    ] {
        for i in 0..8 {
            if i & distance == 0 {
                let (a, b) = (rows[i], rows[i + distance]);
                rows[i] = (a & mask) | ((b & mask) << shift);
                rows[i + distance] = ((a >> shift) & mask) | (b & !mask);
            }
        }
    }
}

fn word(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

fn sizes(element: usize, size: usize) -> Option<(usize, usize)> {
    let element = element.max(1);
    let count = size / element;
    (count > 0 && count.is_multiple_of(8)).then_some((count, count / 8))
}

/// Put bits into planes; both slices have one length.
pub(super) fn shuffle(element: usize, source: &[u8], target: &mut [u8]) {
    let Some((count, plane)) = sizes(element, source.len()) else {
        target.copy_from_slice(source);
        return;
    };
    for byte in 0..element {
        let planes = &mut target[byte * count..(byte + 1) * count];
        for (group, bytes) in source[..count * element].chunks_exact(8 * element).enumerate() {
            let mut word = [0; 8];
            for (i, slot) in word.iter_mut().enumerate() {
                *slot = bytes[i * element + byte];
            }
            let bits = transpose(u64::from_le_bytes(word)).to_le_bytes();
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
    for byte in 0..element {
        let planes = &source[byte * count..(byte + 1) * count];
        let mut group = 0;
        while group + 8 <= plane {
            let mut rows = [0; 8];
            for (i, row) in rows.iter_mut().enumerate() {
                *row = word(planes, i * plane + group);
            }
            transpose_bytes(&mut rows);
            for (i, &row) in rows.iter().enumerate() {
                put(transpose(row), element, byte, group + i, target);
            }
            group += 8;
        }
        for group in group..plane {
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
            for count in [0usize, 7, 8, 16, 64, 72, 128, 136] {
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
