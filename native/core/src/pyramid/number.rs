//! The number types, and what a mean and a median are for each.

use std::cmp::Ordering;

/// A number that can be downsampled.
pub(super) trait Number: Copy + Default + Send + Sync {
    /// What sums are kept in.
    type Sum: Copy + Default;
    /// Most elements in a window, so that sums of integers are exact.
    const MAX_WINDOW: usize;
    /// Whether sums do not depend on the order.
    const IS_EXACT: bool;

    /// As a sum of one.
    fn widened(self) -> Self::Sum;
    /// Add.
    fn add(a: Self::Sum, b: Self::Sum) -> Self::Sum;
    /// The mean of `count` numbers with this sum.
    fn mean(sum: Self::Sum, count: usize) -> Self;
    /// Means of windows of `1 << shift` numbers each.
    fn means_shifted(sums: &[Self::Sum], shift: u32, out: &mut [Self]);
    /// Order: numbers by value, -0 before 0, NaN (see [`Number::plain`]) last.
    fn order(&self, other: &Self) -> Ordering;
    /// The smaller of two by that order; NaN if one is.
    fn smaller(self, other: Self) -> Self;
    /// The larger of two by that order; NaN if one is.
    fn larger(self, other: Self) -> Self;
    /// Whether both are one number, or no number.
    fn same(&self, other: &Self) -> bool;
    /// Whether it is no number.
    fn is_nan(self) -> bool;
    /// Itself; any NaN becomes the one that results hold.
    fn plain(self) -> Self;

    /// The median of some, at least one.
    fn median(values: &mut [Self]) -> Self {
        if let Some(nan) = values.iter().find(|value| value.is_nan()) {
            return *nan;
        }
        let middle = values.len() / 2;
        let is_even = values.len().is_multiple_of(2);
        let (below, upper, _) = values.select_nth_unstable_by(middle, Self::order);
        let upper = *upper;
        match below.iter().max_by(|a, b| a.order(b)) {
            Some(lower) if is_even => Self::mean(Self::add(lower.widened(), upper.widened()), 2),
            _ => upper,
        }
    }
}

macro_rules! integer {
    ($type:ty, $sum:ty, $window:expr) => {
        impl Number for $type {
            type Sum = $sum;
            const MAX_WINDOW: usize = $window;
            const IS_EXACT: bool = true;

            #[inline]
            fn widened(self) -> $sum {
                <$sum>::from(self)
            }

            #[inline]
            fn add(a: $sum, b: $sum) -> $sum {
                a.wrapping_add(b)
            }

            #[inline]
            fn mean(sum: $sum, count: usize) -> Self {
                let count = count as $sum;
                let (quotient, rest) = (sum.div_euclid(count), sum.rem_euclid(count));
                let is_odd = quotient & 1 == 1;
                let up = 2 * rest > count || (2 * rest == count && is_odd);
                (quotient + <$sum>::from(up)) as Self
            }

            #[inline]
            fn means_shifted(sums: &[$sum], shift: u32, out: &mut [Self]) {
                // Half of the count, less one where the quotient is even: ties go to the even side.
                let half = if shift == 0 { 0 } else { (1 << (shift - 1)) - 1 };
                for (slot, &sum) in out.iter_mut().zip(sums) {
                    let odd = if shift == 0 { 0 } else { (sum >> shift) & 1 };
                    *slot = ((sum + half + odd) >> shift) as Self;
                }
            }

            fn order(&self, other: &Self) -> Ordering {
                self.cmp(other)
            }

            #[inline]
            fn smaller(self, other: Self) -> Self {
                self.min(other)
            }

            #[inline]
            fn larger(self, other: Self) -> Self {
                self.max(other)
            }

            #[inline]
            fn same(&self, other: &Self) -> bool {
                self == other
            }

            fn is_nan(self) -> bool {
                false
            }

            #[inline]
            fn plain(self) -> Self {
                self
            }
        }
    };
}

integer!(u8, i32, 1 << 14);
integer!(i8, i32, 1 << 14);
integer!(u16, i32, 1 << 14);
integer!(i16, i32, 1 << 14);
integer!(u32, i64, 1 << 30);
integer!(i32, i64, 1 << 30);
integer!(u64, i128, 1 << 30);
integer!(i64, i128, 1 << 30);

macro_rules! float {
    ($type:ty) => {
        impl Number for $type {
            type Sum = f64;
            const MAX_WINDOW: usize = 1 << 30;
            const IS_EXACT: bool = false;

            #[inline]
            fn widened(self) -> f64 {
                f64::from(self)
            }

            #[inline]
            fn add(a: f64, b: f64) -> f64 {
                a + b
            }

            #[inline]
            fn mean(sum: f64, count: usize) -> Self {
                ((sum / count as f64) as Self).plain()
            }

            #[inline]
            fn means_shifted(sums: &[f64], shift: u32, out: &mut [Self]) {
                let count = f64::from(1u32 << shift);
                for (slot, &sum) in out.iter_mut().zip(sums) {
                    *slot = ((sum / count) as Self).plain();
                }
            }

            fn order(&self, other: &Self) -> Ordering {
                self.total_cmp(other)
            }

            #[inline]
            fn smaller(self, other: Self) -> Self {
                // Equal numbers differ at most in the sign of zero.
                let equal = Self::from_bits(self.to_bits() | other.to_bits());
                let less = if self < other { self } else { other };
                let number = if self == other { equal } else { less };
                if self.is_nan() || other.is_nan() { <$type>::NAN } else { number }
            }

            #[inline]
            fn larger(self, other: Self) -> Self {
                let equal = Self::from_bits(self.to_bits() & other.to_bits());
                let more = if self > other { self } else { other };
                let number = if self == other { equal } else { more };
                if self.is_nan() || other.is_nan() { <$type>::NAN } else { number }
            }

            #[inline]
            fn same(&self, other: &Self) -> bool {
                self == other || (self.is_nan() && other.is_nan())
            }

            #[inline]
            fn is_nan(self) -> bool {
                self != self
            }

            #[inline]
            fn plain(self) -> Self {
                if self.is_nan() { <$type>::NAN } else { self }
            }
        }
    };
}

float!(f32);
float!(f64);
