"""Chunk and shard shapes of new arrays: as given, or chosen."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from anyzarr.errors import MetadataError
from anyzarr.metadata._check import invalid
from anyzarr.metadata._grid import run_lengths

__all__ = ["Layout", "guess_chunks", "make_layout"]

_CHUNK_BYTES = 2**20
_SHARD_BYTES = 2**26
_SMALL = 16
"""Last dimensions up to this length are colours or vector components, and kept whole."""

_FAR = 16
"""A subchunk this much shorter than wanted makes an index larger than its data is worth."""

Edge = int | list[Any]
"""Chunk length along a dimension; a list of lengths in a rectilinear grid."""


@dataclass(frozen=True)
class Layout:
    """Chunks and shards of a new array.

    Attributes
    ----------
    chunks
        Per dimension the chunk length (in shards: of the subchunks).
    shards
        Per dimension the shard length, or None without sharding.
    index_location
        Where a shard's index lies.
    """

    chunks: list[Edge]
    shards: list[Edge] | None = None
    index_location: str = "end"

    @property
    def is_regular(self) -> bool:
        """Whether the stored chunks have one shape."""
        return not any(isinstance(edge, list) for edge in self.shards or self.chunks)

    def grid(self) -> dict[str, Any]:
        """Return the chunk grid of the v3 document."""
        edges = self.chunks if self.shards is None else self.shards
        if self.is_regular:
            return {"name": "regular", "configuration": {"chunk_shape": edges}}
        return {"name": "rectilinear", "configuration": {"kind": "inline", "chunk_shapes": edges}}

    def codecs(self, chain: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the chain, inside ``sharding_indexed`` if there are shards."""
        if self.shards is None:
            return chain
        configuration = {
            "chunk_shape": self.chunks,
            "codecs": chain,
            "index_codecs": [
                {"name": "bytes", "configuration": {"endian": "little"}},
                {"name": "crc32c"},
            ],
            "index_location": self.index_location,
        }
        return [{"name": "sharding_indexed", "configuration": configuration}]


def make_layout(shape: tuple[int, ...], chunks: Any, shards: Any, itemsize: int) -> Layout:
    """Return the layout for the parameters ``chunks`` and ``shards`` of an array.

    Raises
    ------
    MetadataError
        A length is no positive integer, the numbers of dimensions differ, or the chunks do not
        divide the shards.
    """
    location = "end"
    if isinstance(shards, Mapping):
        if shards.get("shape") is None:
            raise invalid("shards", dict(shards), 'must have a "shape"')
        location = shards.get("index_location", "end")
        shards = shards["shape"]
    is_auto = _is_auto(chunks)
    inner: list[Edge] = (
        [*guess_chunks(shape, itemsize)] if is_auto else _edges(chunks, shape, "chunks")
    )
    if shards is None:
        return Layout(inner)
    if any(isinstance(edge, list) for edge in inner):
        raise MetadataError(
            "chunks of several lengths cannot be subchunks; give them as shards, "
            "and one chunk shape that divides them"
        )
    units = [edge for edge in inner if isinstance(edge, int)]
    if isinstance(shards, str) and shards == "auto":
        return Layout(inner, list(_guess_shards(shape, units, itemsize)), location)
    outer = _edges(shards, shape, "shards", units if not is_auto else None)
    if is_auto:
        common = [math.gcd(*_lengths(edge)) for edge in outer]
        wanted = guess_chunks(common, itemsize)
        units = [_divisor(length, unit) for length, unit in zip(common, wanted, strict=True)]
    for shard, unit in zip(outer, units, strict=True):
        if any(length % unit for length in _lengths(shard)):
            raise invalid("shards", shards, f"must be a multiple of the chunks {tuple(units)}")
    return Layout(list(units), outer, location)


def _is_auto(chunks: Any) -> bool:
    return chunks is None or chunks is True or (isinstance(chunks, str) and chunks == "auto")


def _edges(
    value: Any, shape: tuple[int, ...], field: str, units: Sequence[int] | None = None
) -> list[Edge]:
    if value is False:
        value = -1
    entries = [value] * len(shape) if _integer(value) is not None else _as_list(value, field)
    if len(entries) != len(shape):
        rule = f"must have one entry for each of {len(shape)} dimensions"
        raise invalid(field, value, rule)
    units = units or [1] * len(shape)
    return [
        _edge(entry, length, unit, f"{field}[{i}]")
        for i, (entry, length, unit) in enumerate(zip(entries, shape, units, strict=True))
    ]


def _as_list(value: Any, field: str) -> list[Any]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise invalid(field, value, "must be an integer, or one entry per dimension")
    return list(value)


def _integer(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


def _edge(entry: Any, length: int, unit: int, field: str) -> Edge:
    whole = max(1, -(-length // unit)) * unit
    if entry is None:
        return whole
    number = _integer(entry)
    if number == -1:
        return whole
    if number is not None:
        if number < 1:
            raise invalid(field, number, "must be at least 1, or -1 for the whole dimension")
        return number
    runs: list[Any] = []
    for part in _as_list(entry, field):
        size = _integer(part)
        runs.append([_integer(p) for p in part] if size is None else size)
    if all(isinstance(run, int) for run in runs):
        return run_lengths(runs) if len(run_lengths(runs)) < len(runs) else runs
    return runs


def _lengths(edge: Edge) -> list[int]:
    """Return the lengths that occur in an edge specification."""
    if isinstance(edge, int):
        return [edge]
    return [run[0] if isinstance(run, list) else run for run in edge]


def _divisor(length: int, wanted: int) -> int:
    """Return the largest divisor of a shard's length that is not above ``wanted``."""
    found = next(d for d in range(min(length, wanted), 0, -1) if length % d == 0)
    if found * _FAR < wanted:
        rule = f"must have a divisor near {wanted}, so that chunks can be chosen; give chunks"
        raise invalid("a shard's length", length, rule)
    return found


def guess_chunks(shape: Sequence[int], itemsize: int) -> tuple[int, ...]:
    """Return a chunk shape of about 1 MiB at most.

    Made for images: the last two long dimensions (Y and X) are cut into equal tiles, short
    dimensions behind them (colours) stay whole, and dimensions before them (T, C, Z) are cut
    into single planes, or as many as fit.

    Parameters
    ----------
    shape
        Of the array.
    itemsize
        Bytes per element; 0 or less counts as 1.

    Examples
    --------
    >>> from anyzarr.metadata import guess_chunks
    >>> guess_chunks((10, 3, 2048, 2048), 2), guess_chunks((512, 512, 3), 1)
    ((1, 1, 512, 1024), (512, 512, 3))
    """
    budget = max(1, _CHUNK_BYTES // max(1, itemsize))
    chunks = [1] * len(shape)
    plane: list[int] = []
    for axis in reversed(range(len(shape))):
        if len(plane) < 2:
            chunks[axis] = max(1, shape[axis])
            if shape[axis] > _SMALL:
                plane.append(axis)
    _halve(chunks, plane or list(range(len(shape))), budget)
    _halve(chunks, list(range(len(shape))), budget)
    for axis in reversed(range(len(shape))):
        if chunks[axis] == 1 and shape[axis] > 1 and axis not in plane:
            chunks[axis] = max(1, min(shape[axis], budget // math.prod(chunks)))
    return tuple(chunks)


def _halve(chunks: list[int], axes: Sequence[int], budget: int) -> None:
    """Halve the longest of ``axes`` until the chunk is within ``budget`` elements."""
    while axes and math.prod(chunks) > budget:
        # On a tie the earlier axis: rows of an image stay together.
        longest = max(axes, key=lambda axis: (chunks[axis], -axis))
        if chunks[longest] == 1:
            return
        chunks[longest] = -(-chunks[longest] // 2)


def _guess_shards(shape: tuple[int, ...], chunks: Sequence[int], itemsize: int) -> tuple[int, ...]:
    """Return shards of about 64 MiB at most, about as many chunks along each dimension."""
    budget = max(1, _SHARD_BYTES // max(1, math.prod(chunks) * itemsize))
    counts = [max(1, -(-n // c)) for n, c in zip(shape, chunks, strict=True)]
    factors = [1] * len(chunks)
    while True:
        growable = [
            axis
            for axis in range(len(chunks))
            if factors[axis] < counts[axis]
            and math.prod(factors) // factors[axis] * min(2 * factors[axis], counts[axis]) <= budget
        ]
        if not growable:
            return tuple(f * c for f, c in zip(factors, chunks, strict=True))
        axis = min(growable, key=lambda axis: (factors[axis], -axis))
        factors[axis] = min(2 * factors[axis], counts[axis])
