"""The engine ``native``: our own Rust core, the package ``anyzarr_native``.

Files below a directory are read and written by the core itself, on its own threads and without
the interpreter; members of a local zip archive, stored as they are, are read as ranges of its
file; to the services that obstore knows the core speaks by itself. Of every other store our store
layer fetches the bytes, a whole batch of chunks and ranges at once, and the core decodes them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from anyzarr import config
from anyzarr._optional import is_installed
from anyzarr._os_errors import remedy
from anyzarr._parallel import concurrency, for_each
from anyzarr._url import redact
from anyzarr.abc import ArrayIO, Box, ByteRange, ChunkCodec, IOCapabilities, Ragged, Store
from anyzarr.engines._cache import BoundedCache
from anyzarr.engines._choose import cached_codec
from anyzarr.engines._chunk_access import ChunkAccess
from anyzarr.engines._codec_edge import CheckedCodec, Data, corrupt, store_name
from anyzarr.engines._folders import folder_of
from anyzarr.engines._native_archive import ArchivedArray
from anyzarr.engines._native_objects import ObjectArray
from anyzarr.engines._native_ragged import (
    bind_array,
    bind_value,
    fill_of,
    gather,
    new_references,
    to_array,
)
from anyzarr.engines._native_wanted import Wanted, by_dimension, wanted_elements, wanted_of
from anyzarr.engines._snapshots import Snapshots
from anyzarr.errors import AnyzarrError, MetadataError, StoreError, UnsupportedError
from anyzarr.indexing import Points, Span
from anyzarr.metadata import ArrayMetadata, DataType, single_chunk, to_v3_equivalent
from anyzarr.metadata._codecs import byte_orders

if TYPE_CHECKING:
    from anyzarr_native import Plan

__all__ = ["NativeArrayIO", "NativeEngine"]

_FIELDS = (
    "shape",
    "data_type",
    "chunk_grid",
    "chunk_key_encoding",
    "codecs",
    "storage_transformers",
)
_MISSING: Final = (
    "the native engine is not built: run 'make native' in the source tree (it needs cargo), or "
    'pip install "anyzarr-native"'
)

_MOST_INDICES: Final = 2**32
"""Indices in the tables of the core have 32 bits."""

_Asked: TypeAlias = tuple[str, tuple[int, int | None] | None]

_plans: BoundedCache[Plan] = BoundedCache(256)
_compiled: BoundedCache[Plan] = BoundedCache(256)


def _plan(metadata: ArrayMetadata) -> Plan:
    """Return the compiled plan of an array; it may only hold a reason."""
    return _plans.get_or_make(metadata.content, lambda: _compile(metadata))


def _compile(metadata: ArrayMetadata) -> Plan:
    """Return a plan, the same one for arrays that differ in what chunks do not depend on."""
    from anyzarr_native import Plan

    document = to_v3_equivalent(metadata, filters_see_stored_order=True)
    wanted = json.dumps({name: document[name] for name in _FIELDS if name in document})
    if metadata.data_type.is_variable_length:
        fill, is_big = fill_of(metadata), False
    else:
        value: npt.NDArray[Any] = np.empty((), metadata.dtype)
        value[()] = metadata.fill
        fill, is_big = value.tobytes(), "big" in byte_orders(metadata.dtype)
    return _compiled.get_or_make(
        (wanted, fill, is_big), lambda: Plan(wanted, fill, big_endian=is_big)
    )


def _reason(metadata: ArrayMetadata) -> str | None:
    if not is_installed("anyzarr_native"):
        return _MISSING
    from anyzarr_native import NativeError

    try:
        reason: str | None = _plan(metadata).reason
    except (UnsupportedError, MetadataError) as error:
        return error.message
    except NativeError as error:
        return str(error)
    return reason


def _memory(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the array in a dtype that every version of numpy hands out as a buffer."""
    return array if array.dtype.kind in "biufc" else array.view(f"V{array.dtype.itemsize}")


class NativeEngine:
    """Our Rust core; see the module."""

    name = "native"

    def decline(self, metadata: ArrayMetadata, store: Store) -> str | None:
        """Return why the native engine cannot do this array, or None if it can."""
        return _reason(metadata)

    def open(self, metadata: ArrayMetadata, store: Store, path: str) -> ArrayIO:
        """Return the array's I/O; nothing is looked up in the store."""
        access = ChunkAccess(metadata, store, path, self._codec_of, self.name)
        return NativeArrayIO(metadata, store, path, access)

    def _codec_of(self, metadata: ArrayMetadata) -> ChunkCodec:
        return cached_codec(self, metadata)

    def codec(self, metadata: ArrayMetadata) -> ChunkCodec:
        """Return the codec chain for one chunk."""
        reason = _reason(metadata)
        if reason is not None:
            raise UnsupportedError(f"native cannot: {reason}", engine=self.name)
        if not metadata.grid.is_regular:
            metadata = single_chunk(metadata)
        plan, dtype = _plan(metadata), metadata.dtype
        shape = plan.chunk_shape
        if metadata.data_type.is_variable_length:
            return _variable_codec(plan, metadata.data_type)

        def decode(data: Data) -> npt.NDArray[Any]:
            chunk: npt.NDArray[Any] = np.empty(shape, dtype)
            plan.decode_chunk(data, _memory(chunk))
            return chunk

        def encode(value: npt.NDArray[Any]) -> bytes:
            plain = np.asarray(value, dtype, order="C")
            encoded: bytes = plan.encode_chunk(_memory(plain))
            return encoded

        return CheckedCodec(shape, dtype, decode=decode, encode=encode, engine=self.name)


def _variable_codec(plan: Plan, data_type: DataType) -> ChunkCodec:
    shape = plan.chunk_shape

    def decode(data: Data) -> npt.NDArray[Any]:
        bound, references = plan.bind(), new_references(shape)
        bound.decode_chunk(data, references)
        return to_array(bound, references, data_type)

    def encode(value: npt.NDArray[Any]) -> bytes:
        bound, references = bind_array(plan, value, data_type)
        return bound.encode_chunk(references)

    return CheckedCodec(shape, data_type.dtype, decode=decode, encode=encode, engine="native")


class NativeArrayIO:
    """Chunk data of one array through the core.

    Parameters
    ----------
    metadata, store, path
        The array, with a regular grid.
    access
        Knows how many requests to have under way.
    """

    def __init__(
        self, metadata: ArrayMetadata, store: Store, path: str, access: ChunkAccess
    ) -> None:
        from anyzarr_native import NativeError

        self._metadata = metadata
        self._store = store
        self._path = path
        self._prefix = f"{path}/" if path else ""
        self._root = folder_of(store, path)
        self._archived = ArchivedArray.find(store, path) if self._root is None else None
        self._objects = ObjectArray.find(store, path) if self._root is None else None
        self._access = access
        self._plan: Plan = _plan(metadata)
        self._error: type[Exception] = NativeError

    @property
    def capabilities(self) -> IOCapabilities:
        """Any selection; the core does the I/O of files and services, our store layer the rest."""
        found = self._archived or self._objects
        reason = None if found is None else found.reason
        own = self._root is not None or (found is not None and reason is None)
        is_indexed = max(self._metadata.shape, default=0) <= _MOST_INDICES
        return IOCapabilities(
            steps=True,
            byte_layer=not own,
            reason=reason,
            indexed=is_indexed,
            ragged=is_indexed and self._plan.is_variable,
            alike=is_indexed and self._plan.is_variable and self._is_written_here,
        )

    @property
    def _is_written_here(self) -> bool:
        return self._root is not None and self._store.capabilities.writable

    @property
    def native_handle(self) -> Plan:
        """The ``anyzarr_native.Plan``."""
        return self._plan

    def read(self, box: Box, out: npt.NDArray[Any]) -> None:
        """Fill ``out``; see :class:`anyzarr.abc.ArrayIO`."""
        self._read(Wanted(box.start, box.stop, box.step), out)

    def write(self, box: Box, value: npt.NDArray[Any]) -> None:
        """Store ``value``; see :class:`anyzarr.abc.ArrayIO`."""
        self._write(Wanted(box.start, box.stop, box.step), value)

    def read_indexed(self, factors: Sequence[Span | Points], out: npt.NDArray[Any]) -> None:
        """Fill ``out``; see :class:`anyzarr.abc.IndexedArrayIO`."""
        self._read(wanted_of(factors), by_dimension(factors, out))

    def write_indexed(self, factors: Sequence[Span | Points], value: npt.NDArray[Any]) -> None:
        """Store ``value``; see :class:`anyzarr.abc.IndexedArrayIO`."""
        self._write(wanted_of(factors), by_dimension(factors, value))

    def read_ragged(self, coords: npt.NDArray[np.int64]) -> Ragged:
        """Return elements; see :class:`anyzarr.abc.RaggedArrayIO`."""
        plan, references = self._read_references(wanted_elements(coords), (len(coords),))
        return gather(plan, references)

    def write_ragged(self, coords: npt.NDArray[np.int64], ragged: Ragged) -> None:
        """Store elements; see :class:`anyzarr.abc.RaggedArrayIO`."""
        self._write_memory(*bind_value(self._plan, ragged), wanted_elements(coords))

    def write_alike(
        self,
        paths: Sequence[str],
        bounds: Sequence[int],
        coords: npt.NDArray[np.int64],
        ragged: Ragged,
    ) -> None:
        """Store elements of many arrays; see :class:`anyzarr.abc.AlikeArrayIO`."""
        from anyzarr_native import write_alike

        assert self._root is not None
        plan, value = bind_value(self._plan, ragged)
        columns = [np.ascontiguousarray(column) for column in coords.T]
        keep_empty = bool(config.get("write_empty_chunks"))
        what = (list(paths), list(bounds), columns, value, concurrency(), keep_empty)
        try:
            write_alike(plan, self._root, *what)
        except self._error as error:
            raise self._explained(error, "write", is_below=True) from error

    def _read(self, wanted: Wanted, out: npt.NDArray[Any]) -> None:
        if not self._plan.is_variable:
            self._read_memory(self._plan, _memory(out), wanted)
            return
        plan, references = self._read_references(wanted, out.shape)
        out[...] = to_array(plan, references, self._metadata.data_type)

    def _read_references(
        self, wanted: Wanted, shape: tuple[int, ...]
    ) -> tuple[Plan, npt.NDArray[Any]]:
        plan, references = self._plan.bind(), new_references(shape)
        self._read_memory(plan, references, wanted)
        return plan, references

    def _read_memory(self, plan: Plan, out: npt.NDArray[Any], wanted: Wanted) -> None:
        start, stop, step, points = wanted
        what = (start, stop, step, out, concurrency(), points)
        try:
            if self._root is not None:
                plan.read_local(self._root, self._path, *what)
            elif self._archived is not None and self._archived.reason is None:
                plan.read_archive(self._archived.table(), self._archived.path, *what)
            elif self._objects is not None and self._objects.reason is None:
                self._objects.read(plan, *what)
            else:
                plan.read_many(_getter(Snapshots(self._store)), self._prefix, *what)
        except self._error as error:
            raise self._explained(error, "read") from error

    def _write(self, wanted: Wanted, value: npt.NDArray[Any]) -> None:
        if self._plan.is_variable:
            bound = bind_array(self._plan, value, self._metadata.data_type)
            self._write_memory(*bound, wanted)
        else:
            self._write_memory(self._plan, _memory(value), wanted)

    def _write_memory(self, plan: Plan, value: npt.NDArray[Any], wanted: Wanted) -> None:
        start, stop, step, points = wanted
        keep_empty = bool(config.get("write_empty_chunks"))
        what = (start, stop, step, value, concurrency(), keep_empty, points)
        try:
            # A read-only store says so itself.
            writable = self._store.capabilities.writable
            if self._root is not None and writable:
                plan.write_local(self._root, self._path, *what)
            elif self._objects is not None and self._objects.reason is None and writable:
                self._objects.write(plan, *what)
            else:
                plan.write_many(_getter(self._store), self._put_many, self._prefix, *what)
        except self._error as error:
            raise self._explained(error, "write") from error

    def _put_many(self, objects: list[tuple[str, bytes | None]]) -> None:
        def put(item: tuple[str, bytes | None]) -> None:
            key, data = item
            if data is None:
                self._store.delete(key)
            else:
                self._store.put(key, data)

        for_each(put, objects, limit=1 if len(objects) < 2 else self._access.put_width)

    def _explained(self, error: Any, action: str, *, is_below: bool = False) -> AnyzarrError:
        """Return our error; ``is_below``: the key is relative to the store in any case."""
        name, store = NativeEngine.name, self._store
        coords, key = error.chunk_coords, error.key
        if coords is not None and not is_below:
            key = self._metadata.chunk_key(self._path, coords)
        if error.kind == "corrupt" and key is not None:
            return corrupt(str(error), store=store, key=key, chunk_coords=coords, engine=name)
        what = redact(str(error))
        if error.errno is not None:
            what = f"{os.strerror(error.errno)}; {remedy(error.errno)}"
        if error.kind == "memory":
            what = f"a chunk of shape {self._plan.chunk_shape} needs more memory: {what}"
        kind = UnsupportedError if error.kind in {"unsupported", "memory"} else StoreError
        return kind(
            f"cannot {action} {key or self._path!r} in {store_name(store)}: {what}",
            store=store_name(store),
            key=key,
            chunk_coords=coords,
            engine=name,
        )


def _getter(source: Store | Snapshots) -> Callable[[list[_Asked]], list[bytes | None]]:
    """Return the function that the core calls for the bytes of keys and ranges."""

    def get_many(asked: list[_Asked]) -> list[bytes | None]:
        requests = [(key, None if span is None else ByteRange(*span)) for key, span in asked]
        found = source.get_many(requests)
        return [data if data is None or type(data) is bytes else bytes(data) for data in found]

    return get_many
