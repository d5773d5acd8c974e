"""What :func:`anyzarr.info` answers: frozen values that turn into JSON."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from anyzarr._info._archive import ArchiveInfo

__all__ = [
    "ArrayInfo",
    "AxisInfo",
    "ChannelInfo",
    "GroupInfo",
    "ImageInfo",
    "LabelInfo",
    "LevelInfo",
    "MemberInfo",
    "MultiscaleInfo",
    "StoredSize",
    "ToDict",
    "VectorLayerInfo",
]


class ToDict:
    """Gives a frozen dataclass ``to_dict``."""

    __slots__ = ()
    kind: ClassVar[str]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dict of JSON types, with ``kind`` first."""
        return {"kind": self.kind, **_plain(self)}


@dataclass(frozen=True, slots=True)
class StoredSize:
    """What is stored of an array.

    Attributes
    ----------
    n_chunks
        Stored objects that hold chunks (on a sharded array: shards).
    n_bytes
        Their size in bytes, compressed.
    """

    n_chunks: int
    n_bytes: int


@dataclass(frozen=True, slots=True)
class ArrayInfo(ToDict):
    """What is known of one array.

    Attributes
    ----------
    location
        Address of the store.
    path
        Path of the array within it; empty at the root.
    zarr_format
        2 or 3.
    shape, dtype, fill_value, dimension_names
        As declared; ``dtype`` by its Zarr v3 name, ``fill_value`` as in the document.
    chunks
        Shape of the units that can be read one by one (on a sharded array: the subchunks);
        None where they differ in shape.
    shards
        Shape of the stored objects, on a sharded array.
    codecs
        The codec chain in v3 terms, one phrase per codec; on a sharded array that of a subchunk.
    attributes
        User attributes.
    n_chunks
        Stored objects the array has when completely written.
    n_bytes
        Size in memory; None where elements have no fixed size.
    engine
        The engine that would be used, or None where none can read it.
    engine_reason
        Why no engine can, where none can.
    io
        ``own`` or ``byte layer``: who fetches the bytes for that engine.
    backend
        Where the bytes live.
    stored
        What is stored, if it was asked for and the store can be listed.
    archive
        The zip archive it lies in, if that was asked for (``stored``) and it lies in one.
    """

    kind: ClassVar[str] = "array"

    location: str
    path: str
    zarr_format: Literal[2, 3]
    shape: tuple[int, ...]
    dtype: str
    chunks: tuple[int, ...] | None
    shards: tuple[int, ...] | None
    codecs: tuple[str, ...]
    fill_value: Any
    dimension_names: tuple[str | None, ...] | None
    attributes: Mapping[str, Any]
    n_chunks: int
    n_bytes: int | None
    engine: str | None
    engine_reason: str | None
    io: str | None
    backend: str
    stored: StoredSize | None = None
    archive: ArchiveInfo | None = None


@dataclass(frozen=True, slots=True)
class MemberInfo:
    """A child of a group.

    Attributes
    ----------
    name
        Its name in the group.
    kind
        ``array`` or ``group``.
    shape, dtype
        Of an array; None for a group.
    """

    name: str
    kind: Literal["array", "group"]
    shape: tuple[int, ...] | None = None
    dtype: str | None = None


@dataclass(frozen=True, slots=True)
class GroupInfo(ToDict):
    """What is known of one group that is not an image.

    Attributes
    ----------
    location, path, zarr_format, backend
        As for an array.
    members
        Its direct children, by name.
    attributes
        User attributes.
    stored
        All chunk objects below the group, if asked for.
    note
        Why it is not told as an image although it says it is one, or None.
    archive
        The zip archive it lies in, if that was asked for (``stored``) and it lies in one.
    """

    kind: ClassVar[str] = "group"

    location: str
    path: str
    zarr_format: Literal[2, 3]
    members: tuple[MemberInfo, ...]
    attributes: Mapping[str, Any]
    backend: str
    stored: StoredSize | None = None
    note: str | None = None
    archive: ArchiveInfo | None = None


@dataclass(frozen=True, slots=True)
class AxisInfo:
    """One axis of an image.

    Attributes
    ----------
    name, type, unit
        As declared (``x``, ``space``, ``micrometer``).
    size
        Elements at level 0.
    scale
        Extent of one element of level 0 in ``unit``; None where the image is placed by more
        than scales and translations.
    """

    name: str
    type: str | None
    unit: str | None
    size: int
    scale: float | None


@dataclass(frozen=True, slots=True)
class LevelInfo:
    """One resolution level of an image.

    Attributes
    ----------
    path
        Path of its array within the image.
    shape, chunks, shards
        As for an array.
    scale, translation
        Of the level, per axis, in the axes' units; None as for an axis.
    stored
        What is stored, if asked for.
    """

    path: str
    shape: tuple[int, ...]
    chunks: tuple[int, ...] | None
    shards: tuple[int, ...] | None
    scale: tuple[float, ...] | None
    translation: tuple[float, ...] | None
    stored: StoredSize | None = None


@dataclass(frozen=True, slots=True)
class ChannelInfo:
    """One channel of an image, as declared for display.

    Attributes
    ----------
    name
        Its label.
    color
        Six hex digits, or None.
    window
        The values shown as black and as full brightness, or None.
    """

    name: str
    color: str | None = None
    window: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class MultiscaleInfo:
    """A further multiscale of an image's group, beside the first.

    Attributes
    ----------
    name
        As declared, or None.
    axes
        Names of the axes.
    levels
        Path and shape of each level, full resolution first; None where its array is not there.
    """

    name: str | None
    axes: tuple[str, ...]
    levels: tuple[tuple[str, tuple[int, ...] | None], ...]


@dataclass(frozen=True, slots=True)
class VectorLayerInfo:
    """A vector store of an image.

    Attributes
    ----------
    name
        Its name in ``vectors``.
    geometry_types, axes
        What it holds, and the names of its axes.
    vertex_count
        Number of vertices of level 0.
    n_levels
        Number of levels.
    error
        Why it cannot be read, or None.
    """

    name: str
    geometry_types: tuple[str, ...] = ()
    axes: tuple[str, ...] = ()
    vertex_count: int = 0
    n_levels: int = 0
    error: str | None = None


@dataclass(frozen=True, slots=True)
class LabelInfo:
    """A label image of an image, or what an image says of itself as one.

    Attributes
    ----------
    name
        Its name in ``labels``.
    shape, dtype
        Of level 0; None where it cannot be read.
    n_levels
        Resolution levels.
    n_colors
        Labels that have a colour of their own.
    source
        Path from the label image to the image it labels, or None.
    error
        Why it cannot be read, or None.
    """

    name: str
    shape: tuple[int, ...] | None = None
    dtype: str | None = None
    n_levels: int = 0
    n_colors: int = 0
    source: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class ImageInfo(ToDict):
    """What is known of one OME-Zarr image.

    Attributes
    ----------
    location, path, zarr_format, backend
        As for an array.
    name
        The image's name; the last part of the location where it has none.
    version
        Version of OME-Zarr.
    axes, levels, channels
        In stored order; ``levels[0]`` is full resolution.
    labels
        The label images that belong to it.
    label
        What it says of itself as a label image, or None where it is none.
    more
        Further multiscales of the same group.
    notes
        What could not be found out, in sentences.
    vectors
        The vector stores that belong to it.
    dtype, codecs, n_bytes, engine, engine_reason, io
        Of level 0, as for an array.
    archive
        The zip archive it lies in, if that was asked for (``stored``) and it lies in one.
    """

    kind: ClassVar[str] = "image"

    location: str
    path: str
    zarr_format: Literal[2, 3]
    name: str
    version: str
    axes: tuple[AxisInfo, ...]
    dtype: str
    levels: tuple[LevelInfo, ...]
    channels: tuple[ChannelInfo, ...]
    labels: tuple[LabelInfo, ...]
    codecs: tuple[str, ...]
    n_bytes: int | None
    engine: str | None
    engine_reason: str | None
    io: str | None
    backend: str
    label: LabelInfo | None = None
    more: tuple[MultiscaleInfo, ...] = ()
    notes: tuple[str, ...] = ()
    archive: ArchiveInfo | None = None
    vectors: tuple[VectorLayerInfo, ...] = ()


def _plain(value: Any) -> Any:
    """Turn dataclasses, tuples, numpy scalars and non-finite floats into JSON types."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "item") and not isinstance(value, str | bytes):
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value
