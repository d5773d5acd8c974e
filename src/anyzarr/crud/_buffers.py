"""Check what callers hand in as output buffers and as values."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr import _dlpack
from anyzarr.errors import MetadataError

__all__ = ["as_out", "broadcast_value"]


def as_out(out: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Return a numpy view of an output buffer after checking that it can take the result.

    Raises
    ------
    MetadataError
        It is not a buffer, not writable, in the memory of a device, or of another shape or
        dtype.
    """
    array = _view(out)
    if array.shape != shape:
        raise MetadataError(
            f"out has shape {array.shape}, but the selection has shape {shape}; "
            "give a buffer of exactly that shape",
            kind="out_shape",
        )
    if array.dtype.newbyteorder("=") != dtype.newbyteorder("="):
        raise MetadataError(
            f"out has dtype {array.dtype}, but the array has dtype {dtype}; "
            f"give a buffer of that dtype, or read without out and use .astype({array.dtype})",
            kind="out_dtype",
        )
    if not array.flags.writeable:
        raise MetadataError(
            "out is read-only; give a writable array or buffer", kind="out_read_only"
        )
    return array


def _view(out: Any) -> npt.NDArray[Any]:
    if isinstance(out, np.ndarray):
        return out
    if hasattr(out, "__array_interface__"):
        return np.asarray(out)
    try:
        return np.asarray(memoryview(out))
    except TypeError:
        pass
    if hasattr(out, "__dlpack__") and hasattr(out, "__dlpack_device__"):
        return _view_of_tensor(out)
    raise MetadataError(
        f"out is a {type(out).__name__}, which is no buffer; give a numpy array, or any object "
        "with the buffer protocol, __array_interface__ or __dlpack__ in host memory",
        kind="out_type",
    )


def _view_of_tensor(out: _dlpack.Exporter) -> npt.NDArray[Any]:
    try:
        return _dlpack.view(out)
    except BufferError as error:
        raise MetadataError(
            f"out, a {type(out).__name__}, cannot be written into: {error}; out must be memory "
            "of the processor that DLPack hands out as it is: read without out, or into such "
            "memory, and copy the result",
            kind="out_memory",
        ) from error


def broadcast_value(value: npt.NDArray[Any], shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Return a read-only view of the value in the selection's shape, as numpy assignment does.

    Raises
    ------
    MetadataError
        It does not broadcast to the shape.
    """
    extra = value.ndim - len(shape)
    if extra > 0 and all(n == 1 for n in value.shape[:extra]):
        value = value.reshape(value.shape[extra:])
    try:
        return np.broadcast_to(value, shape)
    except ValueError:
        raise MetadataError(
            f"a value of shape {value.shape} does not fit a selection of shape {shape}; "
            "give a value that broadcasts to it",
            kind="value_shape",
        ) from None
