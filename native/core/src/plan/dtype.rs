//! Data types, as far as bytes go: size, and the numbers whose byte order matters.

use serde_json::Value;

use super::json;
use crate::error::{Error, Result};

/// What codecs need to know of an element.
#[derive(Clone, Debug)]
pub(super) struct Element {
    /// Bytes.
    pub size: usize,
    /// Bytes of a number in it; 1: there is no order; None: it is a mix.
    pub unit: Option<usize>,
    /// Whether it is an integer.
    pub is_integer: bool,
    /// Byte order in memory.
    pub memory_is_big_endian: bool,
    /// The fill value in memory.
    pub fill: Vec<u8>,
}

/// The element of a document's data type.
pub(super) fn element(
    document: &Value,
    fill: &[u8],
    memory_is_big_endian: bool,
) -> Result<Element> {
    let (name, _) = json::named(document.get("data_type"), "data_type")?;
    let (size, unit) = known(name)
        .ok_or_else(|| Error::unsupported(format!("the data type {name:?} is not covered")))?;
    if fill.is_empty() {
        return Err(Error::unsupported("elements of no bytes are not covered"));
    }
    if size.is_some_and(|size| size != fill.len()) {
        return Err(Error::invalid(format!(
            "a fill value of {} bytes is none of {name}",
            fill.len()
        )));
    }
    if unit.is_some_and(|unit| !fill.len().is_multiple_of(unit)) {
        return Err(Error::invalid(format!("{name} has no elements of {} bytes", fill.len())));
    }
    Ok(Element {
        size: fill.len(),
        unit,
        is_integer: name.starts_with("int") || name.starts_with("uint"),
        memory_is_big_endian,
        fill: fill.to_vec(),
    })
}

type Size = Option<usize>;

fn known(name: &str) -> Option<(Size, Option<usize>)> {
    let of = |size, unit| Some((Some(size), Some(unit)));
    match name {
        "bool" | "int8" | "uint8" => of(1, 1),
        "int16" | "uint16" | "float16" | "bfloat16" => of(2, 2),
        "int32" | "uint32" | "float32" => of(4, 4),
        "int64" | "uint64" | "float64" | "numpy.datetime64" | "numpy.timedelta64" => of(8, 8),
        "complex64" => of(8, 4),
        "complex128" => of(16, 8),
        "fixed_length_utf32" => Some((None, Some(4))),
        "null_terminated_bytes" | "raw_bytes" => Some((None, Some(1))),
        "struct" | "structured" => Some((None, None)),
        _ if name.starts_with("float8_") => of(1, 1),
        _ => {
            let bits: usize = name.strip_prefix('r')?.parse().ok()?;
            bits.is_multiple_of(8).then_some((Some(bits / 8), Some(1)))
        }
    }
}
