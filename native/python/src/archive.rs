//! The class `Archive`: an open zip archive and where its members are.

use std::collections::HashMap;
use std::fs::File;
use std::os::fd::BorrowedFd;

use anyzarr_core::archive::{Archive as Core, Member};
use anyzarr_core::{Error, Result};
use pyo3::prelude::*;

use crate::buffer::Buffer;
use crate::error::to_python;

/// Numbers of each member.
const FIELDS: usize = 4;

/// A local zip archive, opened and its directory checked by the caller.
///
/// Parameters
/// ----------
/// descriptor
///     Of the open file; it is duplicated.
/// path
///     Tells archives apart.
/// keys
///     Of all members.
/// numbers
///     C-contiguous uint64 of shape (members, 4): where the local header begins, the number of
///     bytes, where the next member begins, the CRC-32; a CRC-32 beyond 32 bits marks a member
///     whose bytes are not there as they are.
/// names
///     The stored names that differ from their keys.
#[pyclass(frozen, module = "anyzarr_native")]
pub struct Archive {
    pub core: Core,
}

#[pymethods]
impl Archive {
    #[new]
    fn new(
        py: Python<'_>,
        descriptor: i32,
        path: &str,
        keys: Vec<String>,
        numbers: &Bound<'_, PyAny>,
        names: HashMap<String, Vec<u8>>,
    ) -> PyResult<Self> {
        let file = duplicate(descriptor)?;
        let numbers = Buffer::new(numbers, false)?;
        py.detach(|| {
            let mut members = table(keys, numbers.bytes()?)?;
            for (key, name) in names {
                if let Some(member) = members.get_mut(key.as_str()) {
                    member.name = Some(name.into_boxed_slice());
                }
            }
            Ok(Self { core: Core::new(file, path, members) })
        })
        .map_err(|error: Error| to_python(&error))
    }
}

fn duplicate(descriptor: i32) -> PyResult<File> {
    if descriptor < 0 {
        return Err(to_python(&Error::invalid("a descriptor is not negative")));
    }
    // SAFETY: the caller holds it open during the call, and only during it is it used.
    #[allow(unsafe_code)]
    let borrowed = unsafe { BorrowedFd::borrow_raw(descriptor) };
    Ok(File::from(borrowed.try_clone_to_owned()?))
}

fn table(keys: Vec<String>, numbers: &[u8]) -> Result<HashMap<Box<str>, Member>> {
    let (words, rest) = numbers.as_chunks::<8>();
    let (rows, more) = words.as_chunks::<FIELDS>();
    if rows.len() != keys.len() || !rest.is_empty() || !more.is_empty() {
        return Err(Error::invalid("there are four numbers to each key"));
    }
    let members = keys.into_iter().zip(rows).map(|(key, row)| {
        let [header, size, limit, crc] = row.map(u64::from_ne_bytes);
        (key.into_boxed_str(), Member::new(header, size, limit, u32::try_from(crc).ok()))
    });
    Ok(members.collect())
}
