"""What cannot be asked for of a conversion, whatever the source is found to be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from anyzarr._convert._execute import RunOptions
from anyzarr._convert._target import Location, local_base
from anyzarr._url import parse_location
from anyzarr.abc import Store
from anyzarr.errors import MetadataError, NodeExistsError, UnsupportedError
from anyzarr.readers import is_image_name
from anyzarr.vectors.formats import format_of_name

__all__ = ["refuse_for_zarr", "refuse_remote_images", "refuse_sharing", "require_apart"]


def refuse_for_zarr(source: Location, **given: Any) -> None:
    """Refuse what is for images that are made, where Zarr is taken over; None: not given.

    Raises
    ------
    UnsupportedError
        Something is given.
    """
    asked = [name for name, value in given.items() if value is not None]
    if asked:
        raise UnsupportedError(
            f"{source} is Zarr and is taken over as it is, so {', '.join(asked)} cannot "
            "be changed on the way; leave it out"
        )


def refuse_remote_images(source: Location) -> None:
    """Refuse an image file that is an object of a store, by its name.

    Raises
    ------
    UnsupportedError
        It is called like one.
    """
    if source.backend is not None or not isinstance(source.value, str):
        return
    parsed = parse_location(source.value)
    if parsed.is_local or parsed.adapters or parsed.zarr_format is not None:
        return
    name = parsed.object_name
    if is_image_name(name) and format_of_name(name) is None:
        raise UnsupportedError(
            f"{source} is called like an image file, and such are read from local folders: copy it "
            "to one first; if it is Zarr, say so by its location: |zarr3: or |zarr2:"
        )


def refuse_sharing(run: RunOptions, source: Location) -> None:
    """Refuse what is for pixels that are decoded: nothing is, where objects are copied.

    Raises
    ------
    UnsupportedError
        Other processes are to share the work.
    """
    asked = {"processes": run.processes, "cluster": run.cluster is not None}
    if any(asked.values()):
        raise UnsupportedError(
            f"{', '.join(name for name, given in asked.items() if given)}: this is for pixels "
            f"that are encoded, and {source} is Zarr that is copied byte for byte; leave "
            "it out"
        )


def require_apart(source: Location, target: Location, path: Path | None) -> None:
    """Refuse a target that is the source, lies in it, or would replace a folder around it.

    Parameters
    ----------
    source, target
        The locations.
    path
        Of the target, where it is a local one.

    Raises
    ------
    NodeExistsError
        They are the same.
    MetadataError
        One lies within the other.
    """
    found = local_base(source.value)
    if found is None:
        found = _local_root(source.value)
    if found is None or path is None:
        return
    here, there = found.resolve(), path.resolve()
    if here == there:
        raise NodeExistsError(f"source and target are the same: {str(target)!r}")
    if there.is_relative_to(here) or here.is_relative_to(there):
        raise MetadataError(
            f"{str(here)!r} and {str(there)!r} lie one within the other; choose a target elsewhere"
        )


def _local_root(value: Any) -> Path | None:
    root = value.capabilities.local_root if isinstance(value, Store) else None
    return None if root is None else Path(root)
