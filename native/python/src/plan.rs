//! The class `Plan`: one array's metadata, compiled.

use anyzarr_core::archive::Members;
use anyzarr_core::batched::{self, Objects};
use anyzarr_core::heap::Held;
use anyzarr_core::read::{Files, read};
use anyzarr_core::write::{Options, write};
use anyzarr_core::{Error, Kind, Result, chunk, pool};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};

use crate::archive::Archive;
use crate::buffer::Buffer;
use crate::elements;
use crate::error::to_python;
use crate::selection::{Asked, Selection};
use crate::storage::Callbacks;

/// One array's chunks, compiled from its metadata document.
///
/// Parameters
/// ----------
/// document
///     JSON of a v3 array; a v2 array as its v3 equivalent.
/// fill
///     The fill value's bytes in memory; their number is the size of an element, unless that is not
///     fixed.
/// big_endian
///     Whether arrays in memory are big-endian.
#[pyclass(frozen, module = "anyzarr_native")]
pub struct Plan {
    compiled: Result<anyzarr_core::Plan>,
}

/// Contiguous memory of a Python object.
struct HeldBuffer(Buffer);

impl AsRef<[u8]> for HeldBuffer {
    fn as_ref(&self) -> &[u8] {
        self.0.bytes().unwrap_or_default()
    }
}

impl Plan {
    /// What was compiled.
    pub fn plan(&self) -> PyResult<&anyzarr_core::Plan> {
        self.compiled.as_ref().map_err(to_python)
    }
}

#[pymethods]
impl Plan {
    #[new]
    #[pyo3(signature = (document, fill, big_endian=false))]
    fn new(document: &str, fill: &[u8], big_endian: bool) -> PyResult<Self> {
        let compiled = pool::guarded(|| anyzarr_core::Plan::compile(document, fill, big_endian));
        match compiled {
            Err(error) if error.kind() != Kind::Unsupported => Err(to_python(&error)),
            compiled => Ok(Self { compiled }),
        }
    }

    /// Why this engine cannot do the array, or None if it can.
    #[getter]
    fn reason(&self) -> Option<&str> {
        self.compiled.as_ref().err().map(Error::message)
    }

    /// Shape of a chunk (of a shard, where there are shards).
    #[getter]
    fn chunk_shape<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &*self.plan()?.chain.shape)
    }

    /// Whether elements have no fixed size. What is read and written is then references of 16
    /// bytes (slab and length, ``uint32``; offset, ``uint64``), by a plan that is bound.
    #[getter]
    fn is_variable(&self) -> PyResult<bool> {
        Ok(self.plan()?.is_variable())
    }

    /// The plan with memory for the elements of one read or write: ``value``, of contiguous
    /// bytes, is slab 1, which references to be written refer to; slab 0 is the fill value.
    #[pyo3(signature = (value=None))]
    fn bind(&self, value: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let plan = self.plan()?;
        let held = match value {
            None => None,
            Some(value) => {
                let buffer = Buffer::new(value, false)?;
                buffer.bytes().map_err(|error| to_python(&error))?;
                Some(Box::new(HeldBuffer(buffer)) as Held)
            }
        };
        Ok(Self { compiled: Ok(plan.with_heap(held)) })
    }

    /// The plan with the elements of a list, of ``str`` or of ``bytes``, to be written; ``refs`` is
    /// filled with references to them.
    fn bind_list(
        &self,
        values: &Bound<'_, PyList>,
        text: bool,
        refs: &Bound<'_, PyAny>,
    ) -> PyResult<Self> {
        let plan = self.plan()?;
        let mut refs = Buffer::new(refs, true)?;
        let refs = refs.bytes_mut().map_err(|error| to_python(&error))?;
        let data = elements::of_list(values, text, refs)?;
        Ok(Self { compiled: Ok(plan.with_heap(Some(Box::new(data)))) })
    }

    /// The elements that were read, as a list of ``str`` or of ``bytes``.
    fn to_list<'py>(
        &self,
        py: Python<'py>,
        refs: &Bound<'_, PyAny>,
        text: bool,
    ) -> PyResult<Bound<'py, PyList>> {
        let heap = self.plan()?.heap().map_err(|error| to_python(&error))?;
        let refs = Buffer::new(refs, false)?;
        elements::to_list(py, heap, refs.bytes().map_err(|error| to_python(&error))?, text)
    }

    /// Fill ``offsets`` (``int64``, one more than there are references) with where each element
    /// would begin in one run of bytes.
    fn measure(
        &self,
        py: Python<'_>,
        refs: &Bound<'_, PyAny>,
        offsets: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let plan = self.plan()?;
        let (refs, mut offsets) = (Buffer::new(refs, false)?, Buffer::new(offsets, true)?);
        py.detach(|| plan.heap()?.measure(refs.bytes()?, offsets.bytes_mut()?))
            .map_err(|error| to_python(&error))
    }

    /// Copy the elements that were read to one run of bytes, of the size that they need.
    fn gather(
        &self,
        py: Python<'_>,
        refs: &Bound<'_, PyAny>,
        out: &Bound<'_, PyAny>,
        threads: usize,
    ) -> PyResult<()> {
        let plan = self.plan()?;
        let (refs, mut out) = (Buffer::new(refs, false)?, Buffer::new(out, true)?);
        py.detach(|| {
            pool::guarded(|| plan.heap()?.gather(refs.bytes()?, out.bytes_mut()?, threads))
        })
        .map_err(|error| to_python(&error))
    }

    /// Read a selection from the files below `root/path` into a writable buffer of its shape;
    /// `points` takes the place of the box in the dimensions that it has.
    #[pyo3(signature = (root, path, start, stop, step, out, threads, points=None))]
    #[allow(clippy::too_many_arguments)]
    fn read_local(
        &self,
        py: Python<'_>,
        root: &str,
        path: &str,
        start: Vec<usize>,
        stop: Vec<usize>,
        step: Vec<usize>,
        out: &Bound<'_, PyAny>,
        threads: usize,
        points: Option<Vec<Asked<'_>>>,
    ) -> PyResult<()> {
        let plan = self.plan()?;
        let buffer = Buffer::new(out, true)?;
        let selection = Selection::new(start, stop, step, points)?;
        py.detach(|| {
            let files = Files::new(root, path);
            selection.with(plan, &buffer, |region, view| {
                // SAFETY: the buffer is held, writable, and of the selection's shape.
                #[allow(unsafe_code)]
                unsafe {
                    read(plan, &files, region, view, threads)
                }
            })
        })
        .map_err(|error| to_python(&error))
    }

    /// Read a selection from the members below `path` of an archive.
    #[pyo3(signature = (archive, path, start, stop, step, out, threads, points=None))]
    #[allow(clippy::too_many_arguments)]
    fn read_archive(
        &self,
        py: Python<'_>,
        archive: &Bound<'_, Archive>,
        path: &str,
        start: Vec<usize>,
        stop: Vec<usize>,
        step: Vec<usize>,
        out: &Bound<'_, PyAny>,
        threads: usize,
        points: Option<Vec<Asked<'_>>>,
    ) -> PyResult<()> {
        let plan = self.plan()?;
        let buffer = Buffer::new(out, true)?;
        let selection = Selection::new(start, stop, step, points)?;
        let archive = archive.get();
        py.detach(|| {
            let members = Members::new(&archive.core, path)?;
            selection.with(plan, &buffer, |region, view| {
                // SAFETY: the buffer is held, writable, and of the selection's shape.
                #[allow(unsafe_code)]
                unsafe {
                    read(plan, &members, region, view, threads)
                }
            })
        })
        .map_err(|error| to_python(&error))
    }

    /// Write a buffer to a selection of the files below `root/path`.
    #[pyo3(signature = (root, path, start, stop, step, value, threads, keep_empty=false, points=None))]
    #[allow(clippy::too_many_arguments)]
    fn write_local(
        &self,
        py: Python<'_>,
        root: &str,
        path: &str,
        start: Vec<usize>,
        stop: Vec<usize>,
        step: Vec<usize>,
        value: &Bound<'_, PyAny>,
        threads: usize,
        keep_empty: bool,
        points: Option<Vec<Asked<'_>>>,
    ) -> PyResult<()> {
        let plan = self.plan()?;
        let buffer = Buffer::new(value, false)?;
        let selection = Selection::new(start, stop, step, points)?;
        py.detach(|| {
            let files = Files::new(root, path);
            let options = Options { threads, keep_empty };
            selection.with(plan, &buffer, |region, view| {
                // SAFETY: the buffer is held and of the selection's shape.
                #[allow(unsafe_code)]
                unsafe {
                    write(plan, &files, region, view, options)
                }
            })
        })
        .map_err(|error| to_python(&error))
    }

    /// Read a selection through a function that gets many objects at once:
    /// ``get([(key, None | (start, stop))]) -> [bytes | None]``.
    #[pyo3(signature = (get, prefix, start, stop, step, out, threads, points=None))]
    #[allow(clippy::too_many_arguments)]
    fn read_many(
        &self,
        py: Python<'_>,
        get: Py<PyAny>,
        prefix: &str,
        start: Vec<usize>,
        stop: Vec<usize>,
        step: Vec<usize>,
        out: &Bound<'_, PyAny>,
        threads: usize,
        points: Option<Vec<Asked<'_>>>,
    ) -> PyResult<()> {
        let plan = self.plan()?;
        let buffer = Buffer::new(out, true)?;
        let selection = Selection::new(start, stop, step, points)?;
        let storage = Callbacks::new(get, None);
        py.detach(|| {
            let objects = Objects { storage: &storage, prefix };
            selection.with(plan, &buffer, |region, view| {
                // SAFETY: the buffer is held, writable, and of the selection's shape.
                #[allow(unsafe_code)]
                unsafe {
                    batched::read(plan, &objects, region, view, threads)
                }
            })
        })
        .map_err(|error| storage.explain(&error))
    }

    /// Write a buffer to a selection through such a function and one that puts many objects:
    /// ``put([(key, bytes | None)])``, where None removes.
    #[pyo3(signature = (get, put, prefix, start, stop, step, value, threads, keep_empty=false, points=None))]
    #[allow(clippy::too_many_arguments)]
    fn write_many(
        &self,
        py: Python<'_>,
        get: Py<PyAny>,
        put: Py<PyAny>,
        prefix: &str,
        start: Vec<usize>,
        stop: Vec<usize>,
        step: Vec<usize>,
        value: &Bound<'_, PyAny>,
        threads: usize,
        keep_empty: bool,
        points: Option<Vec<Asked<'_>>>,
    ) -> PyResult<()> {
        let plan = self.plan()?;
        let buffer = Buffer::new(value, false)?;
        let selection = Selection::new(start, stop, step, points)?;
        let storage = Callbacks::new(get, Some(put));
        py.detach(|| {
            let objects = Objects { storage: &storage, prefix };
            let options = Options { threads, keep_empty };
            selection.with(plan, &buffer, |region, view| {
                // SAFETY: the buffer is held and of the selection's shape.
                #[allow(unsafe_code)]
                unsafe {
                    batched::write(plan, &objects, region, view, options)
                }
            })
        })
        .map_err(|error| storage.explain(&error))
    }

    /// Decode a chunk into a writable C-contiguous buffer of the chunk's size.
    fn decode_chunk(
        &self,
        py: Python<'_>,
        data: &Bound<'_, PyAny>,
        out: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let plan = self.plan()?;
        let (data, mut out) = (Buffer::new(data, false)?, Buffer::new(out, true)?);
        py.detach(|| chunk::decode(plan, data.bytes()?, out.bytes_mut()?))
            .map_err(|error| to_python(&error))
    }

    /// Encode a C-contiguous buffer of the chunk's size.
    fn encode_chunk<'py>(
        &self,
        py: Python<'py>,
        value: &Bound<'_, PyAny>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let plan = self.plan()?;
        let value = Buffer::new(value, false)?;
        py.detach(|| chunk::encode_chunk(plan, value.bytes()?))
            .map(|encoded| PyBytes::new(py, &encoded))
            .map_err(|error| to_python(&error))
    }
}
