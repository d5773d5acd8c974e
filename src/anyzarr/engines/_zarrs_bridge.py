"""zarrs' codec pipeline on one array of zarr-python; imports both, so import it lazily."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import zarr
from zarr.abc.store import Store as ZarrStore
from zarr.core.sync import sync
from zarr.storage import LocalStore, ObjectStore, StorePath
from zarrs import ZarrsCodecPipeline
from zarrs.pipeline import UnsupportedMetadataError, get_codec_pipeline_impl

from anyzarr.abc import Store
from anyzarr.engines._folders import folder_of
from anyzarr.engines._zarr_bridge import chunk_spec, ndbuffer, new_array, silenced, zarr_metadata
from anyzarr.metadata import ArrayMetadata

__all__ = ["ChunkCodecInFile", "guarded", "native_store", "new_zarrs_array", "why_not"]

T = TypeVar("T")

_SHARED_MEMORY = Path("/dev/shm")
# What the pipeline leaves to Python when it may; it says so in its own source.
_PYTHON_KINDS = "VSUMmOT"
_REBUILT_IN_RUST = frozenset({"S3Store", "GCSStore", "AzureStore", "HTTPStore"})


class ZarrsPanicError(Exception):
    """zarrs met something it takes for impossible, as some corrupt shards make it do."""


def guarded(work: Callable[..., T], *args: Any, **options: Any) -> T:
    """Call into zarrs; its panics, which are no ``Exception``, become :class:`ZarrsPanicError`."""
    try:
        return work(*args, **options)
    except BaseException as error:
        if type(error).__name__ == "PanicException":
            raise ZarrsPanicError(str(error)) from error
        raise


def _scratch() -> str:
    return str(_SHARED_MEMORY) if _SHARED_MEMORY.is_dir() else tempfile.gettempdir()


def why_not(metadata: ArrayMetadata) -> str | None:
    """Return why the Rust pipeline cannot do this metadata, or None if it can."""
    if metadata.dtype.kind in _PYTHON_KINDS:
        return f"the pipeline of zarrs-python has no data type {metadata.data_type.name!r}"
    try:
        _pipeline(metadata, LocalStore(_scratch()))
    except UnsupportedMetadataError as error:
        return f"the pipeline of zarrs-python cannot: {error.__cause__ or error}"
    return None


def _pipeline(metadata: ArrayMetadata, store: ZarrStore) -> ZarrsCodecPipeline:
    compiled = zarr_metadata(metadata)
    # It warns that a store made in Python is rebuilt in Rust: that is what is wanted.
    with silenced(RuntimeWarning):
        impl = get_codec_pipeline_impl(compiled, store, strict=True)
    return ZarrsCodecPipeline(metadata=compiled, store=store, impl=impl, python_impl=None)


def native_store(store: Store) -> ZarrStore | None:
    """Return a store that the Rust side can rebuild for itself, or None if there is none."""
    root = folder_of(store, "")
    if root is not None:
        return LocalStore(root, read_only=True)
    live: Any = getattr(store, "obstore", None)
    if type(live).__name__ not in _REBUILT_IN_RUST or store.spec.options.get("credential_provider"):
        return None
    return ObjectStore(live, read_only=True)


def new_zarrs_array(metadata: ArrayMetadata, native: ZarrStore, path: str) -> zarr.Array[Any]:
    """Return zarr's array with the Rust pipeline; nothing is looked up in the store."""
    return new_array(
        metadata, native, path, write_empty_chunks=False, pipeline=_pipeline(metadata, native)
    )


class ChunkCodecInFile:
    """The codec chain of one chunk shape: an array in a directory of its own per call.

    Parameters
    ----------
    metadata
        An array of a regular grid.
    """

    def __init__(self, metadata: ArrayMetadata) -> None:
        assert metadata.grid.chunk_shape is not None
        self._metadata = metadata
        self._shape = metadata.grid.chunk_shape
        self._dtype = metadata.dtype.newbyteorder("=")
        self._root = _scratch()
        self._store = LocalStore(self._root)
        self._pipeline = _pipeline(metadata, self._store)
        # Chunks that are all fill value are never stored, whatever is asked for; so those are
        # encoded as if something else were the fill value.
        other = metadata.with_document(fill_value=_another_fill(metadata))
        self._keeping = _pipeline(other, self._store)
        self._spec = chunk_spec(metadata, write_empty_chunks=True)
        self._other_spec = chunk_spec(other, write_empty_chunks=True)

    def _item(self, directory: str, spec: Any) -> list[Any]:
        everything = tuple(slice(0, n) for n in self._shape)
        path = StorePath(self._store, f"{Path(directory).name}/c")
        return [(path, spec, everything, everything, True)]

    def decode(self, data: bytes | bytearray | memoryview) -> npt.NDArray[Any]:
        """Return the chunk."""
        chunk: npt.NDArray[Any] = np.empty(self._shape, self._dtype)
        with tempfile.TemporaryDirectory(prefix="anyzarr-", dir=self._root) as directory:
            Path(directory, "c").write_bytes(data)
            guarded(sync, self._pipeline.read(self._item(directory, self._spec), ndbuffer(chunk)))
        return chunk

    def encode(self, value: npt.NDArray[Any]) -> bytes:
        """Return the encoded chunk; subchunks that are all fill value are left out of shards."""
        native = np.ascontiguousarray(value, self._dtype).reshape(self._shape)
        for pipeline, spec in ((self._pipeline, self._spec), (self._keeping, self._other_spec)):
            with tempfile.TemporaryDirectory(prefix="anyzarr-", dir=self._root) as directory:
                guarded(sync, pipeline.write(self._item(directory, spec), ndbuffer(native)))
                stored = Path(directory, "c")
                if stored.exists():
                    return stored.read_bytes()
        raise AssertionError("zarrs encoded a chunk to nothing")


def _another_fill(metadata: ArrayMetadata) -> Any:
    """Return a fill value, as JSON, that no element of an all-fill chunk equals."""
    is_zero = not bool(metadata.fill != 0)
    if metadata.dtype.kind == "b":
        return not bool(metadata.fill)
    if metadata.dtype.kind == "c":
        return [1.0, 0.0] if is_zero else [0.0, 0.0]
    return 1 if is_zero else 0
