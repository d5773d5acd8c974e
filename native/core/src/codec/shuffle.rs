//! Bytes of elements put in planes: byte 0 of every element, then byte 1, and so on.
//!
//! What numcodecs calls `shuffle`; also a step inside Blosc. Elements of 2, 4 and 8 bytes are
//! moved in blocks that the compiler turns into vector instructions, once for every processor
//! and once for those with AVX2.
#![allow(unsafe_code)] // calls of functions compiled for vectors, after asking for them

use crate::error::{Error, Result};

/// Bytes per element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shuffle {
    /// At least 1.
    pub element_bytes: usize,
}

impl Shuffle {
    /// Undo the shuffle.
    ///
    /// # Errors
    /// `source` is no whole number of elements, or `target` is too small.
    pub fn decode(&self, source: &[u8], target: &mut [u8]) -> Result<usize> {
        let target = self.target(source.len(), target)?;
        unshuffle(self.element_bytes, source, target);
        Ok(source.len())
    }

    /// Shuffle.
    ///
    /// # Errors
    /// As [`Shuffle::decode`].
    pub fn encode(&self, source: &[u8], target: &mut [u8]) -> Result<usize> {
        let target = self.target(source.len(), target)?;
        shuffle(self.element_bytes, source, target);
        Ok(source.len())
    }

    fn target<'a>(&self, size: usize, target: &'a mut [u8]) -> Result<&'a mut [u8]> {
        let room = target.len();
        match target.get_mut(..size) {
            Some(target) if size.is_multiple_of(self.element_bytes) => Ok(target),
            Some(_) => Err(Error::corrupt(format!(
                "{size} bytes are no whole number of {}-byte elements to shuffle",
                self.element_bytes
            ))),
            None => Err(crate::codec::too_much(size, room)),
        }
    }
}

/// Put bytes into planes; both slices have one length, and what is left over is copied.
pub fn shuffle(element: usize, source: &[u8], target: &mut [u8]) {
    match element {
        2 => shuffle_2(source, target),
        4 => shuffle_4(source, target),
        8 => shuffle_8(source, target),
        _ => shuffle_any(element.max(1), source, target),
    }
}

/// Put planes back together; both slices have one length, and what is left over is copied.
pub fn unshuffle(element: usize, source: &[u8], target: &mut [u8]) {
    match element {
        2 => unshuffle_2(source, target),
        4 => unshuffle_4(source, target),
        8 => unshuffle_8(source, target),
        _ => unshuffle_any(element.max(1), source, target),
    }
}

/// Elements that are moved together, small enough for the vector unit.
const BLOCK: usize = 64;

macro_rules! shuffle_blocks {
    ($number:ty, $source:expr, $target:expr) => {{
        const N: usize = size_of::<$number>();
        let count = $source.len().min($target.len()) / N;
        let (elements, rest) = $source.as_chunks::<N>();
        let (planes, tail) = $target.split_at_mut(count * N);
        let (blocks, last) = elements.as_chunks::<BLOCK>();
        for (number, block) in blocks.iter().enumerate() {
            let values = block.map(<$number>::from_le_bytes);
            for (byte, plane) in planes.chunks_exact_mut(count).enumerate() {
                // Shifted and cut off: that packs well.
                let bytes = values.map(|value| (value >> (8 * byte)) as u8);
                plane[number * BLOCK..][..BLOCK].copy_from_slice(&bytes);
            }
        }
        for (byte, plane) in planes.chunks_exact_mut(count.max(1)).enumerate() {
            for (slot, element) in plane[count - last.len()..].iter_mut().zip(last) {
                *slot = element[byte];
            }
        }
        tail.copy_from_slice(rest);
    }};
}

macro_rules! unshuffle_blocks {
    ($number:ty, $source:expr, $target:expr) => {{
        const N: usize = size_of::<$number>();
        let count = $source.len().min($target.len()) / N;
        let (planes, rest) = $source.split_at(count * N);
        let (elements, tail) = $target.as_chunks_mut::<N>();
        let (blocks, last) = elements.as_chunks_mut::<BLOCK>();
        for (number, block) in blocks.iter_mut().enumerate() {
            let mut values = [0; BLOCK];
            for (byte, plane) in planes.chunks_exact(count).enumerate() {
                let bytes = &plane[number * BLOCK..][..BLOCK];
                for (value, &part) in values.iter_mut().zip(bytes) {
                    *value |= <$number>::from(part) << (8 * byte);
                }
            }
            *block = values.map(<$number>::to_le_bytes);
        }
        for (byte, plane) in planes.chunks_exact(count.max(1)).enumerate() {
            for (element, &part) in last.iter_mut().zip(&plane[count - (count % BLOCK)..]) {
                element[byte] = part;
            }
        }
        tail.copy_from_slice(rest);
    }};
}

/// Both directions for elements that fit a number; `$avx2` are the same, compiled for AVX2.
macro_rules! of_numbers {
    ($number:ty, $shuffle:ident, $shuffle_avx2:ident, $unshuffle:ident, $unshuffle_avx2:ident) => {
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2")]
        fn $shuffle_avx2(source: &[u8], target: &mut [u8]) {
            shuffle_blocks!($number, source, target);
        }

        fn $shuffle(source: &[u8], target: &mut [u8]) {
            #[cfg(target_arch = "x86_64")]
            if std::arch::is_x86_feature_detected!("avx2") {
                // SAFETY: the processor has what the function was compiled for.
                return unsafe { $shuffle_avx2(source, target) };
            }
            shuffle_blocks!($number, source, target);
        }

        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2")]
        fn $unshuffle_avx2(source: &[u8], target: &mut [u8]) {
            unshuffle_blocks!($number, source, target);
        }

        fn $unshuffle(source: &[u8], target: &mut [u8]) {
            #[cfg(target_arch = "x86_64")]
            if std::arch::is_x86_feature_detected!("avx2") {
                // SAFETY: the processor has what the function was compiled for.
                return unsafe { $unshuffle_avx2(source, target) };
            }
            unshuffle_blocks!($number, source, target);
        }
    };
}

of_numbers!(u16, shuffle_2, shuffle_2_avx2, unshuffle_2, unshuffle_2_avx2);
of_numbers!(u32, shuffle_4, shuffle_4_avx2, unshuffle_4, unshuffle_4_avx2);
of_numbers!(u64, shuffle_8, shuffle_8_avx2, unshuffle_8, unshuffle_8_avx2);

fn shuffle_any(element: usize, source: &[u8], target: &mut [u8]) {
    let count = source.len() / element;
    let (whole, rest) = source.split_at(count * element);
    let (planes, tail) = target.split_at_mut(count * element);
    for (byte, plane) in planes.chunks_exact_mut(count.max(1)).enumerate() {
        for (slot, bytes) in plane.iter_mut().zip(whole.chunks_exact(element)) {
            *slot = bytes[byte];
        }
    }
    tail.copy_from_slice(rest);
}

fn unshuffle_any(element: usize, source: &[u8], target: &mut [u8]) {
    let count = source.len() / element;
    let (planes, rest) = source.split_at(count * element);
    let (whole, tail) = target.split_at_mut(count * element);
    for (byte, plane) in planes.chunks_exact(count.max(1)).enumerate() {
        for (slot, bytes) in plane.iter().zip(whole.chunks_exact_mut(element)) {
            bytes[byte] = *slot;
        }
    }
    tail.copy_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_gives_the_same() {
        let mut state = 1u32;
        let mut random = move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 16
        };
        for _ in 0..500 {
            let size = random() as usize % 3000;
            let source: Vec<u8> = (0..size).map(|_| random() as u8).collect();
            for element in [2, 4, 8] {
                let (mut plain, mut fast, mut back) = (vec![0; size], vec![0; size], vec![0; size]);
                shuffle_any(element, &source, &mut plain);
                shuffle(element, &source, &mut fast);
                assert_eq!(plain, fast);
                unshuffle(element, &fast, &mut back);
                assert_eq!(back, source);
                // As on a processor without vectors of that size.
                match element {
                    2 => {
                        shuffle_blocks!(u16, source, fast);
                        unshuffle_blocks!(u16, plain, back);
                    }
                    4 => {
                        shuffle_blocks!(u32, source, fast);
                        unshuffle_blocks!(u32, plain, back);
                    }
                    _ => {
                        shuffle_blocks!(u64, source, fast);
                        unshuffle_blocks!(u64, plain, back);
                    }
                }
                assert_eq!((fast, back), (plain, source.clone()));
            }
        }
    }

    #[test]
    fn planes_come_back_together() {
        for element in [1, 2, 3, 4, 7, 8, 16] {
            for size in [0, 1, 7, 8, 64, 65, 1000] {
                let source: Vec<u8> = (0..size).map(|i| (i * 7 % 251) as u8).collect();
                let (mut planes, mut back) = (vec![0; size], vec![0; size]);
                shuffle(element, &source, &mut planes);
                if size >= 2 * element {
                    assert_eq!(planes[1], source[element]);
                }
                unshuffle(element, &planes, &mut back);
                assert_eq!(back, source);
            }
        }
    }
}
