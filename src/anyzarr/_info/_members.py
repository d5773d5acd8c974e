"""Images below a group, read many at a time; one that cannot be read is told, never left out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from anyzarr._info._plate_models import PositionInfo
from anyzarr._nodes._tree import says_image
from anyzarr.abc import Store
from anyzarr.crud._batch import read_documents
from anyzarr.errors import AnyzarrError, MetadataError
from anyzarr.metadata import (
    ArrayMetadata,
    GroupMetadata,
    is_array_document,
    parse_array,
    parse_group,
)
from anyzarr.ome import ImageMetadata
from anyzarr.stores import join

__all__ = ["Level", "group_of", "levels_at", "position_infos", "read_each"]

_TOGETHER = 128
Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Level:
    """Level 0 of an image, with what the image's metadata says.

    Attributes
    ----------
    ome
        The image's metadata; None for a group that declares no image.
    array
        Its level 0; None likewise.
    group
        The group's metadata.
    """

    group: GroupMetadata
    ome: ImageMetadata | None = None
    array: ArrayMetadata | None = None


def read_each(store: Store, paths: Sequence[str]) -> Iterator[Document | AnyzarrError | None]:
    """Iterate over the document of each node, or why it cannot be read, or None if it is absent."""
    for start in range(0, len(paths), _TOGETHER):
        part = paths[start : start + _TOGETHER]
        try:
            yield from read_documents(store, part)
        except AnyzarrError:
            for path in part:
                try:
                    yield read_documents(store, [path])[0]
                except AnyzarrError as error:
                    yield error


def group_of(document: Document | AnyzarrError | None, path: str) -> GroupMetadata:
    """Return the group that a document describes.

    Raises
    ------
    AnyzarrError
        It is absent, is no group's, or is an error itself.
    """
    if isinstance(document, AnyzarrError):
        raise document
    if document is None:
        raise MetadataError(f"{path!r} is named by the metadata above it and is not there")
    if is_array_document(document):
        raise MetadataError(f"{path!r} is an array where the metadata above it names a group")
    return parse_group(document)


def levels_at(store: Store, paths: Sequence[str]) -> list[Level | AnyzarrError]:
    """Return level 0 of the image at each path, or why it cannot be read."""
    known: dict[int, tuple[object, Level]] = {}  # holds the documents, so that ids stay theirs
    found: list[Level | AnyzarrError] = []
    for path, document in zip(paths, read_each(store, paths), strict=True):
        if id(document) in known:
            found.append(known[id(document)][1])
            continue
        level = _declared(document, path)
        if isinstance(level, Level):
            known[id(document)] = document, level
        found.append(level)
    return _with_arrays(store, paths, found)


def _declared(document: Document | AnyzarrError | None, path: str) -> Level | AnyzarrError:
    try:
        group = group_of(document, path)
        if not says_image(group.attributes):
            return Level(group)
        return Level(group, ImageMetadata.from_attributes(group.attributes))
    except AnyzarrError as error:
        return error


def _with_arrays(
    store: Store, paths: Sequence[str], found: list[Level | AnyzarrError]
) -> list[Level | AnyzarrError]:
    """Return the levels with their arrays read."""
    wanted = [
        (index, join(paths[index], level.ome.image.datasets[0].path))
        for index, level in enumerate(found)
        if isinstance(level, Level) and level.ome is not None
    ]
    known: dict[int, tuple[object, ArrayMetadata]] = {}
    documents = read_each(store, [path for _, path in wanted])
    for (index, path), document in zip(wanted, documents, strict=True):
        array = known[id(document)][1] if id(document) in known else _array_of(document, path)
        if isinstance(array, ArrayMetadata):
            known[id(document)] = document, array
        level = found[index]
        assert isinstance(level, Level)
        found[index] = array if isinstance(array, AnyzarrError) else replace(level, array=array)
    return found


def _array_of(document: Document | AnyzarrError | None, path: str) -> ArrayMetadata | AnyzarrError:
    if isinstance(document, AnyzarrError):
        return document
    if document is None:
        return MetadataError(f"{path!r} is level 0 by the image's metadata and is not there")
    try:
        return parse_array(document)
    except AnyzarrError as error:
        return error


def position_infos(
    store: Store, base: str, names: Iterable[str | tuple[str, AnyzarrError]]
) -> tuple[PositionInfo, ...]:
    """Return what is known of each image below ``base``.

    Parameters
    ----------
    store, base
        The plate, well or series.
    names
        Paths of the images; or the path of what could not be read with the reason.
    """
    entries = list(names)
    readable = [entry for entry in entries if isinstance(entry, str)]
    levels = iter(levels_at(store, [join(base, name) for name in readable]))
    infos = []
    first: PositionInfo | None = None
    for entry in entries:
        if not isinstance(entry, str):
            infos.append(PositionInfo(entry[0], error=entry[1].message))
            continue
        info = _position(entry, next(levels))
        if first is None and info.shape is not None:
            first = info
        infos.append(info if first is None else _compared(info, first))
    return tuple(infos)


def _position(name: str, level: Level | AnyzarrError) -> PositionInfo:
    if isinstance(level, AnyzarrError):
        return PositionInfo(name, error=level.message)
    if level.ome is None or level.array is None:
        return PositionInfo(name)
    omero = level.ome.omero
    channels = () if omero is None else tuple(channel.label or "" for channel in omero.channels)
    datasets = level.ome.image.datasets
    array = level.array
    return PositionInfo(name, array.shape, array.data_type.name, channels, len(datasets))


def _compared(info: PositionInfo, first: PositionInfo) -> PositionInfo:
    if info.shape is None:
        return info
    pairs = (
        ("shape", info.shape, first.shape),
        ("dtype", info.dtype, first.dtype),
        ("channels", info.channels, first.channels),
    )
    return replace(info, differs=tuple(word for word, a, b in pairs if a != b))
