"""What a selection resolves to, and the parts it is carried out in."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr.abc import Box
from anyzarr.errors import SelectionError

__all__ = ["Affine", "Indexed", "Map", "Part", "Plan", "Points", "Selection", "Span"]

IntArray = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Affine:
    """How one dimension of the array depends on the result: ``start + step * i``.

    Attributes
    ----------
    axis
        The result axis that ``i`` runs along; None where the dimension is fixed at ``start``.
    start, step
        Index of the first element, and the signed distance to the next.
    """

    axis: int | None
    start: int
    step: int = 1


@dataclass(frozen=True, slots=True)
class Indexed:
    """How one dimension of the array depends on the result: by a table of indices.

    Attributes
    ----------
    axes
        The result axes along which the table varies, ascending.
    array
        Indices in bounds, C-contiguous, one axis per entry of ``axes``.
    """

    axes: tuple[int, ...]
    array: IntArray


Map = Affine | Indexed


@dataclass(frozen=True, slots=True)
class Span:
    """A factor of a selection: evenly spaced indices of one dimension, ascending."""

    dim: int
    start: int
    stop: int
    step: int

    @property
    def dims(self) -> tuple[int, ...]:
        """The dimension, as the other kind of factor gives its dimensions."""
        return (self.dim,)


@dataclass(frozen=True, slots=True)
class Points:
    """A factor of a selection: points in a subset of the dimensions.

    Attributes
    ----------
    dims
        The dimensions, ascending.
    arrays
        Per dimension the coordinates of all points, flat, in C order of ``shape``.
    shape
        Shape of the table of points: the axes they take in the internal layout.
    """

    dims: tuple[int, ...]
    arrays: tuple[IntArray, ...]
    shape: tuple[int, ...]


def _is_apart(factor: Span | Points) -> bool:
    """Return whether there are other dimensions between its own: its axes then come first."""
    return factor.dims[-1] - factor.dims[0] + 1 != len(factor.dims)


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """A selection resolved against an array's shape; made by :func:`resolve`.

    Attributes
    ----------
    shape
        Shape of the array selected from.
    result_shape
        Shape of the result, as numpy would give it.
    box
        The selected box, where the selected elements form one; None for anything else.
        Its steps are positive: flips, dropped and new axes are views made by :meth:`inner`.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.indexing import resolve
    >>> selection = resolve(np.s_[3, ::-2], (5, 8))
    >>> selection.result_shape
    (4,)
    >>> selection.box
    Box(start=(3, 1), stop=(4, 8), step=(1, 2))
    >>> selection.inner(np.arange(4))
    array([[3, 2, 1, 0]])
    """

    shape: tuple[int, ...]
    result_shape: tuple[int, ...]
    box: Box | None
    # Invariant: ``array[_view].transpose(_order)`` has the internal layout and is a view.
    _view: tuple[Any, ...] | None = field(default=None, repr=False)
    _order: tuple[int, ...] | None = field(default=None, repr=False)
    _factors: tuple[Span | Points, ...] = field(default=(), repr=False)
    _maps: tuple[Map, ...] | None = field(default=None, repr=False)

    @property
    def factors(self) -> tuple[Span | Points, ...]:
        """What the selection is the product of: each dimension of the array stands in one.

        In the order of the internal layout (see :meth:`inner`), whose axes are those of the
        factors one after the other: one of a :class:`Span`, and of :class:`Points` as many as
        ``shape`` has. Nothing selected at all may have no factors.

        Examples
        --------
        >>> from anyzarr.indexing import resolve
        >>> span, points = resolve((slice(0, 4, 2), [7, 1, 7]), (5, 8)).factors
        >>> span
        Span(dim=0, start=0, stop=3, step=2)
        >>> points.dims, points.arrays
        ((1,), (array([7, 1, 7]),))
        """
        if self.box is not None:
            box = zip(self.box.start, self.box.stop, self.box.step, strict=True)
            return tuple(Span(dim, *span) for dim, span in enumerate(box))
        return tuple(sorted(self._factors, key=lambda factor: (not _is_apart(factor), factor.dims)))

    @property
    def n_selected(self) -> int:
        """Number of selected elements, repetitions counted."""
        return math.prod(self.result_shape)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is selected."""
        return 0 in self.result_shape

    def inner(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the view of a result that has the internal layout; nothing is copied.

        For a box, the layout is that of the box: ``inner(result).shape == box.shape``. For
        anything else it is what the ``target`` of :func:`parts` indexes.

        Parameters
        ----------
        array
            An array of shape ``result_shape``, of any strides.

        Raises
        ------
        SelectionError
            The array has another shape.
        """
        if array.shape != self.result_shape:
            raise SelectionError(
                f"an array of shape {array.shape} cannot hold the result of a selection of shape "
                f"{self.result_shape}; broadcast or allocate it to that shape first"
            )
        if self._view is not None:
            array = array[self._view]
        if self._order is not None:
            array = array.transpose(self._order)
        return array


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """The part of a selection that lies in one cell of a grid; made by :func:`parts`.

    To read: ``inner[part.target] = block[part.source]``, where ``block`` holds ``part.box``
    and ``inner`` is ``selection.inner(out)``. To write: ``block[part.source] =
    inner[part.target]``; where an element is selected more than once, its last value stays.

    Attributes
    ----------
    coords
        The cell.
    box
        The smallest box, in array coordinates and with steps of 1, around the selected
        elements of the cell.
    source
        Index of the selected elements in the block of elements of ``box``.
    target
        Index of the same elements in the internal layout of the result.
    is_whole
        Whether every element of the cell within the array is selected.
    """

    coords: tuple[int, ...]
    box: Box
    source: tuple[Any, ...]
    target: tuple[Any, ...]
    is_whole: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """What a selection touches; made by :func:`plan`.

    Attributes
    ----------
    chunks
        Coordinates of the chunks (on a sharded array: shards) that hold selected elements,
        in C order.
    subchunks
        Coordinates, in the grid of subchunks over the whole array, of those that hold
        selected elements; the chunks again where there is no sharding.
    """

    chunks: tuple[tuple[int, ...], ...]
    subchunks: tuple[tuple[int, ...], ...]
