"""Elements of variable length: numpy arrays of objects or strings, and columns of bytes."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr.abc import Ragged
from anyzarr.errors import MetadataError
from anyzarr.metadata._check import show
from anyzarr.metadata._model import DataType

__all__ = ["array_of", "elements_of", "ragged_of"]


def ragged_of(values: npt.NDArray[Any], data_type: DataType) -> Ragged:
    """Return the elements of an array of variable length, in C order; strings in UTF-8.

    Raises
    ------
    MetadataError
        An element is neither bytes nor, in an array of strings, text.
    """
    parts = values.ravel().tolist()
    if data_type.name == "string":
        return _encoded(parts)
    for part in parts:
        if not isinstance(part, bytes | bytearray | memoryview):
            raise _refusal(part, "bytes")
    return Ragged.of(parts)


def _encoded(parts: list[Any]) -> Ragged:
    try:
        text = "".join(parts)
    except TypeError:
        bad = next(part for part in parts if not isinstance(part, str))
        raise _refusal(bad, "str") from None
    if text.isascii():
        lengths = np.fromiter(map(len, parts), np.int64, len(parts))
        return Ragged.from_lengths(np.frombuffer(text.encode(), np.uint8), lengths)
    try:
        return Ragged.of([part.encode() for part in parts])
    except UnicodeEncodeError as error:
        raise MetadataError(
            f"{show(error.object)} cannot be encoded in UTF-8: {error.reason}", kind="dtype"
        ) from None


def _refusal(part: Any, wanted: str) -> MetadataError:
    return MetadataError(
        f"the element {show(part)} is a {type(part).__name__}, the array holds {wanted}; "
        "convert it first",
        kind="dtype",
    )


def elements_of(ragged: Ragged, data_type: DataType) -> npt.NDArray[Any]:
    """Return the elements as an array of one dimension and of the data type's numpy dtype.

    Raises
    ------
    MetadataError
        An element of an array of strings is not UTF-8.
    """
    if data_type.name != "string":
        return array_of(ragged.to_list(), data_type)
    try:
        parts = _decoded(ragged)
    except UnicodeDecodeError as error:
        raise MetadataError(
            f"{show(error.object)} is not UTF-8 ({error.reason}), which strings are in; "
            "an array of bytes takes it",
            kind="dtype",
        ) from None
    return array_of(parts, data_type)


def array_of(parts: list[str] | list[bytes], data_type: DataType) -> npt.NDArray[Any]:
    """Return elements as an array of one dimension and of the data type's numpy dtype."""
    if data_type.dtype.kind == "T":
        return np.array(parts, data_type.dtype)
    values: npt.NDArray[Any] = np.empty(len(parts), object)
    values[:] = parts
    return values


def _decoded(ragged: Ragged) -> list[str]:
    data = ragged.data.tobytes()
    if not data.isascii():
        return [part.decode() for part in ragged.to_list()]
    text, bounds = data.decode(), ragged.offsets.tolist()
    return [text[a:b] for a, b in itertools.pairwise(bounds)]
