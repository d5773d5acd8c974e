//! The crate's error as a Python exception.

use anyzarr_core::{Error, Kind};
use pyo3::create_exception;
use pyo3::exceptions::{PyException, PyMemoryError};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

create_exception!(
    anyzarr_native,
    NativeError,
    PyException,
    "What the native engine raises.\n\n\
     Attributes\n----------\n\
     kind\n    \"unsupported\", \"invalid\", \"corrupt\", \"io\", \"memory\", \"storage\" or \"internal\".\n\
     key\n    Key of the chunk relative to the array, or None.\n\
     chunk_coords\n    Coordinates of the chunk, or None.\n\
     errno\n    Number of the operating system's error, or None."
);

/// Turn the crate's error into Python's.
pub fn to_python(error: &Error) -> PyErr {
    // Where the chunk is known the caller can say what needs the room.
    if error.kind() == Kind::Memory && error.chunk().is_none() {
        return PyMemoryError::new_err(error.message().to_owned());
    }
    Python::attach(|py| {
        let made = NativeError::new_err(error.message().to_owned());
        let value = made.value(py);
        let set = || -> PyResult<()> {
            value.setattr("kind", error.kind().name())?;
            value.setattr("key", error.key())?;
            value
                .setattr("chunk_coords", error.chunk().map(|c| PyTuple::new(py, c)).transpose()?)?;
            value.setattr("errno", error.os())
        };
        set().err().unwrap_or(made)
    })
}
