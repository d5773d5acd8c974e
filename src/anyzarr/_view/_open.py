"""From a location to what a picture is made from."""

from __future__ import annotations

from typing import Any

from anyzarr._info import ArrayInfo, GroupInfo, ImageInfo, info, locate
from anyzarr._nodes import Array, open_array
from anyzarr._view._source import Source, source_of_array
from anyzarr.abc import Store
from anyzarr.errors import UnsupportedError
from anyzarr.stores import join

__all__ = ["open_source"]

_MEMBERS_NAMED = 8


def open_source(
    location: Any, *, path: str, engine: str | None, backend: str | None, **backend_kwargs: Any
) -> Source:
    """Return the image or array at a location, ready to be looked at.

    Raises
    ------
    UnsupportedError
        There is a group that is no image; the message names its members.
    """
    store, path = locate(location, path, backend, backend_kwargs)
    facts = info(store, path=path, engine=engine)
    if isinstance(facts, GroupInfo):
        raise UnsupportedError(_nothing_to_show(facts))
    if isinstance(facts, ArrayInfo):
        name = path.rpartition("/")[2] or facts.location.rstrip("/").rpartition("/")[2]
        return source_of_array(name, _open(store, path, engine), facts.dimension_names)
    if not isinstance(facts, ImageInfo):
        raise UnsupportedError(
            f"there is a {facts.kind} at {store.spec}, which is no image itself; give the path "
            "of one of its images"
        )
    return _source_of_image(facts, store, engine)


def _source_of_image(facts: ImageInfo, store: Store, engine: str | None) -> Source:
    placed = all(axis.scale is not None for axis in facts.axes)
    return Source(
        name=facts.name,
        axes=tuple(axis.name for axis in facts.axes),
        units=tuple(axis.unit if placed else None for axis in facts.axes),
        levels=[_open(store, join(facts.path, level.path), engine) for level in facts.levels],
        scales=[level.scale or (1.0,) * len(facts.axes) for level in facts.levels],
        channels=facts.channels,
    )


def _open(store: Store, path: str, engine: str | None) -> Array:
    return open_array(store, path=path, mode="r", engine=engine)


def _nothing_to_show(facts: GroupInfo) -> str:
    where = f"{facts.location.rstrip('/')}/{facts.path}".rstrip("/")
    if facts.note:
        return f"{where} cannot be shown: {facts.note}"
    names = [member.name for member in facts.members]
    more = ", …" if len(names) > _MEMBERS_NAMED else ""
    members = ", ".join(map(repr, names[:_MEMBERS_NAMED])) + more
    return (
        f"{where} is a group that is no image, so there is nothing to show; give the path of an "
        f"image or array in it (its members: {members or 'none'})"
    )
