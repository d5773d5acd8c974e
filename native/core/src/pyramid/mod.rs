//! Downsampling a block in memory: windows of `factors` elements become one element each.
//!
//! Windows start at multiples of the factors; those at the far edge hold what is there, so there
//! are `ceil(n / factor)` per axis. Sums run along one axis after the other, the first axis
//! first, which is what makes floats equal to the plain numpy reference bit for bit. A NaN in a
//! result is always the same one, whichever came in, except where elements are only copied.

mod number;
mod rows;
mod window;

use crate::dims::{Dims, product};
use crate::error::{Error, Result};
use crate::memory::{Item, View, copy};
use crate::pool;

/// How a window becomes an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Integers: exact, rounded to the nearest, ties to even. Floats: summed in 64 bits.
    Mean,
    /// The middle one; of two the mean, by the same rule. NaN if there is a NaN.
    Median,
    /// The most frequent one, of several the smallest; -0 is a 0, NaN a number above all others.
    Mode,
    /// The smallest, -0 below 0; NaN if there is a NaN.
    Min,
    /// The largest, -0 below 0; NaN if there is a NaN.
    Max,
    /// The first.
    Stride,
}

impl Method {
    /// The method of this name.
    ///
    /// # Errors
    /// There is none.
    pub fn named(name: &str) -> Result<Self> {
        Ok(match name {
            "mean" => Self::Mean,
            "median" => Self::Median,
            "mode" => Self::Mode,
            "min" => Self::Min,
            "max" => Self::Max,
            "stride" | "nearest" => Self::Stride,
            _ => return Err(Error::invalid(format!("there is no method {name:?}"))),
        })
    }
}

/// Memory of the block and what is to become of it.
#[derive(Clone, Copy)]
pub struct Task {
    /// The block.
    pub source: View,
    /// Its shape.
    pub shape: Dims,
    /// The result.
    pub target: View,
    /// Width of a window per axis.
    pub factors: Dims,
}

impl Task {
    /// Shape of the result.
    #[must_use]
    pub fn result_shape(&self) -> Dims {
        Dims::from_fn(self.shape.len(), |d| self.shape[d].div_ceil(self.factors[d].max(1)))
    }
}

/// Below this, other threads take longer to wake than the work takes.
const INLINE_BYTES: usize = 128 << 10;

/// Downsample a block of elements of a numpy type (`u1` … `u8`, `i1` … `i8`, `f4`, `f8`).
///
/// # Errors
/// The type is not covered, or a factor is 0.
///
/// # Safety
/// `task.source` is valid for its shape, to read, and `task.target` for the result's shape, to
/// write, until this returns.
#[allow(unsafe_code)] // the public function takes `View`s, whose makers vouch for them
pub unsafe fn downsample(task: &Task, dtype: &str, method: Method, threads: usize) -> Result<()> {
    if task.factors.len() != task.shape.len() || task.factors.contains(&0) {
        return Err(Error::invalid("one factor of at least 1 per dimension is needed"));
    }
    if task.shape.contains(&0) {
        return Ok(());
    }
    match dtype {
        "u1" => run::<u8>(task, method, threads),
        "u2" => run::<u16>(task, method, threads),
        "u4" => run::<u32>(task, method, threads),
        "u8" => run::<u64>(task, method, threads),
        "i1" => run::<i8>(task, method, threads),
        "i2" => run::<i16>(task, method, threads),
        "i4" => run::<i32>(task, method, threads),
        "i8" => run::<i64>(task, method, threads),
        "f4" => run::<f32>(task, method, threads),
        "f8" => run::<f64>(task, method, threads),
        _ => Err(Error::unsupported(format!("downsampling of {dtype} is not covered"))),
    }
}

fn run<T: number::Number>(task: &Task, method: Method, threads: usize) -> Result<()> {
    if product(&task.factors).is_none_or(|n| n > T::MAX_WINDOW) {
        return Err(Error::unsupported(format!(
            "windows of more than {} elements are not covered for this type",
            T::MAX_WINDOW
        )));
    }
    let item = Item { size: size_of::<T>(), swap: 1 };
    let bytes = product(&task.shape).map_or(usize::MAX, |n| n.saturating_mul(item.size));
    let threads = if bytes <= INLINE_BYTES { 1 } else { threads.clamp(1, pool::MAX_THREADS) };
    if method == Method::Stride {
        stride(task, item);
        return Ok(());
    }
    // Rows of results (along the last axis) are shared out in groups of neighbours.
    let shape = task.result_shape();
    let (leading, _) = rows::split(&shape);
    let rows = product(&leading).unwrap_or(usize::MAX);
    let group = rows.div_ceil(threads * 8).clamp(1, 256);
    pool::run(threads, rows.div_ceil(group), |_, item| {
        let (from, to) = (item * group, rows.min((item + 1) * group));
        match method {
            Method::Mean => rows::mean::<T>(task, from, to),
            Method::Min => rows::fold::<T>(task, from, to, T::smaller),
            Method::Max => rows::fold::<T>(task, from, to, T::larger),
            Method::Median => window::each::<T>(task, from, to, T::median),
            Method::Mode | Method::Stride => window::each::<T>(task, from, to, window::mode),
        }
        Ok(())
    })
}

#[allow(unsafe_code)] // see `downsample`
fn stride(task: &Task, item: Item) {
    let strides = task.source.strides();
    let steps = Dims::from_fn(strides.len(), |d| strides[d].wrapping_mul(task.factors[d] as isize));
    // SAFETY: every `factor`-th element of the source is one of the source.
    unsafe { copy(&task.target, &task.source.with_strides(steps), &task.result_shape(), item) };
}
