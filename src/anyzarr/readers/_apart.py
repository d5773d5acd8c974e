"""Files of a set that hold several images each, such as the fields of a well."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace

from anyzarr.errors import UnsupportedError
from anyzarr.readers._member import Member
from anyzarr.readers._source import SourceImage, reader_for

__all__ = ["taken_apart"]


def taken_apart(members: Sequence[Member], axes: str | None) -> list[Member]:
    """Return a member for each image, where files that make up an image of their own hold several.

    Parameters
    ----------
    members
        Those that are planes or channels of an image stay as they are: they must hold one.
    axes
        Names of the axes within each file, where it does not name them.

    Raises
    ------
    UnsupportedError
        A file is of no format that can be read.
    """
    if any(member.place for member in members):
        return list(members)
    return [part for member in members for part in _images_of(member, axes)]


def _images_of(member: Member, axes: str | None) -> Iterator[Member]:
    if member.series is not None:
        yield member
        return
    kind = reader_for(member.path)
    if kind is None:
        raise UnsupportedError(f"{str(member.path)!r} is no image that can be read")
    with closing(kind.open(member.path, axes=axes)) as source:
        images = [(i, source.image(i)) for i in range(len(source))]
    own = [(i, image) for i, image in images if not image.is_extra] or images[:1]
    if len(own) == 1:
        yield replace(member, series=own[0][0])
        return
    for number, (index, image) in enumerate(own):
        yield _part(member, index, image, number)


def _part(member: Member, index: int, image: SourceImage, number: int) -> Member:
    """Return one of several images of a file: a field of its well, or what it says itself."""
    if member.spot is None and image.spot is not None:
        return replace(member, series=index, spot=image.spot, position=None)
    if member.spot is not None:
        field = str(number) if member.spot.field == "0" else f"{member.spot.field}x{number}"
        return replace(member, series=index, spot=replace(member.spot, field=field))
    named = [text for text in (member.position, image.name or str(number)) if text]
    return replace(member, series=index, position=" ".join(named))
