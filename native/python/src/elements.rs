//! Elements of variable length as Python's own objects.

use anyzarr_core::heap::{Heap, Ref, VALUE};
use anyzarr_core::{Error, Result};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString};

use crate::error::to_python;

/// The elements that references refer to: a list of `str` or of `bytes`.
pub fn to_list<'py>(
    py: Python<'py>,
    heap: &Heap,
    refs: &[u8],
    is_text: bool,
) -> PyResult<Bound<'py, PyList>> {
    let list = |elements: &[&[u8]]| {
        if !is_text {
            return PyList::new(py, elements.iter().map(|element| PyBytes::new(py, element)));
        }
        // They were checked when they were decoded.
        let texts = elements.iter().map(|element| PyString::from_bytes(py, element));
        PyList::new(py, texts.collect::<PyResult<Vec<_>>>()?)
    };
    heap.with(refs, list).map_err(|error| to_python(&error))?
}

/// The bytes of the elements of a list of `str` or of `bytes`, with a reference to each.
pub fn of_list(list: &Bound<'_, PyList>, is_text: bool, refs: &mut [u8]) -> PyResult<Vec<u8>> {
    let (refs, rest) = refs.as_chunks_mut::<{ Ref::SIZE }>();
    if refs.len() != list.len() || !rest.is_empty() {
        return Err(to_python(&Error::invalid("there must be one reference for each element")));
    }
    let mut data = Vec::new();
    for (element, place) in list.iter().zip(refs) {
        let kept = if is_text {
            keep(element.cast::<PyString>()?.to_str()?.as_bytes(), &mut data)
        } else {
            keep(element.cast::<PyBytes>()?.as_bytes(), &mut data)
        };
        *place = kept.map_err(|error| to_python(&error))?.to_bytes();
    }
    Ok(data)
}

fn keep(bytes: &[u8], data: &mut Vec<u8>) -> Result<Ref> {
    let length = u32::try_from(bytes.len())
        .map_err(|_| Error::unsupported("elements of variable length have less than 4 GiB each"))?;
    data.try_reserve(bytes.len()).map_err(|_| Error::memory(bytes.len()))?;
    let made = Ref { slab: VALUE, length, offset: data.len() as u64 };
    data.extend_from_slice(bytes);
    Ok(made)
}
