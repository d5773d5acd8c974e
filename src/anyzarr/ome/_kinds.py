"""Which kind of OME-Zarr a group holds, by its metadata."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anyzarr import crud
from anyzarr._nodes import Group
from anyzarr.errors import MetadataError, UnsupportedError
from anyzarr.ome._documents import ome_of

__all__ = ["found_layout"]

_KEYS = {
    "fov": "multiscales",
    "label": "multiscales",
    "image": "multiscales",
    "tiled": "multiscales",
    "hcs": "plate",
    "bf2raw": "bioformats2raw.layout",
}
_WHAT = {
    "hcs": ("an HCS plate", "one of its images, such as LOCATION/A/1/0"),
    "well": ("a well of an HCS plate", "one of its images, such as LOCATION/0"),
    "bf2raw": ("a series of images", "one of its images, such as LOCATION/0"),
    "fov": ("one image", "the group that holds it"),
    "label": ("a label image", "the image it belongs to"),
}
_OTHERS = {
    "labels": ("a list of labels", "one of them, such as LOCATION/NAME"),
    "scene": ("a scene (OME-Zarr 0.6)", "one of its images"),
}


def found_layout(group: Group, layout: str, version: str, *, writes: bool) -> tuple[str, str]:
    """Return the layout of what is there and the version to write, or refuse it by its name."""
    ome = ome_of(group.metadata.attributes)
    empty = not {"plate", "well", "multiscales", "bioformats2raw.layout", *_OTHERS} & set(ome)
    if empty and writes and layout != "auto":
        return layout, "0.4" if group.zarr_format == 2 else version
    kind = _kind(ome)
    if kind is None:
        raise _refused(group, ome)
    if layout in {"auto", "image"} and kind == "fov":
        return layout, version
    if layout == "auto" or _KEYS.get(layout) == _KEYS.get(kind):
        return (kind if layout == "auto" else layout), version
    raise MetadataError(
        f"{group.url} is {_WHAT[kind][0]}, not what layout={layout!r} opens; leave the layout out"
        f", or open {_WHAT[kind][1]}"
    )


def _kind(ome: Mapping[str, Any]) -> str | None:
    """Return the layout of a group by its metadata; a plate may be a series besides."""
    for kind, key in (("hcs", "plate"), ("bf2raw", "bioformats2raw.layout"), ("well", "well")):
        if key in ome:
            return kind
    if "multiscales" not in ome:
        return None
    return "label" if "image-label" in ome else "fov"


def _refused(group: Group, ome: Mapping[str, Any]) -> MetadataError | UnsupportedError:
    for key, (what, instead) in _OTHERS.items():
        if key in ome:
            return UnsupportedError(
                f"{group.url} is {what}, which is no image itself; open {instead}{_members(group)}",
                kind=key,
            )
    return MetadataError(
        f"{group.url} is a Zarr group without OME-Zarr metadata; open it with anyzarr.open_group"
    )


def _members(group: Group) -> str:
    """Return the names of members that are images, for a message."""
    if not group.store.capabilities.listable:
        return ""
    names = [
        name
        for name, document in crud.list_children(group.store, group.path)
        if "multiscales" in ome_of(document.get("attributes", {}))
    ]
    return f": {', '.join(map(repr, names))}" if names else ""
