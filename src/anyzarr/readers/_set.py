"""Sets of files, each a part of an image: a plane, a channel, a time point, a field of a plate."""

from __future__ import annotations

import itertools
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from anyzarr import _parallel
from anyzarr._pyramid import Region
from anyzarr.errors import MetadataError, UnsupportedError
from anyzarr.ome import Axis, Channel, axes_of
from anyzarr.readers._member import Group, Member
from anyzarr.readers._pattern import Value
from anyzarr.readers._source import ImageSource, SourceImage, reader_for

__all__ = ["SetSource"]

_MOST_OPEN = 16
_MOST_CHECKED = 2000
"""So many files are opened to compare them before anything is written; all when they are read."""


class _Opened:
    """The files of a set, of which the last few are kept open."""

    def __init__(self, axes: str | None) -> None:
        self._axes = axes
        self._lock = threading.Lock()
        self._idle: OrderedDict[Path, list[ImageSource]] = OrderedDict()

    @contextmanager
    def use(self, path: Path, *, again: bool = True) -> Iterator[ImageSource]:
        """Yield a file, open, for the caller alone; it is closed after, or kept to use it again."""
        with self._lock:
            known = self._idle.get(path)
            source = known.pop() if known else None
        if source is None:
            source = self._open(path)
        try:
            yield source
        except BaseException:
            source.close()
            raise
        if again:
            self._put_back(path, source)
        else:
            source.close()

    def _open(self, path: Path) -> ImageSource:
        kind = reader_for(path)
        if kind is None:
            raise UnsupportedError(f"{str(path)!r} is no image that can be read")
        return kind.open(path, axes=self._axes)

    def _put_back(self, path: Path, source: ImageSource) -> None:
        with self._lock:
            self._idle.setdefault(path, []).append(source)
            self._idle.move_to_end(path)
            old: list[ImageSource] = []
            if len(self._idle) > _MOST_OPEN:
                old = self._idle.popitem(last=False)[1]
        for source in old:
            source.close()

    def close(self) -> None:
        """Close all of them."""
        with self._lock:
            idle, self._idle = self._idle, OrderedDict()
        for source in itertools.chain(*idle.values()):
            source.close()


class _Piece(NamedTuple):
    """Part of a region along one axis: which member, what of it, and where it goes."""

    outer: int
    inner: slice
    out: slice


@dataclass(frozen=True, slots=True)
class _Combined:
    """An image of a set.

    Attributes
    ----------
    group
        Its members.
    part
        What each of them is.
    description
        What all of them together are.
    """

    group: Group
    part: SourceImage
    description: SourceImage

    def pieces(self, region: Region) -> Iterator[tuple[Member, Region, Region]]:
        """Yield the members there are in a region, with what of them goes where."""
        inner = dict(zip((axis.name for axis in self.part.axes), self.part.shape, strict=True))
        names = [axis.name for axis in self.description.axes]
        along = [
            list(_pieces(part, inner.get(name, 1)))
            for name, part in zip(names, region, strict=True)
        ]
        for pieces in itertools.product(*along):
            chosen = dict(zip(names, pieces, strict=True))
            index = tuple(chosen[name].outer for name in self.group.values)
            wanted = tuple(chosen[name].inner for name in inner)
            member = self.group.members.get(index)
            if member is not None:
                yield member, wanted, tuple(piece.out for piece in pieces)


def _pieces(part: slice, length: int) -> Iterator[_Piece]:
    """Cut a range of an axis at the ends of the members along it."""
    at = part.start
    while at < part.stop:
        outer = at // length
        end = min(part.stop, (outer + 1) * length)
        first = outer * length
        yield _Piece(
            outer, slice(at - first, end - first), slice(at - part.start, end - part.start)
        )
        at = end


class SetSource:
    """Images put together from files.

    Parameters
    ----------
    groups
        The members of each image.
    axes
        Names of the axes within each file, where it does not name them.
    warnings
        What had to be guessed of the set.
    describe
        Adds to the description of an image what is known of it beside its files.
    """

    def __init__(
        self,
        groups: Sequence[Group],
        axes: str | None,
        warnings: tuple[str, ...] = (),
        describe: Callable[[int, SourceImage], SourceImage] | None = None,
    ) -> None:
        self._describe = describe
        self._groups = groups
        self._opened = _Opened(axes)
        self._warnings = warnings
        self._images: dict[int, _Combined] = {}

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._groups)

    def image(self, index: int) -> SourceImage:
        """Return what is known of an image."""
        return self._image(index).description

    @property
    def files(self) -> Sequence[Path]:
        """All files of the set."""
        members = (member for group in self._groups for member in group.members.values())
        return sorted({member.path for member in members})

    @property
    def documents(self) -> Mapping[str, bytes]:
        """None: each file has its own."""
        return {}

    def read(self, index: int, region: Region) -> npt.NDArray[Any]:
        """Return the elements of a region of an image."""
        image = self._image(index)
        make = np.empty if image.group.is_whole else np.zeros
        out = make(_sizes(region), image.description.dtype)

        def one(piece: tuple[Member, Region, Region]) -> None:
            member, wanted, place = piece
            # What is read whole is hardly read again, and may be held in memory while it is open.
            is_part = member.series is not None or _sizes(wanted) != image.part.shape
            with self._opened.use(member.path, again=is_part) as source:
                number = _series(source, member)
                _require_alike(source.image(number), image.part, member, image.group.first)
                target = out[place]
                target[...] = source.read(number, wanted).reshape(target.shape)

        _parallel.for_each(one, image.pieces(region))
        return out

    def close(self) -> None:
        """Close the files that are open."""
        self._opened.close()

    def _image(self, index: int) -> _Combined:
        if index not in self._images:
            self._images[index] = self._combined(index)
        return self._images[index]

    def _combined(self, index: int) -> _Combined:
        group = self._groups[index]
        first = group.first
        with self._opened.use(first.path) as source:
            part = source.image(_series(source, first))
        self._compare(group, part)
        warnings = (*part.warnings, *(self._warnings if index == 0 else ()))
        description = replace(
            _described(group.values, part),
            name=first.position or part.name if first.spot is None else None,
            spot=first.spot,
            warnings=warnings,
        )
        if self._describe is not None:
            description = self._describe(index, description)
        return _Combined(group, part, description)

    def _compare(self, group: Group, part: SourceImage) -> None:
        """Refuse members of different shapes or types before anything is written."""
        size = os.stat(group.first.path).st_size  # noqa: PTH116
        members = list(group.members.values())[1:]
        # Files of one size that were written by one program hold the same.
        other = (m for m in members if m.series is not None or m.path.stat().st_size != size)
        for member in itertools.islice(other, _MOST_CHECKED):
            with self._opened.use(member.path, again=False) as source:
                found = source.image(_series(source, member))
            _require_alike(found, part, member, group.first)


def _sizes(region: Region) -> tuple[int, ...]:
    return tuple(part.stop - part.start for part in region)


def _series(source: ImageSource, member: Member) -> int:
    """Return which image of a file is meant."""
    if member.series is not None:
        if member.series >= len(source):
            raise MetadataError(
                f"{member.path.name!r} has no image {member.series}: it holds {len(source)}, "
                "numbered from 0"
            )
        return member.series
    own = [i for i in range(len(source)) if not source.image(i).is_extra] or [0]
    if len(own) > 1:
        raise UnsupportedError(
            f"{member.path.name!r} holds {len(own)} images, and a file of a set is to hold one: "
            "list the files in a table with the column 'series'"
        )
    return own[0]


def _require_alike(found: SourceImage, part: SourceImage, member: Member, first: Member) -> None:
    if (found.shape, found.dtype, found.axes) != (part.shape, part.dtype, part.axes):
        raise MetadataError(
            f"{member.path.name!r} is {_kind(found)}, and {first.path.name!r} of the same image is "
            f"{_kind(part)}: all files of an image must be alike; convert them one by one, or name "
            "what tells the images apart by {position} or {field}"
        )


def _kind(image: SourceImage) -> str:
    axes = "".join(axis.name for axis in image.axes)
    return f"{image.dtype} of shape {image.shape} ({axes})"


def _described(values: Mapping[str, Sequence[Value]], part: SourceImage) -> SourceImage:
    """Return what members along some axes make up together."""
    known = {axis.name: i for i, axis in enumerate(part.axes)}
    names = [name for name in "tczyx" if name in values or name in known]
    names += [name for name in known if name not in names]
    axes: list[Axis] = []
    shape, scale, translation = [], [], []
    for name in names:
        inner = known.get(name)
        n_outer = len(values.get(name, " "))
        axes.append(axes_of(name)[0] if inner is None else part.axes[inner])
        shape.append(n_outer if inner is None else n_outer * part.shape[inner])
        scale.append(1.0 if inner is None else part.scale[inner])
        start = part.translation
        translation.append(0.0 if inner is None or start is None else start[inner])
    return replace(
        part,
        shape=tuple(shape),
        axes=tuple(axes),
        scale=tuple(scale),
        translation=None if part.translation is None else tuple(translation),
        channels=_channels(values.get("c"), part, "c" in known),
        is_rgb=part.is_rgb and "c" not in values,
        block=tuple(_block_along(name, part, known.get(name)) for name in names),
    )


def _block_along(name: str, part: SourceImage, inner: int | None) -> int:
    """Return how much of an axis a member decodes at once: a plane, unless it says otherwise."""
    if inner is None:
        return 1
    if part.block is not None:
        return part.block[inner]
    return part.shape[inner] if name in "yx" else 1


def _channels(
    values: Sequence[Value] | None, part: SourceImage, has_channels: bool
) -> tuple[Channel, ...] | None:
    if values is None:
        return part.channels
    if not has_channels:
        return tuple(Channel(str(value)) for value in values)
    inner = part.channels
    if inner is None:
        return None
    return tuple(
        replace(channel, label=f"{value} {channel.label}" if channel.label else None)
        for value in values
        for channel in inner
    )
