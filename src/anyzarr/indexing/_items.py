"""The items of an index, classified and checked one by one."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr.errors import SelectionError
from anyzarr.indexing._types import IntArray

__all__ = ["Flag", "Item", "Mask", "classify", "consumed", "fill_ellipsis", "in_bounds", "integer"]


@dataclass(frozen=True, slots=True)
class Flag:
    """A boolean without dimensions: an axis of length 1 (True) or 0 (False)."""

    value: bool


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """A boolean array of one or more dimensions."""

    array: npt.NDArray[np.bool_]


Item = int | slice | None | Flag | Mask | IntArray
"""An item without Ellipsis; an integer array has at least one dimension here."""


def classify(item: Any) -> Any:
    """Return an item of an index as an :data:`Item` or Ellipsis.

    Raises
    ------
    SelectionError
        Arrays do not have such indices.
    """
    if item is None or item is Ellipsis or isinstance(item, slice):
        return item
    if isinstance(item, bool | np.bool_):
        return Flag(bool(item))
    if isinstance(item, str | bytes):
        raise SelectionError(
            f"{item!r} is a field name, and an index selects elements only; read the elements "
            "and take the field from the result"
        )
    if not isinstance(item, np.ndarray) and hasattr(item, "__index__"):
        try:
            return operator.index(item)
        except TypeError:
            pass  # array-like objects offer __index__ for their scalar case only
    return _classify_array(item)


def _classify_array(item: Any) -> Flag | Mask | int | IntArray:
    try:
        array = np.asarray(item)
    except (TypeError, ValueError) as error:
        raise SelectionError(f"{item!r} is no index: {error}; {_REMEDY}") from error
    if array.size == 0 and not isinstance(item, np.ndarray) and array.dtype.kind == "f":
        array = array.astype(np.intp)  # an empty list has no integers to show
    if array.dtype.kind == "b":
        return Mask(array) if array.ndim else Flag(bool(array))
    if array.dtype.kind not in "iu":
        raise SelectionError(
            f"an index of type {_describe(item, array)} is not an integer, slice, Ellipsis, "
            f"newaxis, or an array of integers or booleans; {_REMEDY}"
        )
    return array if array.ndim else int(array)


_REMEDY = "convert it to integers first"


def _describe(item: Any, array: npt.NDArray[Any]) -> str:
    if array.ndim == 0:
        return f"{type(item).__name__} ({item!r})"
    return f"{type(item).__name__} of {array.dtype}"


def consumed(item: Item) -> int:
    """Return how many dimensions of the array an item indexes."""
    if isinstance(item, Mask):
        return item.array.ndim
    return 0 if item is None or isinstance(item, Flag) else 1


def fill_ellipsis(items: Sequence[Any], ndim: int) -> tuple[list[Item], int | None]:
    """Replace Ellipsis, or the missing end of an index, by full slices.

    Returns
    -------
    tuple
        The items, and where the slices that stand for a written Ellipsis begin (None: there
        is none). An Ellipsis may stand for no slice at all.
    """
    at = [i for i, item in enumerate(items) if item is Ellipsis]
    if len(at) > 1:
        raise SelectionError(
            f"an index has {len(at)} Ellipsis, and may have one; write the others as ':'"
        )
    n_consumed = sum(consumed(item) for item in items if item is not Ellipsis)
    if n_consumed > ndim:
        raise SelectionError(
            f"the index takes {n_consumed} dimensions and the array has {ndim}; leave out "
            f"{n_consumed - ndim} of them"
        )
    full: list[Item] = [slice(None)] * (ndim - n_consumed)
    if not at:
        return [*items, *full], None
    return [*items[: at[0]], *full, *items[at[0] + 1 :]], at[0]


def integer(index: int, size: int, dim: int) -> int:
    """Return an index counted from the start, checked against the dimension's size."""
    if -size <= index < size:
        return index + size if index < 0 else index
    raise out_of_bounds(index, size, dim)


def out_of_bounds(index: int, size: int, dim: int) -> SelectionError:
    """Return the error for an index outside its dimension."""
    allowed = f"must be in [{-size}, {size})" if size else "cannot be, since it has no elements"
    return SelectionError(
        f"index {index} is out of bounds for dimension {dim} of size {size}; it {allowed}"
    )


def slice_indices(item: slice, size: int, dim: int) -> tuple[int, int, int]:
    """Return start, number of elements and signed step of a slice, as Python counts them."""
    try:
        start, stop, step = item.indices(size)
    except ValueError as error:
        raise SelectionError(
            f"{item} of dimension {dim} has step 0, and a step moves on; leave the step out for 1",
            kind="step_zero",
        ) from error
    except TypeError as error:
        raise SelectionError(
            f"{item} of dimension {dim} has bounds that are not integers; {_REMEDY}"
        ) from error
    return start, len(range(start, stop, step)), step


def in_bounds(array: npt.NDArray[Any], size: int, dim: int) -> IntArray:
    """Return an index array counted from the start: intp, C-contiguous, within bounds."""
    if array.size == 0:
        return np.zeros(array.shape, dtype=np.intp)
    low, high = int(array.min()), int(array.max())
    if high >= size:
        raise out_of_bounds(high, size, dim)
    if low < -size:
        raise out_of_bounds(low, size, dim)
    indices = np.ascontiguousarray(array, dtype=np.intp)
    if low >= 0:
        return indices
    return np.where(indices < 0, indices + size, indices)


def check_mask(mask: Mask, shape: tuple[int, ...], dim: int) -> None:
    """Check a mask's shape against the dimensions it stands for."""
    expected = shape[dim : dim + mask.array.ndim]
    if mask.array.shape != expected:
        raise SelectionError(
            f"a boolean mask of shape {mask.array.shape} does not match dimensions "
            f"{dim} to {dim + len(expected) - 1} of the array, of shape {expected}; "
            "make it the same shape"
        )
