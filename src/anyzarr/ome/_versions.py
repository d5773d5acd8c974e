"""The versions of OME-Zarr: which there are, how each is told, what lies in which."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from anyzarr.errors import MetadataError, UnsupportedError
from anyzarr.ome._axes import axes_of
from anyzarr.ome._multiscale import CoordinateSystem, Dataset, Multiscale
from anyzarr.ome._transforms import Transformation

__all__ = [
    "READABLE_VERSIONS",
    "WRITABLE_VERSIONS",
    "family",
    "fitted",
    "in_family",
    "require_writable_version",
    "stated_version",
    "written_version",
    "zarr_format_of",
]

READABLE_VERSIONS = ("0.1", "0.2", "0.3", "0.4", "0.5", "0.6")
"""OME-Zarr versions that are read; pre-releases of 0.6 count as 0.6."""

WRITABLE_VERSIONS = ("0.4", "0.5", "0.6")
"""OME-Zarr versions that are written."""

_SYSTEM = "physical"
_WORLD = "world"


def family(version: str) -> str:
    """Return the version whose rules hold: ``0.6`` for its pre-releases, else itself.

    Raises
    ------
    UnsupportedError
        It is not known.
    """
    name = "0.6" if version.startswith("0.6") else version
    if name not in READABLE_VERSIONS:
        raise UnsupportedError(
            f"the metadata is OME-Zarr {version}, which is not known; {READABLE_VERSIONS[0]} to "
            f"{READABLE_VERSIONS[-1]} are read"
        )
    return name


def require_writable_version(version: str) -> None:
    """Raise :class:`UnsupportedError` unless this version is written."""
    if version not in WRITABLE_VERSIONS:
        known = f"{', '.join(WRITABLE_VERSIONS[:-1])} and {WRITABLE_VERSIONS[-1]}"
        raise UnsupportedError(f"OME-Zarr {version} cannot be written; {known} can")


def zarr_format_of(version: str) -> Literal[2, 3]:
    """Return the Zarr format that a version of OME-Zarr lies in."""
    return 2 if family(version) < "0.5" else 3


def stated_version(attributes: Mapping[str, Any]) -> str:
    """Return the version that a group's attributes state, or that their form tells.

    Looks in ``ome.version``, then in the objects of 0.4 and before (``multiscales``, ``plate``,
    ``well``, ``image-label``), each of which states its own.
    """
    nested = attributes.get("ome")
    if isinstance(nested, Mapping):
        stated = nested.get("version")
        if stated is None and any("coordinateSystems" in m for m in _documents(nested)):
            stated = "0.6"
        return str(stated or "0.5")
    for document in (*_documents(attributes), *(attributes.get(k) for k in _SINGLE)):
        if isinstance(document, Mapping) and document.get("version") is not None:
            return str(document["version"])
    return next((_guessed(m) for m in _documents(attributes)), "0.4")


def written_version(attributes: Mapping[str, Any]) -> str:
    """Return the version to write a group in that stays what it is: its own, if that is written."""
    return max(family(stated_version(attributes)), WRITABLE_VERSIONS[0])


_SINGLE = ("plate", "well", "image-label", "omero")


def _documents(attributes: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    documents = attributes.get("multiscales")
    return [d for d in documents if isinstance(d, Mapping)] if isinstance(documents, list) else []


def _guessed(multiscale: Mapping[str, Any]) -> str:
    axes = multiscale.get("axes")
    if not isinstance(axes, list):
        return "0.1"
    return "0.3" if all(isinstance(axis, str) for axis in axes) else "0.4"


def fitted(multiscale: Multiscale, shapes: Sequence[Sequence[int]]) -> Multiscale:
    """Return an image of 0.1 to 0.3 with what these versions leave to the arrays.

    The axes are as many as the dimensions, and each level has a scale: that of the first is 1,
    those of the others are the ratios of the shapes.

    Parameters
    ----------
    multiscale
        As read.
    shapes
        Of its arrays, in the order of its datasets.
    """
    axes = multiscale.axes
    if len(axes) != len(shapes[0]) and multiscale.axes == axes_of("tczyx"):
        axes = axes[max(0, len(axes) - len(shapes[0])) :]
    if any(len(shape) != len(axes) for shape in shapes):
        raise MetadataError(
            f"the image has the axes {', '.join(a.name for a in axes)}, and its arrays have the "
            f"shapes {', '.join(map(str, shapes))}; they must be as many as the dimensions"
        )
    largest = max(shapes, key=math.prod)
    datasets = tuple(
        dataset if dataset.transformations else dataset.placed(_ratios(largest, shape))
        for dataset, shape in zip(multiscale.datasets, shapes, strict=True)
    )
    return replace(multiscale, axes=axes, datasets=datasets)


def _ratios(largest: Sequence[int], shape: Sequence[int]) -> list[float]:
    """Return how often smaller a level is, as a whole number where rounding explains the rest."""
    ratios = []
    for full, n in zip(largest, shape, strict=True):
        ratio = full / n if n else 1.0
        whole = max(1, round(ratio))
        ratios.append(float(whole) if n in {full // whole, -(-full // whole)} else ratio)
    return ratios


def in_family(multiscale: Multiscale, version: str) -> Multiscale:
    """Return an image as a version states it: with axes, or with coordinate systems.

    Raises
    ------
    UnsupportedError
        The version cannot say what the image has.
    """
    rest = {k: v for k, v in multiscale.extra.items() if k != "version"}
    plain = replace(multiscale, extra=rest)
    if family(version) == "0.6":
        return plain if plain.systems else _with_systems(plain)
    if family(version) == "0.4":
        plain = replace(plain, extra={"version": version, **rest})
    return _without_systems(plain, version) if plain.systems else plain


def _with_systems(multiscale: Multiscale) -> Multiscale:
    systems: tuple[CoordinateSystem, ...] = (CoordinateSystem(_SYSTEM, multiscale.axes),)
    shared = multiscale.transformations
    try:
        places = [multiscale.effective_placement(i) for i in range(len(multiscale.datasets))]
    except UnsupportedError:
        datasets = tuple(_led_to(d, d.transformations) for d in multiscale.datasets)
    else:
        shared = ()
        datasets = tuple(
            dataset.placed(*place, system=_SYSTEM)
            for dataset, place in zip(multiscale.datasets, places, strict=True)
        )
    if shared:
        systems = (*systems, CoordinateSystem(_WORLD, multiscale.axes))
        one = shared[0] if len(shared) == 1 else {"type": "sequence", "transformations": [*shared]}
        shared = ({**one, "input": {"name": _SYSTEM}, "output": {"name": _WORLD}},)
    return replace(multiscale, systems=systems, datasets=datasets, transformations=shared)


def _led_to(dataset: Dataset, steps: Sequence[Transformation]) -> Dataset:
    """Return a level whose steps, whatever they are, lead to the coordinate system."""
    one = dict(steps[0]) if len(steps) == 1 else {"type": "sequence", "transformations": [*steps]}
    ends = {"input": {"path": dataset.path}, "output": {"name": _SYSTEM}}
    return replace(dataset, transformations=({**one, **ends},))


def _without_systems(multiscale: Multiscale, version: str) -> Multiscale:
    others = [s.name for s in multiscale.systems if s.name != multiscale.system]
    if others or multiscale.transformations:
        raise UnsupportedError(
            f"OME-Zarr {version} has no place for the coordinate systems "
            f"{', '.join(map(repr, others)) or 'and transformations between them'}; write 0.6, or "
            "remove them first"
        )
    datasets = tuple(
        dataset.placed(*multiscale.placement(index))
        for index, dataset in enumerate(multiscale.datasets)
    )
    return replace(multiscale, systems=(), datasets=datasets)
