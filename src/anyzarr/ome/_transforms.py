"""Coordinate transformations as affine maps, where they are affine.

The types of OME-Zarr 0.4 to 0.6: ``identity``, ``scale``, ``translation``, ``affine``,
``rotation``, ``mapAxis``, ``projectAxis``, ``sequence``, ``byDimension``, ``bijection`` (and
``inverseOf`` of the drafts). Anything else (``displacements``, ``coordinates``, a type not
known) is refused by its name where it is to be applied; reading and writing keeps it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr.errors import MetadataError, UnsupportedError

__all__ = ["Affine", "ReadParameters", "Transformation", "affine_of", "chain_of", "inverse_of"]

Transformation = Mapping[str, Any]
"""One ``coordinateTransformations`` entry, as it stands in the document."""

ReadParameters = Callable[[str], npt.NDArray[Any]]
"""Reads the array at a path, for transformations whose parameters are stored in one."""

_PARAMETERS = ("scale", "translation", "affine", "rotation", "mapAxis")


@dataclass(frozen=True, slots=True, eq=False)
class Affine:
    """The map ``matrix @ point + offset``.

    Attributes
    ----------
    matrix
        ``(M, N)`` for points of N numbers mapped to M.
    offset
        ``(M,)``.
    """

    matrix: npt.NDArray[np.float64]
    offset: npt.NDArray[np.float64]

    @classmethod
    def identity(cls, ndim: int) -> Affine:
        """Return the map that changes nothing."""
        return cls(np.eye(ndim), np.zeros(ndim))

    @property
    def diagonal(self) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
        """Scale and translation, or None where the map is more than these."""
        n_out, n_in = self.matrix.shape
        if n_out != n_in or np.count_nonzero(self.matrix - np.diag(np.diag(self.matrix))):
            return None
        return tuple(np.diag(self.matrix).tolist()), tuple(self.offset.tolist())

    def then(self, after: Affine) -> Affine:
        """Return the map that applies this one, and ``after`` to what comes out."""
        return Affine(after.matrix @ self.matrix, after.matrix @ self.offset + after.offset)

    def __call__(self, points: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return points mapped, ``(..., N)`` to ``(..., M)``.

        Raises
        ------
        MetadataError
            The points do not have N numbers each.
        """
        array = np.asarray(points, dtype=np.float64)
        if array.ndim == 0 or array.shape[-1] != self.matrix.shape[1]:
            raise MetadataError(
                f"points of shape {array.shape} do not fit: the last dimension is to hold "
                f"{self.matrix.shape[1]} numbers, one per axis",
                kind="points",
            )
        mapped: npt.NDArray[np.float64] = array @ self.matrix.T + self.offset
        return mapped


def chain_of(
    steps: Sequence[Transformation], ndim: int, read: ReadParameters | None = None
) -> Affine:
    """Return what steps applied one after the other amount to.

    Parameters
    ----------
    steps
        As in the document; none is the identity.
    ndim
        How many numbers the points have that the first step is applied to.
    read
        Reads parameters that are stored in arrays; None: they are refused.

    Raises
    ------
    UnsupportedError
        A step is not affine, or not known.
    MetadataError
        A step breaks the specification.
    """
    result = Affine.identity(ndim)
    for step in steps:
        result = result.then(affine_of(step, result.matrix.shape[0], read))
    return result


def affine_of(step: Transformation, ndim: int, read: ReadParameters | None = None) -> Affine:
    """Return one transformation of points of ``ndim`` numbers as an affine map.

    Raises as :func:`chain_of` does.
    """
    kind = step.get("type")
    if kind == "identity":
        return Affine.identity(ndim)
    if kind in {"sequence", "bijection", "byDimension", "inverseOf", "projectAxis"}:
        return _COMPOSED[kind](step, ndim, read)
    if not isinstance(kind, str) or kind not in _PARAMETERS:
        raise UnsupportedError(
            f"the coordinate transformation {_named(step)} is not affine, or not known; it is kept "
            "in the metadata and cannot be applied"
        )
    values = _values(step, kind, read)
    if kind in {"scale", "translation"}:
        _require(step, values.shape == (ndim,), f"{_counted(values)} for {ndim} axes")
        eye = np.eye(ndim)
        return Affine(np.diag(values), np.zeros(ndim)) if kind == "scale" else Affine(eye, values)
    if kind == "mapAxis":
        _require(step, sorted(values.tolist()) == list(range(ndim)), f"no order of {ndim} axes")
        return Affine(np.eye(ndim)[values.astype(np.intp)], np.zeros(ndim))
    if kind == "rotation":
        _require(step, values.shape == (ndim, ndim), f"a matrix {values.shape} for {ndim} axes")
        return Affine(values, np.zeros(ndim))
    return _from_matrix(step, values, ndim)


def inverse_of(step: Transformation, ndim: int, read: ReadParameters | None = None) -> Affine:
    """Return the inverse of a transformation whose result has ``ndim`` numbers.

    Raises
    ------
    UnsupportedError
        It has no inverse, or is not affine.
    """
    kind = step.get("type")
    if kind == "bijection":
        return affine_of(_member(step, "inverse"), ndim, read)
    if kind == "inverseOf":
        return affine_of(_member(step, "transformation"), ndim, read)
    if kind == "sequence":
        result = Affine.identity(ndim)
        for part in reversed(_members(step)):
            result = result.then(inverse_of(part, result.matrix.shape[0], read))
        return result
    if kind == "projectAxis":
        raise UnsupportedError(f"the coordinate transformation {_named(step)} has no inverse")
    forward = affine_of(step, ndim, read)
    square = forward.matrix.shape == (ndim, ndim)
    if not square or np.linalg.matrix_rank(forward.matrix) < ndim:
        raise UnsupportedError(f"the coordinate transformation {_named(step)} has no inverse")
    matrix = np.linalg.inv(forward.matrix)
    return Affine(matrix, -matrix @ forward.offset)


def _sequence(step: Transformation, ndim: int, read: ReadParameters | None) -> Affine:
    return chain_of(_members(step), ndim, read)


def _bijection(step: Transformation, ndim: int, read: ReadParameters | None) -> Affine:
    return affine_of(_member(step, "forward"), ndim, read)


def _inverse_of(step: Transformation, ndim: int, read: ReadParameters | None) -> Affine:
    return inverse_of(_member(step, "transformation"), ndim, read)


def _by_dimension(step: Transformation, ndim: int, read: ReadParameters | None) -> Affine:
    parts = []
    for item in _members(step):
        ins, outs = (_axes(step, item, name, old) for name, old in _AXES)
        _require(step, all(i < ndim for i in ins), f"an input axis beyond the {ndim} there are")
        parts.append((affine_of(_member(item, "transformation"), len(ins), read), ins, outs))
    n_out = sum(len(outs) for _, _, outs in parts)
    given = sorted(axis for _, _, outs in parts for axis in outs)
    _require(step, given == list(range(n_out)), "not every output axis exactly once")
    matrix, offset = np.zeros((n_out, ndim)), np.zeros(n_out)
    for part, ins, outs in parts:
        _require(step, part.matrix.shape[0] == len(outs), f"{len(outs)} output axes for a part")
        matrix[np.ix_(outs, ins)] = part.matrix
        offset[outs] = part.offset
    return Affine(matrix, offset)


_AXES = (("inputAxes", "input_axes"), ("outputAxes", "output_axes"))


def _axes(step: Transformation, item: Transformation, name: str, old: str) -> list[int]:
    axes = item.get(name, item.get(old))
    valid = isinstance(axes, list) and all(type(a) is int and a >= 0 for a in axes)
    _require(step, valid, f"{name} {axes!r}, where numbers of axes are wanted")
    return list(axes or ())


def _project_axis(step: Transformation, ndim: int, read: ReadParameters | None) -> Affine:
    dropped = _positions(step, "droppedInputs")
    created = _positions(step, "createdOutputs")
    _require(step, all(i < ndim for i in dropped), f"axes {dropped} of {ndim} to be dropped")
    kept = [i for i in range(ndim) if i not in dropped]
    n_out = len(kept) + len(created)
    _require(step, all(i < n_out for i in created), f"axes {created} of {n_out} to be created")
    filled = [i for i in range(n_out) if i not in created]
    matrix = np.zeros((n_out, ndim))
    matrix[filled, kept] = 1
    return Affine(matrix, np.zeros(n_out))


def _positions(step: Transformation, name: str) -> list[int]:
    values = step.get(name) or []
    valid = isinstance(values, list) and all(type(v) is int and v >= 0 for v in values)
    _require(step, valid and len(set(values)) == len(values), f"{name} {values!r}")
    return list(values)


_COMPOSED: Mapping[str, Callable[[Transformation, int, ReadParameters | None], Affine]] = {
    "sequence": _sequence,
    "bijection": _bijection,
    "byDimension": _by_dimension,
    "inverseOf": _inverse_of,
    "projectAxis": _project_axis,
}


def _from_matrix(step: Transformation, values: npt.NDArray[np.float64], ndim: int) -> Affine:
    """Return an affine matrix ``(M, N + 1)``; a last row that says nothing is left out."""
    _require(
        step, values.ndim == 2 and values.shape[1] == ndim + 1, f"{values.shape} for {ndim} axes"
    )
    homogeneous = np.r_[np.zeros(ndim), 1.0]
    if values.shape[0] == ndim + 1 and np.array_equal(values[-1], homogeneous):
        values = values[:-1]
    return Affine(values[:, :-1].copy(), values[:, -1].copy())


def _values(
    step: Transformation, kind: str, read: ReadParameters | None
) -> npt.NDArray[np.float64]:
    given, path = step.get(kind), step.get("path")
    if given is None and isinstance(path, str):
        if read is None:
            raise UnsupportedError(
                f"the coordinate transformation {_named(step)} has its numbers in the array "
                f"{path!r} rather than in the metadata"
            )
        given = read(path)
    try:
        values = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        values = np.full(0, np.nan)
    _require(step, values.size > 0 and bool(np.isfinite(values).all()), f"{kind} {given!r}")
    return values


def _members(step: Transformation) -> list[Transformation]:
    members = step.get("transformations")
    valid = isinstance(members, list) and all(isinstance(m, Mapping) for m in members)
    _require(step, valid, "no list of 'transformations'")
    return list(members or ())


def _member(step: Transformation, name: str) -> Transformation:
    member = step.get(name)
    if not isinstance(member, Mapping):
        raise MetadataError(
            f"a coordinate transformation needs {name!r}, itself a transformation, and has "
            f"{member!r}"
        )
    return member


def _require(step: Transformation, holds: bool, problem: str) -> None:
    if not holds:
        raise MetadataError(f"the coordinate transformation {_named(step)} has {problem}")


def _counted(values: npt.NDArray[Any]) -> str:
    return f"{values.size} numbers" if values.ndim == 1 else f"numbers in shape {values.shape}"


def _named(step: Transformation) -> str:
    kind = repr(step.get("type"))
    name = step.get("name")
    return f"{name!r} of type {kind}" if isinstance(name, str) else f"of type {kind}"
