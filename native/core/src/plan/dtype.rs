//! Data types, as far as bytes go: size, and the numbers whose byte order matters.

use serde_json::Value;

use super::json;
use crate::error::{Error, Result};
use crate::heap::{FILL, Ref};

/// How many bytes an element of variable length is taken to have, where work is shared out.
const VARIABLE_COST: usize = 16 << 10;

/// What codecs need to know of an element.
#[derive(Clone, Debug)]
pub(super) struct Element {
    /// Bytes in memory.
    pub size: usize,
    /// About how many bytes it has.
    pub cost: usize,
    /// Whether it is text, if it has no fixed size.
    pub text: Option<bool>,
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
    match name {
        "string" => return variable(true, fill),
        "bytes" | "variable_length_bytes" => return variable(false, fill),
        _ => {}
    }
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
        cost: fill.len(),
        text: None,
        unit,
        is_integer: name.starts_with("int") || name.starts_with("uint"),
        memory_is_big_endian,
        fill: fill.to_vec(),
    })
}

impl Element {
    /// Whether it has no fixed size.
    pub fn is_variable(&self) -> bool {
        self.text.is_some()
    }

    /// What bytes-to-bytes codecs are told of it: what elements of variable length encode to is
    /// a run of bytes.
    pub fn encoded(&self) -> Self {
        let size = if self.is_variable() { 1 } else { self.size };
        Self { size, ..self.clone() }
    }
}

/// An element of variable length, which a reference stands for.
fn variable(is_text: bool, fill: &[u8]) -> Result<Element> {
    let length = u32::try_from(fill.len())
        .map_err(|_| Error::unsupported("a fill value of 4 GiB or more is not covered"))?;
    Ok(Element {
        size: Ref::SIZE,
        cost: VARIABLE_COST,
        text: Some(is_text),
        unit: None,
        is_integer: false,
        memory_is_big_endian: cfg!(target_endian = "big"),
        fill: Ref { slab: FILL, length, offset: 0 }.to_bytes().to_vec(),
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
