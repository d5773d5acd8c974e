//! numcodecs' `delta` on integers: the first element, then the differences, wrapping.

/// Differences of the stored numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delta {
    /// Bytes per element: 1, 2, 4 or 8.
    pub element_bytes: usize,
    /// Whether the stored numbers are big-endian.
    pub big_endian: bool,
}

macro_rules! each {
    ($big:expr, $data:expr, $type:ty, $step:expr) => {
        if $big {
            each!($data, $type, $step, from_be_bytes, to_be_bytes)
        } else {
            each!($data, $type, $step, from_le_bytes, to_le_bytes)
        }
    };
    ($data:expr, $type:ty, $step:expr, $from:ident, $to:ident) => {{
        let mut before: $type = 0;
        let (elements, _) = $data.as_chunks_mut::<{ size_of::<$type>() }>();
        for element in elements {
            let value = <$type>::$from(*element);
            let (stored, next): ($type, $type) = $step(value, before);
            *element = stored.$to();
            before = next;
        }
    }};
}

impl Delta {
    /// Turn differences into values, in place.
    pub fn decode(self, data: &mut [u8]) {
        let big = self.big_endian;
        match self.element_bytes {
            1 => each!(big, data, u8, |v: u8, b: u8| (b.wrapping_add(v), b.wrapping_add(v))),
            2 => each!(big, data, u16, |v: u16, b: u16| (b.wrapping_add(v), b.wrapping_add(v))),
            4 => each!(big, data, u32, |v: u32, b: u32| (b.wrapping_add(v), b.wrapping_add(v))),
            _ => each!(big, data, u64, |v: u64, b: u64| (b.wrapping_add(v), b.wrapping_add(v))),
        }
    }

    /// Turn values into differences, in place.
    pub fn encode(self, data: &mut [u8]) {
        let big = self.big_endian;
        match self.element_bytes {
            1 => each!(big, data, u8, |v: u8, b: u8| (v.wrapping_sub(b), v)),
            2 => each!(big, data, u16, |v: u16, b: u16| (v.wrapping_sub(b), v)),
            4 => each!(big, data, u32, |v: u32, b: u32| (v.wrapping_sub(b), v)),
            _ => each!(big, data, u64, |v: u64, b: u64| (v.wrapping_sub(b), v)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_of_the_stored_numbers() {
        let values = [7u16, 300, 299, 0, 65535];
        for big_endian in [false, true] {
            let bytes = |v: u16| if big_endian { v.to_be_bytes() } else { v.to_le_bytes() };
            let delta = Delta { element_bytes: 2, big_endian };
            let plain: Vec<u8> = values.iter().flat_map(|&v| bytes(v)).collect();
            let mut data = plain.clone();
            delta.encode(&mut data);
            let expected = [7, 293, 65535, 65237, 65535].map(bytes).concat();
            assert_eq!(data, expected);
            delta.decode(&mut data);
            assert_eq!(data, plain);
        }
    }
}
