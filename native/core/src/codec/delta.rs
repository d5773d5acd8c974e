//! numcodecs' `delta` on integers: the first element, then the differences, wrapping.

/// Bytes per element: 1, 2, 4 or 8; elements are in the machine's byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delta {
    /// Bytes per element.
    pub element_bytes: usize,
}

macro_rules! each {
    ($data:expr, $type:ty, $step:expr) => {{
        let mut before: $type = 0;
        let (elements, _) = $data.as_chunks_mut::<{ size_of::<$type>() }>();
        for element in elements {
            let value = <$type>::from_ne_bytes(*element);
            let (stored, next): ($type, $type) = $step(value, before);
            *element = stored.to_ne_bytes();
            before = next;
        }
    }};
}

impl Delta {
    /// Turn differences into values, in place.
    pub fn decode(self, data: &mut [u8]) {
        match self.element_bytes {
            1 => each!(data, u8, |v: u8, b: u8| (b.wrapping_add(v), b.wrapping_add(v))),
            2 => each!(data, u16, |v: u16, b: u16| (b.wrapping_add(v), b.wrapping_add(v))),
            4 => each!(data, u32, |v: u32, b: u32| (b.wrapping_add(v), b.wrapping_add(v))),
            _ => each!(data, u64, |v: u64, b: u64| (b.wrapping_add(v), b.wrapping_add(v))),
        }
    }

    /// Turn values into differences, in place.
    pub fn encode(self, data: &mut [u8]) {
        match self.element_bytes {
            1 => each!(data, u8, |v: u8, b: u8| (v.wrapping_sub(b), v)),
            2 => each!(data, u16, |v: u16, b: u16| (v.wrapping_sub(b), v)),
            4 => each!(data, u32, |v: u32, b: u32| (v.wrapping_sub(b), v)),
            _ => each!(data, u64, |v: u64, b: u64| (v.wrapping_sub(b), v)),
        }
    }
}
