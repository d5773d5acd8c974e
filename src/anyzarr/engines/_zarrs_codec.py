"""zarrs' codecs as a function of one chunk; imports zarrista, so import it lazily.

zarrista decodes through arrays, so this keeps arrays of one chunk in memory: the encoded bytes
are put in, the chunk is read out, or the other way round. That costs about 10 µs a chunk.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import zarrista
from zarrista.store import MemoryStore

from anyzarr.engines._codec_edge import Data
from anyzarr.metadata import ArrayMetadata, parse_array, respelled, to_v3_equivalent

__all__ = ["ZarrsCodec", "ZarrsPanicError", "guarded", "to_numpy", "zarrs_document"]

T = TypeVar("T")

# zarrs' own threads do not survive a fork, and ours already decode several chunks at once.
_ONE_THREAD: dict[str, Any] = {"concurrent_target": 1}


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


def to_numpy(tensor: Any, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Return what zarrs decoded as a read-only array, without a copy where its size is fixed."""
    if isinstance(tensor, zarrista.FixedLengthTensor):
        return np.frombuffer(tensor.buffer(), dtype.newbyteorder("=")).reshape(tensor.shape)
    found: npt.NDArray[Any] = tensor.to_numpy()
    return found


def zarrs_document(metadata: ArrayMetadata) -> Any:
    """Return the v3 document from which zarrs opens an array."""
    if metadata.zarr_format == 2:
        metadata = parse_array(to_v3_equivalent(metadata))
    return {**respelled(metadata, "core"), "attributes": {}}


class ZarrsCodec:
    """The codec chain of one chunk shape.

    Parameters
    ----------
    metadata
        Of an array with a regular grid; only its chunk shape, dtype, fill value and codecs count.
    """

    def __init__(self, metadata: ArrayMetadata) -> None:
        assert metadata.grid.chunk_shape is not None
        self.shape = metadata.grid.chunk_shape
        self._dtype = metadata.dtype
        self._document = {**zarrs_document(metadata), "shape": list(self.shape)}
        self._origin = [0] * len(self.shape)
        # Arrays not in use: popping and appending are atomic, so each thread has its own.
        self._free: list[zarrista.Array] = [self._new()]

    def _new(self) -> zarrista.Array:
        return zarrista.Array.from_metadata(self._document, MemoryStore())

    def _with_array(self, work: Callable[[zarrista.Array], T]) -> T:
        try:
            array = self._free.pop()
        except IndexError:
            array = self._new()
        result = work(array)
        # Not kept where the work failed: it may hold anything.
        self._free.append(array)
        return result

    def fill_bytes(self) -> bytes:
        """Return the fill value as zarrs understands it."""
        return self._with_array(lambda array: bytes(array.fill_value.as_bytes()))

    def decode(self, data: Data) -> npt.NDArray[Any]:
        """Return the chunk, read-only, in native byte order."""

        def work(array: zarrista.Array) -> Any:
            array.store_encoded_chunk(self._origin, data)
            tensor = guarded(array.retrieve_chunk, self._origin, **_ONE_THREAD)
            array.erase_chunk(self._origin)
            return tensor

        return to_numpy(self._with_array(work), self._dtype)

    def encode(self, value: npt.NDArray[Any]) -> bytes:
        """Return the encoded chunk; subchunks that are all fill value are left out of shards."""
        decoded = self._array_bytes(value)

        def work(array: zarrista.Array) -> bytes:
            for store_empty in (False, True):
                guarded(
                    array.store_chunk,
                    self._origin,
                    decoded,
                    store_empty_chunks=store_empty,
                    **_ONE_THREAD,
                )
                encoded = array.retrieve_encoded_chunk(self._origin)
                if encoded is not None:
                    array.erase_chunk(self._origin)
                    return bytes(encoded.buffer)
            raise AssertionError("zarrs encoded a chunk to nothing")

        return self._with_array(work)

    def _array_bytes(self, value: npt.NDArray[Any]) -> zarrista.ArrayBytes:
        if self._dtype.kind in "OT":
            return _variable_bytes(value)
        array = np.asarray(value, self._dtype.newbyteorder("="), order="C")
        return zarrista.ArrayBytes(array.reshape(-1).view(np.uint8))


def _variable_bytes(value: npt.NDArray[Any]) -> zarrista.ArrayBytes:
    items = [v.encode() if isinstance(v, str) else bytes(v) for v in value.reshape(-1).tolist()]
    offsets = [0]
    for item in items:
        offsets.append(offsets[-1] + len(item))
    return zarrista.ArrayBytes(b"".join(items), offsets=offsets)
