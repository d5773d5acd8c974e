//! The choices at the start of an input.

/// Bytes to take choices from; where there are none left, the choice is 0.
pub struct Input<'a>(pub &'a [u8]);

impl<'a> Input<'a> {
    /// One byte.
    pub fn byte(&mut self) -> usize {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        usize::from(first)
    }

    /// Two bytes.
    pub fn short(&mut self) -> usize {
        self.byte() | self.byte() << 8
    }

    /// The next `count` bytes, or fewer.
    pub fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }
}
