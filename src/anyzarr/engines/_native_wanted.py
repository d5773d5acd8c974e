"""Selections as the native core takes them: a box, and points for some dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from anyzarr.indexing import Points, Span

__all__ = ["Wanted", "by_dimension", "wanted_elements", "wanted_of"]


class Wanted(NamedTuple):
    """A selection as the core takes it: a box, and points for some of its dimensions."""

    start: tuple[int, ...]
    stop: tuple[int, ...]
    step: tuple[int, ...]
    points: list[tuple[tuple[int, ...], list[npt.NDArray[np.int64]], tuple[int, ...]]] | None = None


def wanted_of(factors: Sequence[Span | Points]) -> Wanted:
    spans = {factor.dim: factor for factor in factors if isinstance(factor, Span)}
    points = [factor for factor in factors if isinstance(factor, Points)]
    none = Span(0, 0, 1, 1)
    ordered = [spans.get(dim, none) for dim in range(sum(len(f.dims) for f in factors))]
    return Wanted(
        tuple(span.start for span in ordered),
        tuple(span.stop for span in ordered),
        tuple(span.step for span in ordered),
        [(p.dims, [np.ascontiguousarray(a, np.int64) for a in p.arrays], p.shape) for p in points],
    )


def wanted_elements(coords: npt.NDArray[np.int64]) -> Wanted:
    n, ndim = coords.shape
    arrays = tuple(np.ascontiguousarray(column) for column in coords.T)
    return wanted_of([Points(tuple(range(ndim)), arrays, (n,))])


def by_dimension(factors: Sequence[Span | Points], array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a view whose axes follow the first dimensions of the factors."""
    axes: dict[int, list[int]] = {}
    n_axes = 0
    for factor in factors:
        count = len(factor.shape) if isinstance(factor, Points) else 1
        axes[factor.dims[0]] = list(range(n_axes, n_axes + count))
        n_axes += count
    return array.transpose([axis for dim in sorted(axes) for axis in axes[dim]])
