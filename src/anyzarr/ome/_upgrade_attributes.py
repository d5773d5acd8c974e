"""The attributes of OME-Zarr groups of any kind, stated as another version does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from anyzarr.errors import UnsupportedError
from anyzarr.ome._model import ImageMetadata
from anyzarr.ome._versions import family, stated_version

__all__ = ["is_ome", "upgraded_attributes"]

Shape = tuple[int, ...]
_VECTORS = "zarr_vectors"
"""The attribute of vector stores, whose ``multiscales`` are of no images."""

_KINDS = ("multiscales", "plate", "well", "image-label", "bioformats2raw.layout", "scene")


def is_ome(attributes: Mapping[str, Any], name: str = "") -> bool:
    """Return whether a group's attributes are OME-Zarr.

    Parameters
    ----------
    attributes
        Of the group.
    name
        Last part of its path: two kinds of groups are known by their name, ``labels`` and
        ``OME``.
    """
    if _VECTORS in attributes:
        return False
    if isinstance(attributes.get("ome"), Mapping):
        return True
    return any(key in attributes for key in _KINDS) or _is_list(attributes, name) is not None


def _is_list(attributes: Mapping[str, Any], name: str) -> str | None:
    """Return the key of the list that a ``labels`` or ``OME`` group holds."""
    key = {"labels": "labels", "OME": "series"}.get(name)
    return key if key is not None and isinstance(attributes.get(key), list) else None


def upgraded_attributes(
    attributes: Mapping[str, Any],
    name: str,
    version: str,
    shape_of: Callable[[str], Shape],
) -> dict[str, Any]:
    """Return the attributes of a group as a version states them.

    What is not OME-Zarr's stays as it is, and so do keys of OME-Zarr that are not known.

    Parameters
    ----------
    attributes
        Of the group; those of a group that is not OME-Zarr's are returned as they are.
    name
        Last part of its path.
    version
        One that is written.
    shape_of
        Gives the shape of the array at a path below the group, for images of 0.1 to 0.3.

    Raises
    ------
    UnsupportedError
        The version cannot say what is there.
    MetadataError
        What is there breaks the specification.
    """
    if not is_ome(attributes, name):
        return dict(attributes)
    nested = attributes.get("ome")
    if isinstance(nested, Mapping) and family(version) == "0.4":
        result = _flat(attributes, nested, version)
    elif isinstance(nested, Mapping):
        result = {**attributes, "ome": {**nested, "version": version}}
    elif family(version) == "0.4":
        result = dict(attributes)
    else:
        result = _nested(attributes, name, version)
    ome = result.get("ome", result)
    for key in ("plate", "well", "image-label"):
        if isinstance(ome.get(key), Mapping):
            ome[key] = _stated(ome[key], key, version, stated_version(attributes))
    if "multiscales" in ome:
        image = _image(attributes, shape_of).to_version(version).to_attributes()
        ome.update(image.get("ome", image))
    return result


def _nested(attributes: Mapping[str, Any], name: str, version: str) -> dict[str, Any]:
    """Return flat attributes (0.4 and before) with what is OME-Zarr's under ``ome``."""
    own = {*_KINDS, "omero", _is_list(attributes, name)}
    ome = {k: v for k, v in attributes.items() if k in own}
    omero = ome.get("omero")
    if isinstance(omero, Mapping):
        ome["omero"] = {k: v for k, v in omero.items() if k != "version"}
    rest = {k: v for k, v in attributes.items() if k not in own}
    return {**rest, "ome": {"version": version, **ome}}


def _flat(attributes: Mapping[str, Any], nested: Mapping[str, Any], version: str) -> dict[str, Any]:
    """Return attributes of 0.5 and newer as 0.4 has them: nothing lies under ``ome``."""
    if "scene" in nested:
        raise UnsupportedError(f"OME-Zarr {version} has no scenes, and there is one")
    rest = {k: v for k, v in attributes.items() if k != "ome"}
    return {**rest, **{k: v for k, v in nested.items() if k != "version"}}


def _image(attributes: Mapping[str, Any], shape_of: Callable[[str], Shape]) -> ImageMetadata:
    metadata = ImageMetadata.from_attributes(attributes)
    if not metadata.needs_arrays:
        return metadata
    return metadata.fitted([[shape_of(d.path) for d in m.datasets] for m in metadata.multiscales])


def _stated(document: Mapping[str, Any], key: str, version: str, before: str) -> dict[str, Any]:
    """Return a plate, well or label document as a version states it."""
    result = {k: v for k, v in document.items() if k != "version"}
    if family(version) == "0.4":
        result["version"] = version
    if key == "plate" and family(before) < "0.4":
        result["wells"] = _indexed(result)
    return result


def _indexed(plate: Mapping[str, Any]) -> Any:
    """Return the wells of a plate with ``rowIndex`` and ``columnIndex``, which 0.4 asks for."""
    rows, columns = _names(plate.get("rows")), _names(plate.get("columns"))
    wells = plate.get("wells")
    if not isinstance(wells, list):
        return wells
    return [_indexed_well(well, rows, columns) for well in wells]


def _indexed_well(well: Any, rows: Sequence[Any], columns: Sequence[Any]) -> Any:
    path = well.get("path") if isinstance(well, Mapping) else None
    row, _, column = path.partition("/") if isinstance(path, str) else ("", "", "")
    if row not in rows or column not in columns:
        return well
    return {"rowIndex": rows.index(row), "columnIndex": columns.index(column), **well}


def _names(entries: Any) -> list[Any]:
    if not isinstance(entries, list):
        return []
    return [entry.get("name") for entry in entries if isinstance(entry, Mapping)]
