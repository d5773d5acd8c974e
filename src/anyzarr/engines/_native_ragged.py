"""Elements of variable length in the core: references to them, and the memory they are in.

The core moves references of 16 bytes as it moves elements of any size, and keeps the bytes in the
memory of a plan that is bound for one read or write (``Plan.bind``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from anyzarr._parallel import concurrency
from anyzarr.abc import Ragged
from anyzarr.errors import UnsupportedError
from anyzarr.metadata import ArrayMetadata, DataType, array_of, ragged_of

if TYPE_CHECKING:
    from anyzarr_native import Plan

__all__ = ["bind_array", "bind_value", "fill_of", "gather", "new_references", "to_array"]

_REFERENCE: Final = np.dtype([("slab", "u4"), ("length", "u4"), ("offset", "u8")])
_MEMORY: Final = np.dtype("V16")
_VALUE: Final = 1
_MOST_BYTES: Final = 2**32 - 1


def fill_of(metadata: ArrayMetadata) -> bytes:
    """Return the bytes of the fill value of elements of variable length."""
    fill = metadata.fill
    return fill.encode() if isinstance(fill, str) else bytes(fill)


def new_references(shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Return references to be read into, which refer to nothing yet."""
    return np.zeros(shape, _MEMORY)


def gather(plan: Plan, references: npt.NDArray[Any]) -> Ragged:
    """Return the elements that were read with a bound plan, in C order."""
    plain = np.ascontiguousarray(references).reshape(-1)
    offsets = np.empty(plain.size + 1, np.int64)
    plan.measure(plain, offsets)
    data = np.empty(int(offsets[-1]), np.uint8)
    plan.gather(plain, data, concurrency())
    return Ragged(data, offsets)


def to_array(plan: Plan, references: npt.NDArray[Any], data_type: DataType) -> npt.NDArray[Any]:
    """Return the elements that were read with a bound plan, of the references' shape."""
    plain = np.ascontiguousarray(references)
    parts = plan.to_list(plain.reshape(-1), data_type.name == "string")
    return array_of(parts, data_type).reshape(plain.shape)


def bind_array(
    plan: Plan, value: npt.NDArray[Any], data_type: DataType
) -> tuple[Plan, npt.NDArray[Any]]:
    """Return a plan bound to the elements of an array, and references of its shape.

    Raises
    ------
    MetadataError
        An element is neither bytes nor, in an array of strings, text.
    """
    references = np.empty(value.size, _MEMORY)
    try:
        bound = plan.bind_list(value.ravel().tolist(), data_type.name == "string", references)
    except (TypeError, UnicodeEncodeError):
        # Other kinds of bytes, or what is to be refused, with the reason.
        bound, references = bind_value(plan, ragged_of(value, data_type))
    return bound, references.reshape(value.shape)


def bind_value(plan: Plan, ragged: Ragged) -> tuple[Plan, npt.NDArray[Any]]:
    """Return a plan bound to elements that are to be written, and the references to them.

    Raises
    ------
    UnsupportedError
        An element is larger than the format can say.
    """
    lengths = ragged.lengths
    if lengths.size and int(lengths.max()) > _MOST_BYTES:
        raise UnsupportedError(
            f"element {int(lengths.argmax())} has {int(lengths.max())} bytes; elements of variable "
            "length have less than 4 GiB each",
            engine="native",
        )
    references = np.empty(lengths.size, _REFERENCE)
    references["slab"] = _VALUE
    references["length"] = lengths
    references["offset"] = ragged.offsets[:-1]
    return plan.bind(np.ascontiguousarray(ragged.data)), references.view(_MEMORY)
