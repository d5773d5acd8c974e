//! Bytes of elements put in planes: byte 0 of every element, then byte 1, and so on.
//!
//! What numcodecs calls `shuffle`; also a step inside Blosc.

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
        2 => shuffle_n::<2>(source, target),
        4 => shuffle_n::<4>(source, target),
        8 => shuffle_n::<8>(source, target),
        _ => shuffle_any(element.max(1), source, target),
    }
}

/// Put planes back together; both slices have one length, and what is left over is copied.
pub fn unshuffle(element: usize, source: &[u8], target: &mut [u8]) {
    match element {
        2 => unshuffle_n::<2>(source, target),
        4 => unshuffle_n::<4>(source, target),
        8 => unshuffle_n::<8>(source, target),
        _ => unshuffle_any(element.max(1), source, target),
    }
}

/// Elements that are put into planes together, small enough for the vector unit.
const BLOCK: usize = 32;

fn shuffle_n<const N: usize>(source: &[u8], target: &mut [u8]) {
    let count = source.len().min(target.len()) / N;
    let (elements, rest) = source.as_chunks::<N>();
    let (planes, tail) = target.split_at_mut(count * N);
    let (blocks, last) = elements.as_chunks::<BLOCK>();
    for (number, block) in blocks.iter().enumerate() {
        for (byte, plane) in planes.chunks_exact_mut(count).enumerate() {
            let mut values = [0; BLOCK];
            for (slot, element) in values.iter_mut().zip(block) {
                *slot = element[byte];
            }
            plane[number * BLOCK..][..BLOCK].copy_from_slice(&values);
        }
    }
    for (byte, plane) in planes.chunks_exact_mut(count.max(1)).enumerate() {
        for (slot, element) in plane[count - last.len()..].iter_mut().zip(last) {
            *slot = element[byte];
        }
    }
    tail.copy_from_slice(rest);
}

fn unshuffle_n<const N: usize>(source: &[u8], target: &mut [u8]) {
    let count = source.len().min(target.len()) / N;
    let (planes, rest) = source.split_at(count * N);
    let (elements, tail) = target.as_chunks_mut::<N>();
    let mut plane = [&planes[..0]; N];
    for (slot, chunk) in plane.iter_mut().zip(planes.chunks_exact(count.max(1))) {
        *slot = chunk;
    }
    for (i, element) in elements.iter_mut().enumerate().take(count) {
        for (byte, plane) in element.iter_mut().zip(&plane) {
            *byte = plane[i];
        }
    }
    tail.copy_from_slice(rest);
}

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
