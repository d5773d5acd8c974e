"""The frozen values that metadata documents are parsed into, once, at the edge."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

__all__ = [
    "ArrayMetadata",
    "ChunkGrid",
    "ChunkKeyEncoding",
    "CodecSpec",
    "DataType",
    "GroupMetadata",
    "ShardingSpec",
]


@dataclass(frozen=True, slots=True)
class DataType:
    """A Zarr data type and the numpy dtype that holds it.

    Attributes
    ----------
    name
        The Zarr v3 name (``uint16``, ``numpy.datetime64``, ``r24``, ``string``, …), also for
        v2 documents.
    configuration
        The v3 configuration (``{"unit": "ns", "scale_factor": 1}``), empty for most.
    dtype
        The numpy dtype of arrays in memory. Native byte order for v3; as declared for v2.
    """

    name: str
    dtype: np.dtype[Any]
    configuration: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def is_variable_length(self) -> bool:
        """Whether elements have no fixed size (``string``, ``bytes``)."""
        return self.dtype.kind in "OT"


@dataclass(frozen=True, slots=True)
class CodecSpec:
    """One codec of a chain, by its v3 name, with its configuration as in the document."""

    name: str
    configuration: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class ShardingSpec:
    """What ``sharding_indexed`` says: how a shard holds its subchunks.

    Attributes
    ----------
    subchunk_shape
        Shape of the inner chunks; divides the shard shape.
    codecs
        Chain of one subchunk (may itself begin with ``sharding_indexed``).
    index_codecs
        Chain of the shard index, which is ``uint64`` of shape ``(*subchunks, 2)``.
    index_location
        Where the encoded index lies in the shard.
    """

    subchunk_shape: tuple[int, ...]
    codecs: tuple[CodecSpec, ...]
    index_codecs: tuple[CodecSpec, ...]
    index_location: Literal["start", "end"] = "end"


@dataclass(frozen=True, slots=True)
class ChunkGrid:
    """How an array is cut into chunks, regular or rectilinear.

    Attributes
    ----------
    shape
        The array's shape.
    chunk_shape
        Edge length per dimension of a regular grid; None in a rectilinear one.
    edges
        For a rectilinear grid, per dimension the tuple of chunk lengths; None in a regular one.
    """

    shape: tuple[int, ...]
    chunk_shape: tuple[int, ...] | None
    edges: tuple[tuple[int, ...], ...] | None = None

    @property
    def is_regular(self) -> bool:
        """Whether all chunks have one shape."""
        return self.chunk_shape is not None

    @property
    def grid_shape(self) -> tuple[int, ...]:
        """Number of chunks per dimension."""
        if self.chunk_shape is not None:
            return tuple(-(-n // c) for n, c in zip(self.shape, self.chunk_shape, strict=True))
        assert self.edges is not None
        return tuple(len(e) for e in self.edges)

    @property
    def n_chunks(self) -> int:
        """Number of chunks in all."""
        return math.prod(self.grid_shape)

    def shape_of(self, coords: tuple[int, ...]) -> tuple[int, ...]:
        """Return the stored shape of a chunk, edge padding included."""
        if self.chunk_shape is not None:
            return self.chunk_shape
        assert self.edges is not None
        return tuple(e[i] for e, i in zip(self.edges, coords, strict=True))

    def origin_of(self, coords: tuple[int, ...]) -> tuple[int, ...]:
        """Return the index of the first element of a chunk."""
        if self.chunk_shape is not None:
            return tuple(i * c for i, c in zip(coords, self.chunk_shape, strict=True))
        return tuple(int(o[i]) for o, i in zip(_offsets(self.edges or ()), coords, strict=True))

    def extent_of(self, coords: tuple[int, ...]) -> tuple[slice, ...]:
        """Return the elements of the array in a chunk, clipped to the array's shape."""
        origin = self.origin_of(coords)
        return tuple(
            slice(o, min(o + c, n))
            for o, c, n in zip(origin, self.shape_of(coords), self.shape, strict=True)
        )

    def offsets(self, dimension: int) -> tuple[int, ...] | None:
        """Return where each chunk of a rectilinear dimension starts, and its end; else None."""
        return None if self.edges is None else _offsets(self.edges)[dimension]

    def coords(self) -> Iterator[tuple[int, ...]]:
        """Iterate over the coordinates of all chunks in C order."""
        return itertools.product(*map(range, self.grid_shape))


@functools.lru_cache(maxsize=256)
def _offsets(edges: tuple[tuple[int, ...], ...]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(itertools.accumulate(e, initial=0)) for e in edges)


@dataclass(frozen=True, slots=True)
class ChunkKeyEncoding:
    """How chunk coordinates become keys: ``default`` (``c/1/2``) or ``v2`` (``1.2``)."""

    name: Literal["default", "v2"] = "default"
    separator: Literal["/", "."] = "/"

    def key(self, coords: tuple[int, ...]) -> str:
        """Return the key of a chunk, relative to the array's path."""
        if self.name == "default":
            return self.separator.join(("c", *map(str, coords)))
        return self.separator.join(map(str, coords)) if coords else "0"

    def coords(self, key: str, ndim: int) -> tuple[int, ...] | None:
        """Return the chunk a key relative to the array's path is of; None: of none."""
        parts = key.split(self.separator)
        if self.name == "default":
            if parts.pop(0) != "c":
                return None
        elif not ndim:
            return () if key == "0" else None
        if len(parts) != ndim or not all(part.isascii() and part.isdigit() for part in parts):
            return None
        return tuple(map(int, parts))


@dataclass(frozen=True, eq=False)
class ArrayMetadata:
    """One array's metadata, v2 or v3, parsed and checked.

    Equality and hash are those of the document's content, so it serves as a cache key.

    Attributes
    ----------
    zarr_format
        2 or 3.
    shape
        Elements per dimension.
    data_type
        Zarr data type with its numpy dtype.
    grid
        The chunk grid (on a sharded array: the grid of shards).
    key_encoding
        Names of the stored chunks.
    fill_value
        A scalar of the dtype; None where a v2 document says null (elements then read as zero).
    codecs
        The chain in v3 terms. For v2: ``transpose`` for order F, then the filters, ``bytes``,
        the compressor, by their v3 or ``numcodecs.*`` names.
    attributes
        User attributes.
    dimension_names
        One name or None per dimension, or None where the document has none.
    document
        The document as read, unknown fields included; for v2 the content of ``.zarray`` with
        ``attributes`` from ``.zattrs`` added. Written back without loss.
    """

    zarr_format: Literal[2, 3]
    shape: tuple[int, ...]
    data_type: DataType
    grid: ChunkGrid
    key_encoding: ChunkKeyEncoding
    fill_value: Any
    codecs: tuple[CodecSpec, ...]
    attributes: Mapping[str, Any]
    dimension_names: tuple[str | None, ...] | None
    document: Mapping[str, Any]
    content: str = field(repr=False)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ArrayMetadata) and self.content == other.content

    def __hash__(self) -> int:
        return hash(self.content)

    def __reduce__(self) -> tuple[Any, ...]:
        from anyzarr.metadata._parse import parse_array

        return parse_array, (dict(self.document),)

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The numpy dtype of arrays in memory."""
        return self.data_type.dtype

    @functools.cached_property
    def sharding(self) -> ShardingSpec | None:
        """The sharding codec, where the array-to-bytes codec is ``sharding_indexed``."""
        from anyzarr.metadata._codecs import sharding_of

        return sharding_of(self.codecs)

    @functools.cached_property
    def is_exclusively_sharded(self) -> bool:
        """Whether ``sharding_indexed`` is the only codec: a subchunk is then a byte range."""
        return self.sharding is not None and len(self.codecs) == 1

    @functools.cached_property
    def subchunk_grid(self) -> ChunkGrid:
        """The grid of the units that can be read one by one: subchunks, else chunks."""
        if self.is_exclusively_sharded and self.sharding is not None and self.grid.is_regular:
            return ChunkGrid(self.shape, self.sharding.subchunk_shape)
        return self.grid

    @functools.cached_property
    def fill(self) -> Any:
        """The value of elements never written: the fill value; where null, zero, "" or NaT."""
        if self.fill_value is not None:
            return self.fill_value
        from anyzarr.metadata._fill import default_fill

        return default_fill(self.data_type)

    def chunk_key(self, path: str, coords: tuple[int, ...]) -> str:
        """Return the store key of a chunk of the array at ``path``."""
        key = self.key_encoding.key(coords)
        return f"{path}/{key}" if path else key

    def with_document(self, **fields: Any) -> ArrayMetadata:
        """Return the metadata with some fields of its document replaced, parsed anew."""
        from anyzarr.metadata._parse import parse_array

        return parse_array({**self.document, **fields})

    def with_attributes(self, attributes: Mapping[str, Any]) -> ArrayMetadata:
        """Return the metadata with other attributes; nothing else is looked at again."""
        from anyzarr.metadata._parse import with_attributes

        return with_attributes(self, attributes)


@dataclass(frozen=True)
class GroupMetadata:
    """One group's metadata.

    Attributes
    ----------
    zarr_format
        2 or 3.
    attributes
        User attributes.
    document
        The document as read, unknown fields included (for v2 with ``attributes`` added).
    """

    zarr_format: Literal[2, 3]
    attributes: Mapping[str, Any]
    document: Mapping[str, Any]

    def __reduce__(self) -> tuple[Any, ...]:
        from anyzarr.metadata._parse import parse_group

        return parse_group, (dict(self.document),)

    def with_attributes(self, attributes: Mapping[str, Any]) -> GroupMetadata:
        """Return the metadata with other attributes; everything else is kept."""
        document = {**self.document, "attributes": dict(attributes)}
        return replace(self, attributes=dict(attributes), document=document)
