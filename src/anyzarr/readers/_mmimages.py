"""Separate image files of Micro-Manager: a folder for each position, and their metadata."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from anyzarr.errors import NodeNotFoundError, UnsupportedError
from anyzarr.ome import Channel
from anyzarr.readers._member import Group, Member, grouped
from anyzarr.readers._micromanager import (
    channel_names,
    channels_of,
    hcs_spots,
    kept,
    position_label,
    sizes_of,
)
from anyzarr.readers._mmimages_file import METADATA, Folder, Plane, is_folder, read_folder
from anyzarr.readers._planes import require_files
from anyzarr.readers._set import SetSource
from anyzarr.readers._sizes import axes_with_sizes
from anyzarr.readers._source import ImageSource, ReaderKind, SourceImage

__all__ = ["MMIMAGES", "open_mmimages"]

_PLANE_AXES = "tcz"


@dataclass(frozen=True, slots=True)
class _Position:
    """The files of a position.

    Attributes
    ----------
    folder
        Where they are.
    number
        Of the position, where the names of the files tell it.
    planes
        The files.
    """

    folder: Folder
    number: int | None
    planes: Sequence[Plane]

    @property
    def label(self) -> str | None:
        """Its name as the stage has it, or None."""
        summary = self.folder.summary
        stage = summary.get("StagePositions", summary.get("InitialPositionList"))
        if not isinstance(stage, list) or self.number is None or self.number >= len(stage):
            return None
        return position_label(stage[self.number])


def _folders_of(path: Path) -> list[Path]:
    """Return the folders of the positions: the path itself, or those in it."""
    if is_folder(path):
        return [path]
    return sorted(
        (inner for inner in path.iterdir() if inner.is_dir() and is_folder(inner)),
        key=lambda inner: (len(inner.name), inner.name),
    )


def _claims(path: Path) -> bool:
    if not path.is_dir():
        return False
    return is_folder(path) or any(inner.is_dir() and is_folder(inner) for inner in path.iterdir())


def open_mmimages(path: Path, *, axes: str | None = None) -> ImageSource:
    """Open an acquisition by its folder, or that of one position. Each position is an image.

    Parameters
    ----------
    path
        The folder.
    axes
        Names of the axes within each file, where it holds more than a plane.

    Raises
    ------
    CorruptDataError
        The metadata is damaged.
    NodeNotFoundError
        Files that were written are not there.
    UnsupportedError
        The files differ along an axis that an image does not have.
    """
    folders = [read_folder(folder) for folder in _folders_of(path)]
    if not folders:
        raise NodeNotFoundError(
            f"{str(path)!r} holds no image files of Micro-Manager beside a {METADATA}; name the "
            "folder of the acquisition, or that of a position",
            key=str(path),
        )
    for folder in folders:
        listed = (folder.path / name for name in sorted(folder.listed))
        require_files(listed, f"{folder.path.name}/{METADATA}")
    positions = [position for folder in folders for position in _positions(folder)]
    return _opened(positions, axes)


def _positions(folder: Folder) -> Iterable[_Position]:
    others = {axis for plane in folder.planes for axis in plane.index} - {*_PLANE_AXES, "position"}
    for axis in sorted(others):
        if len({plane.index.get(axis, 0) for plane in folder.planes}) > 1:
            raise UnsupportedError(
                f"the files in {str(folder.path)!r} differ along {axis!r}, which is none of time, "
                "channel, z and position; list them in a table that says what each is"
            )
    planes: dict[int | None, list[Plane]] = {}
    for plane in folder.planes:
        planes.setdefault(plane.index.get("position"), []).append(plane)
    for number in sorted(planes, key=lambda n: -1 if n is None else n):
        yield _Position(folder, _number(folder, number), planes[number])


def _number(folder: Folder, named: int | None) -> int | None:
    """Return the number of a position: by the names of its files, or what is said of them."""
    said = folder.first_plane.get("PositionIndex")
    return said if named is None and type(said) is int and said >= 0 else named


def _opened(positions: Sequence[_Position], axes: str | None) -> ImageSource:
    labels = [position.label for position in positions]
    if len(positions) > 1:
        names = [position.folder.path.name for position in positions]
        labels = [label or name for label, name in zip(labels, names, strict=True)]
    spots = hcs_spots(labels)
    groups = [_group(position) for position in positions]

    def describe(index: int, image: SourceImage) -> SourceImage:
        described = _described(positions[index], groups[index], image)
        return replace(described, name=labels[index], spot=spots[index])

    return SetSource(groups, axes, describe=describe)


def _group(position: _Position) -> Group:
    """Return the files of a position by their place; time, channels and z begin with 0."""
    planes = position.planes
    last = {name: max(plane.index.get(name, 0) for plane in planes) for name in _PLANE_AXES}
    names = [n for n in _PLANE_AXES if last[n] or (n == "c" and _channel_names(position, 1)[0])]
    members = [
        Member(plane.path, place={name: plane.index.get(name, 0) for name in names})
        for plane in planes
    ]
    # Of what was acquired nothing is missing; the rest reads as zero.
    return grouped(members, sparse=True)[0]


def _channel_names(position: _Position, n: int) -> list[str | None]:
    return channel_names(position.folder.summary, n)


def _described(position: _Position, group: Group, image: SourceImage) -> SourceImage:
    """Return what the metadata says of an image, beyond what its files do."""
    folder = position.folder
    sizes = sizes_of(folder.summary, folder.first_plane)
    known, scale = axes_with_sizes("".join(axis.name for axis in image.axes), sizes)
    pairs = list(zip(image.axes, image.scale, known, scale, strict=True))
    said = [(new, size) if sizes.get(new.name, (None,))[0] else (old, own)
            for old, own, new, size in pairs]  # fmt: skip
    return replace(
        image,
        axes=tuple(axis for axis, _ in said),
        scale=tuple(size for _, size in said),
        channels=_channels(position, group, image),
        attributes=kept(folder.summary, folder.first_plane, position.number),
        warnings=(*image.warnings, *_warnings(position, group)),
    )


def _channels(position: _Position, group: Group, image: SourceImage) -> tuple[Channel, ...] | None:
    numbers = group.values.get("c")
    if numbers is None:
        return image.channels
    names = _channel_names(position, 1 + max(int(number) for number in numbers))
    samples = len(image.channels or ()) // len(numbers) or 1
    known = channels_of(names, position.folder.summary, samples)
    return tuple(known[int(n) * samples + s] for n in numbers for s in range(samples))


def _warnings(position: _Position, group: Group) -> Iterable[str]:
    n = 1
    for values in group.values.values():
        n *= len(values)
    if len(group.members) < n:
        yield f"{n - len(group.members)} of {n} planes were not acquired and read as zero"
    planned = position.folder.summary.get("Frames")
    found = len(group.values.get("t", " "))
    if type(planned) is int and planned > found:
        yield f"{found} of {planned} planned time points were acquired"
    if not position.folder.is_whole:
        yield f"{position.folder.path.name}/{METADATA} ends early, as the acquisition may have"


MMIMAGES = ReaderKind("micro-manager images", (), (), open_mmimages, _claims)
"""The format, for the registry."""
