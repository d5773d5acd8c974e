"""The arrays of an image: whether they are there and are what the metadata says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from anyzarr import crud
from anyzarr._validate._spot import Spot
from anyzarr.abc import Store
from anyzarr.errors import AnyzarrError, NodeNotFoundError
from anyzarr.metadata import ArrayMetadata, is_array_document, parse_array
from anyzarr.stores import join

__all__ = ["Level", "Pyramid", "check_levels"]


@dataclass(frozen=True, slots=True)
class Level:
    """One array of an image.

    Attributes
    ----------
    path
        Of the array in the store.
    metadata
        Of the array.
    scale, translation
        As the metadata of the image has them, or None where it has none.
    """

    path: str
    metadata: ArrayMetadata
    scale: tuple[float, ...] | None
    translation: tuple[float, ...] | None


@dataclass(frozen=True, slots=True)
class Pyramid:
    """A multiscale image whose arrays are all there.

    Attributes
    ----------
    spot
        The image's metadata.
    levels
        Its arrays, as they are listed.
    axes
        The types of its axes: ``space``, ``channel``, …; None where the version has none.
    method
        The downsampling method it names, or None.
    """

    spot: Spot
    levels: tuple[Level, ...]
    axes: tuple[str | None, ...] | None
    method: str | None


def check_levels(store: Store, multiscale: Spot, version: str) -> Pyramid | None:
    """Check the arrays of one multiscale image; return them if all are there."""
    datasets = multiscale.get("datasets")
    if not isinstance(datasets, list) or not datasets:
        return None
    axes = _axes_of(multiscale)
    spots = list(multiscale.at("datasets", datasets).items())
    levels = [_level(store, spot, version, axes) for spot in spots]
    found = [level for level in levels if level is not None]
    if len(found) != len(spots):
        return None
    _check_shapes(spots, found)
    method = multiscale.get("type")
    types = None if axes is None else tuple(_type_of(axis) for axis in axes)
    return Pyramid(multiscale, tuple(found), types, method if isinstance(method, str) else None)


def _axes_of(multiscale: Spot) -> list[Any] | None:
    axes = multiscale.get("axes")
    systems = multiscale.get("coordinateSystems")
    if axes is None and isinstance(systems, list):
        named = {s.get("name"): s.get("axes") for s in systems if isinstance(s, Mapping)}
        axes = named.get(_output_of(multiscale), next(iter(named.values()), None))
    return axes if isinstance(axes, list) else None


def _output_of(multiscale: Spot) -> Any:
    """Return the name of the system that the first level maps to (0.6)."""
    try:
        return multiscale.value["datasets"][0]["coordinateTransformations"][0]["output"]["name"]
    except (KeyError, IndexError, TypeError):
        return None


def _type_of(axis: Any) -> str | None:
    if isinstance(axis, Mapping):
        found = axis.get("type")
        return found if isinstance(found, str) else None
    return {"t": "time", "c": "channel"}.get(str(axis), "space")


def _name_of(axis: Any) -> Any:
    return axis.get("name") if isinstance(axis, Mapping) else axis


def _level(store: Store, dataset: Spot, version: str, axes: list[Any] | None) -> Level | None:
    name = dataset.get("path")
    if not isinstance(name, str):
        return None
    try:
        path = join(dataset.path, name)
        document = crud.read_metadata(store, path)
        if not is_array_document(document):
            dataset.error("level-array", f"{name!r} is a group; it must be an array")
            return None
        metadata = parse_array(document)
    except NodeNotFoundError:
        dataset.error("level-missing", f"there is no array {name!r}; every level must be there")
        return None
    except AnyzarrError as error:
        dataset.error("level-unreadable", error.message)
        return None
    _check_array(dataset, metadata, version, axes)
    scale, translation = _placement(dataset.get("coordinateTransformations"))
    return Level(path, metadata, scale, translation)


def _check_array(
    dataset: Spot, metadata: ArrayMetadata, version: str, axes: list[Any] | None
) -> None:
    wanted = 3 if version >= "0.5" else 2
    if metadata.zarr_format != wanted:
        dataset.error(
            "zarr-format",
            f"a Zarr v{metadata.zarr_format} array; OME-Zarr {version} is Zarr v{wanted}",
        )
    n_axes = 5 if version <= "0.2" else None if axes is None else len(axes)
    if n_axes is not None and metadata.ndim != n_axes:
        dataset.error(
            "level-ndim", f"an array of {metadata.ndim} dimensions where there are {n_axes} axes"
        )
    if "0.2" <= version <= "0.4" and metadata.key_encoding.separator != "/" and metadata.ndim > 1:
        dataset.warn("chunk-separator", "the separator in names of chunks should be '/'")
    if version >= "0.5" and axes is not None:
        _check_names(dataset, metadata, [_name_of(axis) for axis in axes])


def _check_names(dataset: Spot, metadata: ArrayMetadata, names: list[Any]) -> None:
    found = metadata.dimension_names
    if found is None:
        dataset.error("dimension-names", f"the array has no dimension_names; they must be {names}")
    elif list(found) != names:
        dataset.error(
            "dimension-names",
            f"the array's dimension_names {list(found)} must be the names of the axes, {names}",
        )


def _placement(steps: Any) -> tuple[tuple[float, ...] | None, tuple[float, ...] | None]:
    """Return the scale and translation of a level, where they stand in its metadata."""
    if not isinstance(steps, list):
        return None, None
    first = steps[0] if len(steps) == 1 and isinstance(steps[0], Mapping) else {}
    if first.get("type") == "sequence" and isinstance(first.get("transformations"), list):
        steps = first["transformations"]
    found = {}
    for step in steps:
        kind = step.get("type") if isinstance(step, Mapping) else None
        values = step.get(kind) if isinstance(kind, str) else None
        if isinstance(values, list) and all(isinstance(v, int | float) for v in values):
            found[kind] = tuple(float(v) for v in values)
    return found.get("scale"), found.get("translation")


def _check_shapes(spots: list[Spot], levels: list[Level]) -> None:
    for spot, before, here in zip(spots[1:], levels, levels[1:], strict=False):
        larger, smaller = before.metadata.shape, here.metadata.shape
        if len(larger) == len(smaller) and any(b > a for a, b in zip(larger, smaller, strict=True)):
            spot.error(
                "levels-order",
                f"shape {smaller} after {larger}; levels must go from the largest to the smallest",
            )
