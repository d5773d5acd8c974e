"""The edge between us and an engine's codecs: what comes out of them is checked here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr._os_errors import error_number, remedy
from anyzarr.abc import ChunkCodec, Store
from anyzarr.errors import AnyzarrError, CorruptDataError, StoreError, UnsupportedError

__all__ = ["CheckedCodec", "checked_decode", "checked_encode", "store_name"]

Data = bytes | bytearray | memoryview


def store_name(store: Store) -> str:
    """Return the printable address of a store."""
    return str(store.spec)


def _check(chunk: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    array = np.asarray(chunk)
    if array.shape != shape:
        raise CorruptDataError(f"it decodes to shape {array.shape}, expected is {shape}")
    variable = dtype.kind in "OT"
    if not variable and array.dtype.newbyteorder("=") != dtype.newbyteorder("="):
        raise CorruptDataError(f"it decodes to dtype {array.dtype}, expected is {dtype}")
    return array


def checked_decode(
    codec: ChunkCodec,
    data: Data,
    *,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    store: Store,
    key: str,
    chunk_coords: tuple[int, ...],
    engine: str,
    what: str = "chunk",
) -> npt.NDArray[Any]:
    """Decode one chunk or subchunk and check its shape and dtype (but for the byte order).

    Raises
    ------
    CorruptDataError
        With store, key and chunk, whatever the codec raised.
    UnsupportedError
        The codec cannot do this, whatever the bytes.
    """
    try:
        return _check(codec.decode(data), shape, dtype)
    except UnsupportedError:
        raise
    except MemoryError:
        raise
    except Exception as error:
        raise corrupt(
            f"cannot decode the {what} of {len(data)} bytes: {_sentence(error)}",
            store=store,
            key=key,
            chunk_coords=chunk_coords,
            engine=engine,
        ) from error


def checked_encode(
    codec: ChunkCodec,
    value: npt.NDArray[Any],
    *,
    store: Store,
    key: str,
    chunk_coords: tuple[int, ...],
    engine: str,
) -> bytes:
    """Encode one chunk or subchunk.

    Raises
    ------
    UnsupportedError
        The codec failed on a valid chunk; nothing has been written.
    StoreError
        The system refused the codec's temporary file; nothing has been written.
    """
    try:
        return codec.encode(value)
    except (AnyzarrError, MemoryError):
        raise
    except Exception as error:
        number = error_number(str(error))
        kind = UnsupportedError if number is None else StoreError
        what = _sentence(error) if number is None else f"{_sentence(error)}; {remedy(number)}"
        raise kind(
            f"the engine {engine!r} cannot encode chunk {chunk_coords} ({key} in "
            f"{store_name(store)}): {what}",
            store=store_name(store),
            key=key,
            chunk_coords=chunk_coords,
            engine=engine,
        ) from error


def corrupt(
    problem: str, *, store: Store, key: str, chunk_coords: tuple[int, ...], engine: str | None
) -> CorruptDataError:
    """Return the error for a stored chunk that cannot be what the metadata says."""
    return CorruptDataError(
        f"chunk {chunk_coords} ({key} in {store_name(store)}) is corrupt: {problem}",
        store=store_name(store),
        key=key,
        chunk_coords=chunk_coords,
        engine=engine,
    )


def _sentence(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text or type(error).__name__


class CheckedCodec:
    """A :class:`~anyzarr.abc.ChunkCodec` made of two functions of an engine.

    Parameters
    ----------
    shape, dtype
        The chunk's.
    decode, encode
        Plain functions; whatever ``decode`` raises becomes a ``CorruptDataError``.
    engine
        Name of the engine, for errors.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        *,
        decode: Callable[[Data], npt.NDArray[Any]],
        encode: Callable[[npt.NDArray[Any]], bytes],
        engine: str,
    ) -> None:
        self._shape = shape
        self._dtype = dtype
        self._decode = decode
        self._encode = encode
        self._engine = engine

    def decode(self, data: Data) -> npt.NDArray[Any]:
        """Return the decoded chunk; see :class:`anyzarr.abc.ChunkCodec`."""
        try:
            return _check(self._decode(data), self._shape, self._dtype)
        except (AnyzarrError, MemoryError):
            raise
        except Exception as error:
            raise CorruptDataError(
                f"the engine {self._engine!r} cannot decode {len(data)} bytes as a chunk of shape "
                f"{self._shape} and dtype {self._dtype}: {_sentence(error)}",
                engine=self._engine,
            ) from error

    def encode(self, value: npt.NDArray[Any]) -> bytes:
        """Return the encoded chunk; see :class:`anyzarr.abc.ChunkCodec`."""
        return self._encode(value)
