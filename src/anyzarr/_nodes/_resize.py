"""Growing and cutting arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from anyzarr import crud
from anyzarr.abc import Box
from anyzarr.crud._nodes import node_lock_key
from anyzarr.crud._process_locks import exclusive
from anyzarr.crud._regions import require_writable
from anyzarr.errors import MetadataError
from anyzarr.indexing import box_parts
from anyzarr.metadata import ArrayMetadata, as_array_value, resized

if TYPE_CHECKING:
    from anyzarr._nodes._array import Array

__all__ = ["append", "resize"]


def _check_shape(array: Array, shape: tuple[int, ...]) -> None:
    if len(shape) != array.ndim or any(n < 0 for n in shape):
        raise MetadataError(
            f"{shape} is no shape for an array of {array.ndim} dimensions: give one length of "
            "at least 0 per dimension",
            kind="shape",
        )


def resize(array: Array, shape: tuple[int, ...]) -> None:
    """Change the stored shape of an array and of this handle."""
    require_writable(array.store, array.path)
    with exclusive(array.store, [node_lock_key(array.path)]):
        array.refresh()
        _check_shape(array, shape)
        before = array.metadata
        after = resized(before, shape)
        crud.write_metadata(after, array.store, array.path)
        array.metadata = after
        for box in _cut_off(before.shape, shape):
            _erase(array, before, box)


def _cut_off(before: tuple[int, ...], after: tuple[int, ...]) -> list[Box]:
    """Return disjoint boxes that hold every element of ``before`` outside ``after``."""
    boxes: list[Box] = []
    start, stop = [0] * len(before), list(before)
    for axis, (old, new) in enumerate(zip(before, after, strict=True)):
        if new < old:
            boxes.append(
                Box(
                    (*start[:axis], new, *start[axis + 1 :]),
                    (*stop[:axis], old, *stop[axis + 1 :]),
                    (1,) * len(before),
                )
            )
            stop[axis] = new
    return [box for box in boxes if all(box.shape)]


def _erase(array: Array, before: ArrayMetadata, box: Box) -> None:
    """Delete the chunks in a box and set what it has of other chunks to the fill value."""
    for part in box_parts(box, before.grid):
        key = before.chunk_key(array.path, part.coords)
        if part.is_whole:
            with exclusive(array.store, [key]):
                array.store.delete(key)
        elif array.store.head(key) is not None:
            crud.write_region(
                before,
                array.store,
                array.path,
                part.box.slices,
                before.fill,
                engine=array._engine_name,
            )


def append(array: Array, data: npt.ArrayLike, axis: int) -> tuple[int, ...]:
    """Write data past the end of an axis, then the new shape."""
    require_writable(array.store, array.path)
    value = as_array_value(np.asarray(data), array.dtype)
    if not -array.ndim <= axis < array.ndim:
        raise MetadataError(
            f"axis {axis} is not an axis of an array of {array.ndim} dimensions", kind="axis"
        )
    axis %= array.ndim
    with exclusive(array.store, [node_lock_key(array.path)]):
        array.refresh()
        _check_appended(array, value, axis)
        old = array.shape
        new = (*old[:axis], old[axis] + value.shape[axis], *old[axis + 1 :])
        _check_shape(array, new)
        after = resized(array.metadata, new)
        where: tuple[Any, ...] = (slice(None),) * axis + (slice(old[axis], new[axis]),)
        crud.write_region(after, array.store, array.path, where, value, engine=array._engine_name)
        crud.write_metadata(after, array.store, array.path)
        array.metadata = after
    return new


def _check_appended(array: Array, value: npt.NDArray[Any], axis: int) -> None:
    wanted = (*array.shape[:axis], *array.shape[axis + 1 :])
    if value.ndim != array.ndim or (*value.shape[:axis], *value.shape[axis + 1 :]) != wanted:
        raise MetadataError(
            f"data of shape {value.shape} cannot be appended along axis {axis} to an array of "
            f"shape {array.shape}: all other axes must agree",
            kind="value_shape",
        )
