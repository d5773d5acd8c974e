"""Our metadata and stores in tensorstore's terms; imports tensorstore, so import it lazily.

Arrays are opened with ``assume_metadata`` from our document: tensorstore reads no ``zarr.json``
or ``.zarray``, so a handle belongs to one document and cannot go stale when another is written.
Nothing is cached: the cache pool is empty, and each handle has a context of its own.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorstore as ts

from anyzarr.abc import Box
from anyzarr.metadata import ArrayMetadata, respelled, single_chunk

__all__ = [
    "ChunkCodecInMemory",
    "as_native",
    "document_of",
    "open_array",
    "read_into",
    "spec_of",
    "write_from",
]

_V2_FIELDS = (
    "zarr_format",
    "shape",
    "chunks",
    "dtype",
    "compressor",
    "fill_value",
    "order",
    "filters",
)
_CONCURRENCY = ("data_copy_concurrency", "file_io_concurrency")
_REQUESTS = ("s3_request_concurrency", "gcs_request_concurrency", "http_request_concurrency")

# Chunks a codec may have in flight before the keys of its private store repeat.
_SLOTS = 1 << 20


def document_of(metadata: ArrayMetadata) -> dict[str, Any]:
    """Return the document tensorstore gets: same chunks, without what it does not know.

    Dates and durations are handed over as the integers they are stored as, and a null fill
    value (format 2) as the zero it reads as, so that chunks of zeros are dropped as elsewhere.
    """
    return _v2_document(metadata) if metadata.zarr_format == 2 else _v3_document(metadata)


def _v2_document(metadata: ArrayMetadata) -> dict[str, Any]:
    document = {k: metadata.document[k] for k in _V2_FIELDS if k in metadata.document}
    document["dimension_separator"] = metadata.key_encoding.separator
    document["filters"] = document.get("filters") or None
    if metadata.dtype.kind in "mM":
        document["dtype"] = f"{np.dtype(document['dtype']).str[0]}i8"
        document["fill_value"] = _as_integer(metadata)
    elif metadata.fill_value is None and metadata.dtype.kind in "buifc":
        zero = metadata.dtype.type(0).item()
        document["fill_value"] = [0.0, 0.0] if isinstance(zero, complex) else zero
    return document


def _v3_document(metadata: ArrayMetadata) -> dict[str, Any]:
    document = respelled(metadata, "core")
    is_time = metadata.dtype.kind in "mM"
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(metadata.shape),
        "data_type": "int64" if is_time else document["data_type"],
        "chunk_grid": document["chunk_grid"],
        "chunk_key_encoding": {
            "name": metadata.key_encoding.name,
            "configuration": {"separator": metadata.key_encoding.separator},
        },
        "fill_value": _as_integer(metadata) if is_time else document["fill_value"],
        "codecs": [
            {"name": c.name, "configuration": dict(c.configuration)} for c in metadata.codecs
        ],
    }


def _as_integer(metadata: ArrayMetadata) -> int:
    return int(np.asarray(metadata.fill, metadata.dtype.newbyteorder("=")).view("i8"))


def spec_of(metadata: ArrayMetadata, kvstore: Any, *, keep_empty: bool = False) -> dict[str, Any]:
    """Return the spec of an array over a key-value store."""
    return {
        "driver": "zarr" if metadata.zarr_format == 2 else "zarr3",
        "kvstore": kvstore,
        "metadata": document_of(metadata),
        "recheck_cached_data": True,
        "store_data_equal_to_fill_value": keep_empty,
    }


def new_context(concurrency: int | None = None) -> ts.Context:
    """Return a context that caches nothing; limits are set only if asked for."""
    resources: dict[str, Any] = {"cache_pool": {"total_bytes_limit": 0}}
    if concurrency is not None:
        resources |= {name: {"limit": concurrency} for name in (*_CONCURRENCY, *_REQUESTS)}
    return ts.Context(resources)


def open_array(
    metadata: ArrayMetadata,
    kvstore: Any,
    *,
    context: ts.Context | None = None,
    concurrency: int | None = None,
    keep_empty: bool = False,
) -> ts.TensorStore:
    """Open an array from our document alone."""
    return ts.open(
        spec_of(metadata, kvstore, keep_empty=keep_empty),
        open=True,
        assume_metadata=True,
        context=context or new_context(concurrency),
    ).result()


def numpy_dtype(metadata: ArrayMetadata) -> np.dtype[Any]:
    """Return the dtype tensorstore has for an array, without opening it."""
    dtype = ts.Spec(spec_of(metadata, "memory://")).dtype
    assert dtype is not None
    return np.dtype(dtype.numpy_dtype)


def as_native(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a view tensorstore understands, or a copy where the byte order is foreign."""
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    return array.view("i8") if array.dtype.kind in "mM" else array


def _select(array: ts.TensorStore, box: Box) -> ts.TensorStore:
    if not box.start:
        return array
    # A strided slice keeps source coordinates divided by the step: count from zero instead.
    return array[box.slices][ts.d[:].translate_to[0]]


def read_into(array: ts.TensorStore, box: Box, out: npt.NDArray[Any]) -> None:
    """Fill ``out``, directly where its memory can be referenced."""
    source = _select(array, box)
    if out.dtype.isnative and out.flags.aligned:
        ts.array(as_native(out), copy=False, write=True).write(source).result()
        return
    # A foreign byte order, or a field of a packed structure: of either, tensorstore would
    # fill a copy.
    fresh: npt.NDArray[Any] = source.read().result()
    out[...] = fresh.view(out.dtype.newbyteorder("=")) if out.dtype.kind in "mM" else fresh


def write_from(array: ts.TensorStore, box: Box, value: npt.NDArray[Any]) -> None:
    """Write ``value``; when this returns, it is stored."""
    native = as_native(value)
    # The caller waits, so nothing changes the value meanwhile and no copy of it is needed.
    _select(array, box).write(native, can_reference_source_data_indefinitely=True).result()


class ChunkCodecInMemory:
    """The codec chain of one chunk shape: an array in a private in-memory store.

    tensorstore decodes nothing outside an array. The array here has a million chunks in its
    first dimension, so that each call has a key of its own and calls from several threads do
    not wait for each other: put the bytes, read the chunk, delete the key. Compared with
    ``virtual_chunked`` (whose callbacks hand over decoded data, under the interpreter lock)
    this runs tensorstore's own codecs, without the lock.

    Parameters
    ----------
    metadata
        An array of a regular grid.
    """

    def __init__(self, metadata: ArrayMetadata) -> None:
        shape = metadata.grid.chunk_shape
        assert shape is not None
        self._shape = shape
        self._slots = _SLOTS if shape else 1
        one = single_chunk(metadata, shape)
        if shape:
            one = one.with_document(shape=[shape[0] * _SLOTS, *shape[1:]])
        self._metadata = one
        self._drops_subchunks = metadata.sharding is not None
        self._counter = itertools.count()
        if shape:
            self._shared = self._open()

    def _open(self) -> tuple[ts.KvStore, ts.TensorStore, ts.TensorStore]:
        context = new_context()
        kvstore = ts.KvStore.open("memory://", context=context).result()
        keeping = open_array(self._metadata, "memory://", context=context, keep_empty=True)
        dropping = open_array(self._metadata, "memory://", context=context)
        return kvstore, keeping, dropping

    def _slot(self) -> tuple[tuple[ts.KvStore, ts.TensorStore, ts.TensorStore], str, Box]:
        # An array without dimensions has one chunk: it gets a store for each call.
        stores = self._shared if self._shape else self._open()
        index = next(self._counter) % self._slots
        rank = len(self._shape)
        coords = (index, *(0,) * (rank - 1)) if rank else ()
        start = tuple(i * n for i, n in zip(coords, self._shape, strict=True))
        stop = tuple(a + n for a, n in zip(start, self._shape, strict=True))
        return stores, self._metadata.key_encoding.key(coords), Box(start, stop, (1,) * rank)

    def decode(self, data: bytes | bytearray | memoryview) -> npt.NDArray[Any]:
        """Return the chunk."""
        (kvstore, keeping, _), key, box = self._slot()
        kvstore.write(key, bytes(data)).result()
        try:
            chunk: npt.NDArray[Any] = _select(keeping, box).read().result()
        finally:
            kvstore.write(key, None).result()
        dtype = self._metadata.dtype
        return chunk.view(dtype.newbyteorder("=")) if dtype.kind in "mM" else chunk

    def encode(self, value: npt.NDArray[Any]) -> bytes:
        """Return the encoded chunk; subchunks that are all fill value are left out of shards."""
        (kvstore, keeping, dropping), key, box = self._slot()
        try:
            if self._drops_subchunks:
                write_from(dropping, box, value)
                found = kvstore.read(key).result()
                if found.state == "value":
                    return bytes(found.value)
            write_from(keeping, box, value)
            return bytes(kvstore.read(key).result().value)
        finally:
            kvstore.write(key, None).result()
