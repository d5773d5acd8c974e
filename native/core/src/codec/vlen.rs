//! `vlen-bytes` and `vlen-utf8`: the number of elements, then each element's size and bytes.
//!
//! Numbers are 32-bit, little-endian. There is nothing after the last element.

use crate::error::{Error, Kind, Result};

/// Size of the number of elements, and of the size of each.
pub const NUMBER: usize = 4;

/// Check that `data` may hold so many elements.
///
/// # Errors
/// It says that it holds another number, or is too small for their sizes.
pub fn check(data: &[u8], count: usize) -> Result<()> {
    let (found, rest) = number(data)?;
    if found != count {
        return Err(Error::corrupt(format!(
            "it holds {found} elements where {count} are expected"
        )));
    }
    if rest.len() / NUMBER < count {
        return Err(Error::corrupt(format!(
            "{} bytes are too few to hold {count} elements",
            data.len()
        )));
    }
    Ok(())
}

/// Call `each` with where every one of `count` elements begins in `data`, and its size.
///
/// # Errors
/// Those of `each`; or `data` does not hold exactly so many elements.
pub fn decode(
    data: &[u8],
    count: usize,
    mut each: impl FnMut(usize, u32) -> Result<()>,
) -> Result<()> {
    check(data, count)?;
    let mut rest = &data[NUMBER..];
    for element in 0..count {
        let (size, after) = number(rest)?;
        let left = after.get(size..).ok_or_else(|| {
            Error::corrupt(format!(
                "element {element} has {size} bytes, of which {} are there",
                after.len()
            ))
        })?;
        // The size was read from 32 bits.
        each(data.len() - after.len(), size as u32)?;
        rest = left;
    }
    if rest.is_empty() {
        return Ok(());
    }
    Err(Error::corrupt(format!("{} bytes are left after its {count} elements", rest.len())))
}

/// How many bytes elements of these sizes encode to; None if that is too many to count.
pub fn size(sizes: impl Iterator<Item = usize>) -> Option<usize> {
    let mut sizes = sizes;
    sizes.try_fold(NUMBER, |sum, size| sum.checked_add(NUMBER)?.checked_add(size))
}

/// Encode `count` elements to the start of `target`; return the size.
///
/// # Errors
/// There are more, or larger ones, than the format can say; or there is too little room.
pub fn encode<'a>(
    count: usize,
    elements: impl Iterator<Item = &'a [u8]>,
    target: &mut [u8],
) -> Result<usize> {
    let mut used = put(target, 0, &word(count)?)?;
    for element in elements {
        used = put(target, used, &word(element.len())?)?;
        used = put(target, used, element)?;
    }
    Ok(used)
}

fn word(number: usize) -> Result<[u8; NUMBER]> {
    u32::try_from(number).map(u32::to_le_bytes).map_err(|_| {
        Error::unsupported("chunks of elements of variable length have less than 2**32 of them, each of less than 4 GiB")
    })
}

fn put(target: &mut [u8], at: usize, bytes: &[u8]) -> Result<usize> {
    let too_small = || Error::new(Kind::Internal, "vlen: there is too little room");
    let end = at.checked_add(bytes.len()).ok_or_else(too_small)?;
    target.get_mut(at..end).ok_or_else(too_small)?.copy_from_slice(bytes);
    Ok(end)
}

fn number(data: &[u8]) -> Result<(usize, &[u8])> {
    let (number, rest) = data
        .split_first_chunk::<NUMBER>()
        .ok_or_else(|| Error::corrupt("the elements are cut off within a number"))?;
    Ok((u32::from_le_bytes(*number) as usize, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(data: &[u8], count: usize) -> Result<Vec<Vec<u8>>> {
        let mut all = Vec::new();
        decode(data, count, |start, size| {
            all.push(data[start..start + size as usize].to_vec());
            Ok(())
        })?;
        Ok(all)
    }

    #[test]
    fn elements_are_given_back() -> Result<()> {
        let elements: [&[u8]; 4] = [b"abc", b"", b"d", b""];
        let room = size(elements.iter().map(|e| e.len())).unwrap_or_default();
        let mut data = vec![0xA5; room];
        assert_eq!(encode(4, elements.into_iter(), &mut data)?, room);
        assert_eq!(&data[..11], b"\x04\0\0\0\x03\0\0\0abc");
        assert_eq!(decoded(&data, 4)?, elements);
        assert!(encode(4, elements.into_iter(), &mut data[1..]).is_err());
        assert_eq!(decoded(b"\0\0\0\0", 0)?, Vec::<Vec<u8>>::new());
        Ok(())
    }

    #[test]
    fn what_cannot_be_is_corrupt() {
        let cases: [(&[u8], usize); 9] = [
            (b"", 0),
            (b"\x01\0\0", 1),
            (b"\x01\0\0\0", 1),
            (b"\x01\0\0\0\x01\0\0\0", 1),
            (b"\x01\0\0\0\xff\xff\xff\xffabc", 1),
            (b"\x01\0\0\0\0\0\0\0!", 1),
            (b"\x02\0\0\0\0\0\0\0\x01\0\0", 2),
            (b"\xff\xff\xff\xff\0\0\0\0", u32::MAX as usize),
            (b"\x02\0\0\0\0\0\0\0\0\0\0\0", 1),
        ];
        for (data, count) in cases {
            let kind = decoded(data, count).map_err(|error| error.kind());
            assert_eq!(kind, Err(Kind::Corrupt), "{data:?}");
        }
    }
}
