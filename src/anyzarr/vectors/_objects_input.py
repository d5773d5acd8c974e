"""Objects and groups as users give them, checked and in columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from anyzarr.errors import MetadataError
from anyzarr.vectors._blobs import Ints
from anyzarr.vectors._geometry import Columns, as_columns

__all__ = ["as_group_columns", "as_groups", "as_positions", "rows_of_objects"]

Groups = Mapping[int, Sequence[int] | npt.NDArray[np.integer]]


def as_positions(values: npt.ArrayLike) -> npt.NDArray[np.floating]:
    """Return positions as an array of two dimensions, of a floating-point type.

    Raises
    ------
    MetadataError
        They are no numbers, or have another shape.
    """
    positions = np.asarray(values)
    if positions.ndim != 2 or positions.shape[1] == 0 or positions.dtype.kind not in "iuf":
        raise MetadataError(
            f"positions are {positions.dtype} of the shape {positions.shape}, and must be numbers "
            "of the shape (N, D): a row for each vertex, a column for each dimension",
            kind="positions",
        )
    return positions if positions.dtype.kind == "f" else positions.astype(np.float64)


def rows_of_objects(object_ids: npt.ArrayLike, n_vertices: int) -> tuple[Ints, Ints]:
    """Return the ids of objects, ascending, and for each vertex the row of its object.

    Raises
    ------
    MetadataError
        There is not one whole number for each vertex.
    """
    ids = np.asarray(object_ids)
    if ids.shape != (n_vertices,) or (ids.dtype.kind not in "iu" and ids.size):
        raise MetadataError(
            f"object_ids are {ids.dtype} of the shape {ids.shape}, and must be {n_vertices} whole "
            "numbers: for each vertex the id of its object",
            kind="object_ids",
        )
    if ids.dtype == np.uint64 and ids.size and ids.max() > np.iinfo(np.int64).max:
        raise MetadataError(
            f"the object id {ids.max()} is larger than can be stored, {np.iinfo(np.int64).max}",
            kind="object_ids",
        )
    distinct, rows = np.unique(ids.astype(np.int64), return_inverse=True)
    return distinct, rows.reshape(-1).astype(np.int64, copy=False)


def as_groups(groups: Groups | None) -> dict[int, Ints]:
    """Return groups by number, each as an array of ids of objects.

    Raises
    ------
    MetadataError
        A group's number is negative, or its members are no whole numbers.
    """
    found: dict[int, Ints] = {}
    for number, ids in (groups or {}).items():
        members = np.asarray(list(ids))
        if (
            int(number) < 0
            or members.ndim != 1
            or (members.size and members.dtype.kind not in "iu")
        ):
            raise MetadataError(
                f"the group {number} of {members.dtype} is not valid: groups are numbered from 0, "
                "and list ids of objects",
                kind="groups",
            )
        found[int(number)] = members.astype(np.int64)
    return found


def as_group_columns(
    attributes: Mapping[str, npt.ArrayLike] | None, groups: Mapping[int, Ints]
) -> Columns:
    """Return the attributes of groups, one row for each group from 0 to the last."""
    first = next(iter((attributes or {}).values()), ())
    n_rows = max(max(groups) + 1 if groups else 0, len(np.atleast_1d(np.asarray(first))))
    return as_columns("group", attributes, n_rows)
