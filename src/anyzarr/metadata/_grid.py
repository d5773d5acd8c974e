"""Chunk grids and chunk key encodings of v3 documents."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from anyzarr.metadata._check import (
    as_int,
    as_ints,
    as_list,
    invalid,
    named,
    unsupported,
)
from anyzarr.metadata._model import ChunkGrid, ChunkKeyEncoding

__all__ = [
    "MAX_CHUNKS_PER_DIMENSION",
    "chunk_shapes",
    "grid_json",
    "parse_grid",
    "parse_key_encoding",
    "regular_shape",
    "run_lengths",
]

MAX_CHUNKS_PER_DIMENSION = 2**22
"""Most chunks along one dimension of a rectilinear grid: a few bytes of run-length encoding
must not make us allocate without bound."""


def parse_grid(value: object, shape: tuple[int, ...], field: str = "chunk_grid") -> ChunkGrid:
    """Return the grid a v3 document describes.

    ``regular`` is the core specification's, ``rectilinear`` the zarr-extensions registry's:
    per dimension one edge length that repeats, or a list of lengths and ``[length, count]``
    runs that covers the dimension. Chunks that lie wholly beyond the shape are left out.

    Raises
    ------
    UnsupportedError
        The grid is of another kind.
    MetadataError
        It is malformed, or does not cover the array.
    """
    definition = named(value, field)
    configuration = definition.configuration
    if definition.name == "regular":
        edges = configuration.get("chunk_shape")
        return ChunkGrid(shape, regular_shape(edges, shape, f"{field}.configuration.chunk_shape"))
    if definition.name != "rectilinear":
        raise unsupported(field, definition.name, "known are 'regular' and 'rectilinear'")
    kind = configuration.get("kind")
    if kind != "inline":
        raise invalid(f"{field}.configuration.kind", kind, 'must be "inline"')
    return _parse_rectilinear(
        configuration.get("chunk_shapes"), shape, f"{field}.configuration.chunk_shapes"
    )


def regular_shape(value: object, shape: tuple[int, ...], field: str) -> tuple[int, ...]:
    """Return a chunk shape; 0 is allowed along a dimension of length 0, and means 1."""
    edges = as_ints(value, field, length=len(shape))
    for index, (edge, length) in enumerate(zip(edges, shape, strict=True)):
        if edge == 0 and length > 0:
            raise invalid(f"{field}[{index}]", 0, "must be at least 1")
    return tuple(max(1, edge) for edge in edges)


def _parse_rectilinear(value: object, shape: tuple[int, ...], field: str) -> ChunkGrid:
    entries = as_list(value, field)
    if len(entries) != len(shape):
        raise invalid(field, value, f"must have one entry for each of {len(shape)} dimensions")
    if entries and all(isinstance(entry, int) for entry in entries):
        # Every dimension repeats one length: that is a regular grid in other words.
        return ChunkGrid(shape, as_ints(entries, field, minimum=1))
    edges = tuple(
        _parse_edges(entry, length, f"{field}[{index}]")
        for index, (entry, length) in enumerate(zip(entries, shape, strict=True))
    )
    return ChunkGrid(shape, None, edges)


def _parse_edges(value: object, length: int, field: str) -> tuple[int, ...]:
    if not isinstance(value, list):
        edge = as_int(value, field, minimum=1)
        return _expand([(edge, -(-length // edge))], length, field)
    if not value:
        raise invalid(field, value, "must have at least one chunk")
    runs = [_parse_run(entry, f"{field}[{i}]") for i, entry in enumerate(value)]
    if sum(edge * count for edge, count in runs) < length:
        raise invalid(field, value, f"must cover the dimension's length of {length}")
    return _expand(runs, length, field)


def _parse_run(entry: object, field: str) -> tuple[int, int]:
    if isinstance(entry, list):
        if len(entry) != 2:
            raise invalid(field, entry, "must be a length, or a pair of length and count")
        return as_int(entry[0], f"{field}[0]", minimum=1), as_int(
            entry[1], f"{field}[1]", minimum=1
        )
    return as_int(entry, field, minimum=1), 1


def _expand(runs: Sequence[tuple[int, int]], length: int, field: str) -> tuple[int, ...]:
    """Expand runs to the chunks that hold elements of a dimension of ``length``."""
    edges: list[int] = []
    start = 0
    for edge, count in runs:
        needed = min(count, max(0, -(-(length - start) // edge)))
        if len(edges) + needed > MAX_CHUNKS_PER_DIMENSION:
            rule = f"must not have more than {MAX_CHUNKS_PER_DIMENSION} chunks"
            raise unsupported(field, list(runs), f"a dimension {rule}")
        edges.extend(itertools.repeat(edge, needed))
        start += edge * needed
    return tuple(edges)


def run_lengths(edges: Sequence[int]) -> list[int | list[int]]:
    """Return chunk lengths in the registry's run-length encoding.

    Examples
    --------
    >>> from anyzarr.metadata._grid import run_lengths
    >>> run_lengths([4, 4, 4, 2])
    [[4, 3], 2]
    """
    runs = ((edge, len(list(group))) for edge, group in itertools.groupby(edges))
    return [edge if count == 1 else [edge, count] for edge, count in runs]


def grid_json(grid: ChunkGrid) -> dict[str, Any]:
    """Return a grid as a v3 document describes it."""
    if grid.chunk_shape is not None:
        return {"name": "regular", "configuration": {"chunk_shape": list(grid.chunk_shape)}}
    # A dimension of length 0 keeps no chunk, yet the registry asks for one.
    shapes = [run_lengths(edges or (1,)) for edges in grid.edges or ()]
    return {"name": "rectilinear", "configuration": {"kind": "inline", "chunk_shapes": shapes}}


def chunk_shapes(grid: ChunkGrid) -> list[tuple[int, ...]]:
    """Return chunk shapes such that what divides all of them divides every chunk.

    For a rectilinear grid not every combination is listed, which would be exponential: the
    k-th takes the k-th distinct length of each dimension, repeating the last.
    """
    if grid.chunk_shape is not None:
        return [grid.chunk_shape]
    distinct = [sorted(set(edges)) or [1] for edges in grid.edges or ()]
    longest = max((len(d) for d in distinct), default=0)
    return [tuple(d[min(k, len(d) - 1)] for d in distinct) for k in range(longest)]


def parse_key_encoding(value: object, field: str = "chunk_key_encoding") -> ChunkKeyEncoding:
    """Return the chunk key encoding a v3 document names.

    Raises
    ------
    UnsupportedError
        It is neither ``default`` nor ``v2``.
    MetadataError
        The separator is neither ``/`` nor ``.``.
    """
    definition = named(value, field)
    if definition.name == "default":
        separator = _separator(definition.configuration, "/", field)
        return ChunkKeyEncoding("default", separator)
    if definition.name == "v2":
        return ChunkKeyEncoding("v2", _separator(definition.configuration, ".", field))
    raise unsupported(field, definition.name, "known are 'default' and 'v2'")


def _separator(configuration: Mapping[str, Any], default: str, field: str) -> Any:
    separator = configuration.get("separator", default)
    if separator not in ("/", "."):
        raise invalid(f"{field}.configuration.separator", separator, 'must be "/" or "."')
    return separator
