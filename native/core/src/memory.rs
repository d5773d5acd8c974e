//! Moving elements between strided places in memory: the only code that touches a caller's.
//!
//! Strides are worked out once per copy: axes are ordered and merged, then walked with counters,
//! without a division. Byte order is changed on the way.
#![allow(unsafe_code)] // raw pointers with strides; each function says what it relies on

use crate::dims::Dims;

/// Where the elements of an array lie: element `i` at `base + sum(i[d] * strides[d])`.
///
/// Whoever makes one vouches for the memory of all elements that are read or written through it.
#[derive(Clone, Copy, Debug)]
pub struct View {
    base: *mut u8,
    strides: Dims<isize>,
}

// SAFETY: a view is an address. Threads that use it touch different elements, see `copy`.
unsafe impl Send for View {}
// SAFETY: as above.
unsafe impl Sync for View {}

impl View {
    /// Describe memory.
    ///
    /// # Safety
    /// For as long as the view or one made from it is used, every element of the array it is
    /// used for must be valid memory: writable where it is a target, and then not accessed in
    /// any other way.
    #[must_use]
    pub unsafe fn new(base: *mut u8, strides: Dims<isize>) -> Self {
        Self { base, strides }
    }

    /// The view whose first element is element `at` of this one.
    #[must_use]
    pub fn at(&self, at: &[usize]) -> Self {
        let offset = at
            .iter()
            .zip(&*self.strides)
            .fold(0isize, |sum, (&i, &s)| sum.wrapping_add((i as isize).wrapping_mul(s)));
        Self { base: self.base.wrapping_offset(offset), strides: self.strides }
    }

    /// The view on what lies `bytes` further on.
    #[must_use]
    pub fn moved(&self, bytes: isize) -> Self {
        Self { base: self.base.wrapping_offset(bytes), strides: self.strides }
    }

    /// The address of the first element.
    #[must_use]
    pub fn base(&self) -> *mut u8 {
        self.base
    }

    /// Bytes from one element to the next, per dimension.
    #[must_use]
    pub fn strides(&self) -> &Dims<isize> {
        &self.strides
    }

    /// The view that begins where this one does, with other strides.
    #[must_use]
    pub fn with_strides(&self, strides: Dims<isize>) -> Self {
        Self { base: self.base, strides }
    }

    /// The view with its dimensions in another order.
    #[must_use]
    pub fn permuted(&self, order: &Dims) -> Self {
        Self { base: self.base, strides: self.strides.permuted(order) }
    }

    /// Whether the elements of an array of this shape follow each other in C order.
    #[must_use]
    pub fn is_contiguous(&self, shape: &[usize], itemsize: usize) -> bool {
        let mut step = itemsize as isize;
        for (&n, &stride) in shape.iter().zip(&*self.strides).rev() {
            if n != 1 && stride != step {
                return false;
            }
            step = step.wrapping_mul(n as isize);
        }
        true
    }

    /// The `size` bytes from the first element on, to write.
    ///
    /// # Safety
    /// As for [`View::new`]; the elements are contiguous and fill these bytes.
    #[must_use]
    pub unsafe fn bytes_mut<'a>(&self, size: usize) -> &'a mut [u8] {
        // SAFETY: by the caller.
        unsafe { std::slice::from_raw_parts_mut(self.base, size) }
    }

    /// The `size` bytes from the first element on.
    ///
    /// # Safety
    /// As for [`View::new`]; the elements are contiguous and fill these bytes.
    #[must_use]
    pub unsafe fn bytes<'a>(&self, size: usize) -> &'a [u8] {
        // SAFETY: by the caller.
        unsafe { std::slice::from_raw_parts(self.base, size) }
    }
}

/// An element: its size, and the unit whose bytes are reversed on the way (1: none).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    /// Bytes of an element.
    pub size: usize,
    /// Bytes of a number in it, whose order is reversed; 1 if they stay.
    pub swap: usize,
}

/// One axis of a copy.
impl Item {
    /// Whether elements are copied as they are.
    fn keeps_bytes(self) -> bool {
        !matches!(self.swap, 2 | 4 | 8)
    }
}

#[derive(Clone, Copy, Default)]
pub(crate) struct Axis {
    pub count: usize,
    pub target: isize,
    pub source: isize,
}

/// The axes of a copy, outermost first, as few as possible.
struct Axes {
    len: usize,
    all: [Axis; crate::dims::MAX_DIMS],
}

impl Axes {
    /// None if there is nothing to copy.
    fn new(target: &[isize], source: &[isize], counts: &[usize]) -> Option<Self> {
        let mut axes = Self { len: 0, all: Default::default() };
        for ((&target, &source), &count) in target.iter().zip(source).zip(counts) {
            match count {
                0 => return None,
                1 => {}
                _ => {
                    axes.all[axes.len] = Axis { count, target, source };
                    axes.len += 1;
                }
            }
        }
        // The target's memory order: writes should follow each other.
        axes.all[..axes.len].sort_by_key(|axis| std::cmp::Reverse(axis.target.unsigned_abs()));
        axes.merge();
        Some(axes)
    }

    fn merge(&mut self) {
        let mut kept = 0;
        for i in 1..self.len {
            let (inner, outer) = (self.all[i], self.all[kept]);
            let n = inner.count as isize;
            let fits = outer.target == inner.target.wrapping_mul(n)
                && outer.source == inner.source.wrapping_mul(n);
            if fits {
                self.all[kept] = Axis { count: outer.count * inner.count, ..inner };
            } else {
                kept += 1;
                self.all[kept] = inner;
            }
        }
        self.len = self.len.min(kept + 1);
    }
}

/// Copy `counts` elements from one view to another, reversing bytes as `item` says.
///
/// # Safety
/// Both views are valid for `counts`; the target's elements are different from each other and
/// from the source's, and nobody else uses them meanwhile.
pub unsafe fn copy(target: &View, source: &View, counts: &[usize], item: Item) {
    if let Some(block) = Block::new(&target.strides, &source.strides, counts) {
        // SAFETY: by the caller.
        unsafe { block.copy(target.base, source.base, item) }
    }
}

/// A copy that is worked out, to be made at any place.
pub(crate) struct Block {
    axes: Axes,
}

impl Block {
    /// None if there is nothing to copy.
    pub fn new(target: &[isize], source: &[isize], counts: &[usize]) -> Option<Self> {
        Axes::new(target, source, counts).map(|axes| Self { axes })
    }

    /// The axes, outermost first, as few as possible.
    pub fn axes(&self) -> &[Axis] {
        &self.axes.all[..self.axes.len]
    }

    /// Copy from one address to another.
    ///
    /// # Safety
    /// As for [`copy`].
    pub unsafe fn copy(&self, target: *mut u8, source: *mut u8, item: Item) {
        let Some((inner, outer)) = self.axes().split_last() else {
            // SAFETY: one element.
            unsafe { row(target, source, Axis { count: 1, target: 0, source: 0 }, item) };
            return;
        };
        let size = item.size as isize;
        if let Some((second, outer)) = outer.split_last()
            && inner.source.unsigned_abs() > second.source.unsigned_abs()
            && inner.target == size
        {
            // A transpose: in tiles, so that both sides use whole cache lines.
            walk(target, source, outer, |t, s| {
                // SAFETY: by the caller.
                unsafe { tiles(t, s, *second, *inner, item) }
            });
            return;
        }
        let is_plain = inner.target == size && inner.source == size && item.keeps_bytes();
        if let (true, Some((second, outer))) = (is_plain, outer.split_last()) {
            walk(target, source, outer, |t, s| {
                // SAFETY: by the caller.
                unsafe { rows(t, s, *second, inner.count * item.size) }
            });
            return;
        }
        walk(target, source, outer, |t, s| {
            // SAFETY: by the caller.
            unsafe { row(t, s, *inner, item) }
        });
    }
}

/// Call `each` with the addresses of every position of the outer axes.
pub(crate) fn walk(
    target: *mut u8,
    source: *mut u8,
    axes: &[Axis],
    mut each: impl FnMut(*mut u8, *mut u8),
) {
    let mut at = [0usize; crate::dims::MAX_DIMS];
    let (mut t, mut s) = (target, source);
    loop {
        each(t, s);
        let mut d = axes.len();
        loop {
            if d == 0 {
                return;
            }
            d -= 1;
            let axis = axes[d];
            at[d] += 1;
            t = t.wrapping_offset(axis.target);
            s = s.wrapping_offset(axis.source);
            if at[d] < axis.count {
                break;
            }
            at[d] = 0;
            t = t.wrapping_offset(axis.target.wrapping_mul(axis.count as isize).wrapping_neg());
            s = s.wrapping_offset(axis.source.wrapping_mul(axis.count as isize).wrapping_neg());
        }
    }
}

/// Rows of so many bytes that the processor does not foresee the next one, nor takes long to read.
const FETCHED: std::ops::RangeInclusive<usize> = 512..=4096;

/// How many rows ahead those are asked for.
const AHEAD: isize = 8;

/// Copy rows of contiguous bytes. Safety: as for `copy`.
unsafe fn rows(target: *mut u8, source: *mut u8, outer: Axis, bytes: usize) {
    // Of a constant size, which is that of small chunks, a row takes a few instructions.
    // SAFETY: by the caller.
    unsafe {
        match bytes {
            32 => each_row(target, source, outer, 32, |_| {}),
            64 => each_row(target, source, outer, 64, |_| {}),
            128 => each_row(target, source, outer, 128, |_| {}),
            256 => each_row(target, source, outer, 256, |_| {}),
            _ if FETCHED.contains(&bytes) && outer.source != bytes as isize => {
                each_row(target, source, outer, bytes, |s| {
                    let next = s.wrapping_offset(outer.source.wrapping_mul(AHEAD));
                    (0..bytes).step_by(64).for_each(|line| prefetch(next.wrapping_add(line)));
                });
            }
            _ => each_row(target, source, outer, bytes, |_| {}),
        }
    }
}

/// Copy rows; `before` is told where each one is read. Safety: as for `copy`.
#[inline(always)]
unsafe fn each_row(
    target: *mut u8,
    source: *mut u8,
    outer: Axis,
    bytes: usize,
    before: impl Fn(*mut u8),
) {
    let (mut t, mut s) = (target, source);
    for _ in 0..outer.count {
        before(s);
        // SAFETY: by the caller.
        unsafe { std::ptr::copy_nonoverlapping(s, t, bytes) };
        t = t.wrapping_offset(outer.target);
        s = s.wrapping_offset(outer.source);
    }
}

/// Ask for memory that is soon read. Any address will do.
#[inline(always)]
fn prefetch(address: *const u8) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: a hint, which accesses nothing.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(address.cast());
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = address;
}

const TILE: usize = 32;

/// Copy a plane in tiles. Safety: as for `copy`.
unsafe fn tiles(target: *mut u8, source: *mut u8, outer: Axis, inner: Axis, item: Item) {
    for i in (0..outer.count).step_by(TILE) {
        for j in (0..inner.count).step_by(TILE) {
            let part = Axis { count: TILE.min(inner.count - j), ..inner };
            for k in i..outer.count.min(i + TILE) {
                let (a, b) = (k as isize, j as isize);
                let t = target.wrapping_offset(a * outer.target + b * inner.target);
                let s = source.wrapping_offset(a * outer.source + b * inner.source);
                // SAFETY: by the caller.
                unsafe { row(t, s, part, item) };
            }
        }
    }
}

macro_rules! strided {
    ($type:ty, $swap:expr, $target:expr, $source:expr, $axis:expr) => {{
        let (mut t, mut s) = ($target, $source.cast_const());
        for _ in 0..$axis.count {
            // SAFETY: by the caller; unaligned access is allowed for.
            unsafe {
                let value = s.cast::<$type>().read_unaligned();
                t.cast::<$type>().write_unaligned($swap(value));
            }
            t = t.wrapping_offset($axis.target);
            s = s.wrapping_offset($axis.source);
        }
    }};
}

macro_rules! contiguous {
    ($type:ty, $target:expr, $source:expr, $bytes:expr) => {{
        let (t, s) = ($target.cast::<$type>(), $source.cast_const().cast::<$type>());
        for i in 0..$bytes / size_of::<$type>() {
            // SAFETY: by the caller; unaligned access is allowed for.
            unsafe { t.add(i).write_unaligned(s.add(i).read_unaligned().swap_bytes()) };
        }
    }};
}

/// Copy one row. Safety: as for `copy`.
#[inline]
pub(crate) unsafe fn row(target: *mut u8, source: *mut u8, axis: Axis, item: Item) {
    let size = item.size as isize;
    if (axis.target == size && axis.source == size) || axis.count == 1 {
        let bytes = axis.count * item.size;
        match item.swap {
            2 => contiguous!(u16, target, source, bytes),
            4 => contiguous!(u32, target, source, bytes),
            8 => contiguous!(u64, target, source, bytes),
            // SAFETY: by the caller.
            _ => unsafe { std::ptr::copy_nonoverlapping(source, target, bytes) },
        }
        return;
    }
    match (item.size, item.swap) {
        (1, _) => strided!(u8, |v| v, target, source, axis),
        (2, 2) => strided!(u16, u16::swap_bytes, target, source, axis),
        (2, _) => strided!(u16, |v| v, target, source, axis),
        (4, 4) => strided!(u32, u32::swap_bytes, target, source, axis),
        (4, ..=1) => strided!(u32, |v| v, target, source, axis),
        (8, 8) => strided!(u64, u64::swap_bytes, target, source, axis),
        (8, ..=1) => strided!(u64, |v| v, target, source, axis),
        (16, ..=1) => strided!(u128, |v| v, target, source, axis),
        _ => {
            let (mut t, mut s) = (target, source);
            for _ in 0..axis.count {
                // SAFETY: by the caller, one element.
                unsafe { row(t, s, Axis { count: 1, ..axis }, item) };
                t = t.wrapping_offset(axis.target);
                s = s.wrapping_offset(axis.source);
            }
        }
    }
}

/// Set every element to `value`, as it lies in memory.
///
/// # Safety
/// As for [`copy`].
pub unsafe fn fill(target: &View, counts: &[usize], value: &[u8]) {
    let size = value.len() as isize;
    let none = Dims::<isize>::filled(counts.len(), 0);
    let Some(axes) = Axes::new(&target.strides, &none, counts) else { return };
    let (axis, outer) = match axes.all[..axes.len].split_last() {
        Some((inner, outer)) => (*inner, outer),
        None => (Axis { count: 1, target: size, source: 0 }, &axes.all[..0]),
    };
    let uniform = value.first().filter(|first| value.iter().all(|byte| byte == *first));
    let source = value.as_ptr().cast_mut();
    walk(target.base, source, outer, |t, s| match uniform {
        // SAFETY: by the caller.
        Some(&byte) if axis.target == size => unsafe {
            t.write_bytes(byte, axis.count * value.len())
        },
        // SAFETY: by the caller.
        _ => unsafe { row(t, s, axis, Item { size: value.len(), swap: 1 }) },
    });
}

/// Reverse the bytes of each number of `unit` bytes, in place.
pub fn swap_in_place(data: &mut [u8], unit: usize) {
    match unit {
        2 => data.as_chunks_mut::<2>().0.iter_mut().for_each(|number| number.reverse()),
        4 => data.as_chunks_mut::<4>().0.iter_mut().for_each(|number| number.reverse()),
        8 => data.as_chunks_mut::<8>().0.iter_mut().for_each(|number| number.reverse()),
        _ => {}
    }
}

/// Whether `data` is `value` over and over: bit for bit, so that NaN is itself and -0.0 is not 0.0.
#[must_use]
pub fn is_filled(data: &[u8], value: &[u8]) -> bool {
    // What equals itself moved by one element, and begins with it, is made of it.
    match (data.get(..value.len()), data.get(value.len()..)) {
        (Some(first), Some(rest)) => first == value && *rest == data[..rest.len()],
        _ => data.is_empty(),
    }
}

/// Fill contiguous memory with one value.
pub fn fill_slice(data: &mut [u8], value: &[u8]) {
    if let Some(&first) = value.first()
        && value.iter().all(|&byte| byte == first)
    {
        data.fill(first);
        return;
    }
    for place in data.chunks_exact_mut(value.len().max(1)) {
        place.copy_from_slice(value);
    }
}

/// A view on contiguous bytes that are only read.
#[must_use]
pub fn view_of(data: &[u8], strides: Dims<isize>) -> View {
    View { base: data.as_ptr().cast_mut(), strides }
}

/// A view on contiguous bytes that are written.
#[must_use]
pub fn view_of_mut(data: &mut [u8], strides: Dims<isize>) -> View {
    View { base: data.as_mut_ptr(), strides }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dims::c_strides;

    #[test]
    fn rows_of_every_length_arrive() -> crate::Result<()> {
        for size in [1, 2, 8] {
            for length in [1, 15, 16, 31, 32, 33, 64, 100, 128, 256, 512, 1000, 4096, 5000] {
                for swap in [1, size] {
                    let counts = [3, 11, length];
                    let (wide, item) = (length + 3, Item { size, swap });
                    let source: Vec<u8> =
                        (0..3 * 12 * wide * size).map(|i| (i % 251) as u8).collect();
                    let mut target = vec![0; 3 * 11 * length * size];
                    let from = c_strides(&Dims::new(&[3, 12, wide])?, size);
                    let to = c_strides(&Dims::new(&counts)?, size);
                    let (source_view, target_view) =
                        (view_of(&source, from).at(&[0, 1, 2]), view_of_mut(&mut target, to));
                    // SAFETY: both hold the counted elements.
                    unsafe { copy(&target_view, &source_view, &counts, item) };
                    for (n, element) in target.chunks_exact(size).enumerate() {
                        let (z, y, x) = (n / length / 11, n / length % 11, n % length);
                        let at = ((z * 12 + y + 1) * wide + x + 2) * size;
                        let mut expected = source[at..at + size].to_vec();
                        if swap > 1 {
                            expected.reverse();
                        }
                        assert_eq!(element, expected);
                    }
                }
            }
        }
        Ok(())
    }
}
