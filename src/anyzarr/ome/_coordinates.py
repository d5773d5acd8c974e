"""From the elements of a level to coordinate systems, and back."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from anyzarr.errors import MetadataError
from anyzarr.ome._multiscale import CoordinateSystem, Multiscale, system_name
from anyzarr.ome._transforms import (
    Affine,
    ReadParameters,
    Transformation,
    affine_of,
    chain_of,
    inverse_of,
)

__all__ = ["check_steps", "from_intrinsic", "to_intrinsic", "with_own_steps", "with_shared_steps"]


def to_intrinsic(
    multiscale: Multiscale, level: int, read: ReadParameters, system: str | None = None
) -> Affine:
    """Return the map from elements of a level to a coordinate system.

    Raises
    ------
    UnsupportedError
        A transformation on the way is not affine.
    MetadataError
        No transformation leads to the system.
    """
    result = chain_of(_own_steps(multiscale, level), len(multiscale.axes), read)
    for step, is_forward in _way(multiscale, system):
        ndim = result.matrix.shape[0]
        result = result.then((affine_of if is_forward else inverse_of)(step, ndim, read))
    return result


def from_intrinsic(
    multiscale: Multiscale, level: int, read: ReadParameters, system: str | None = None
) -> Affine:
    """Return the map from a coordinate system to elements of a level; raises likewise."""
    way = _way(multiscale, system)
    ndim = len(_system(multiscale, system).axes) if way else len(multiscale.axes)
    result = Affine.identity(ndim)
    for step, is_forward in reversed(way):
        n = result.matrix.shape[0]
        result = result.then((inverse_of if is_forward else affine_of)(step, n, read))
    for step in reversed(_own_steps(multiscale, level)):
        result = result.then(inverse_of(step, result.matrix.shape[0], read))
    return result


def _own_steps(multiscale: Multiscale, level: int) -> tuple[Transformation, ...]:
    """Return the steps that place a level: until 0.5 those of the whole image follow."""
    shared = () if multiscale.systems else multiscale.transformations
    return (*multiscale.datasets[level].transformations, *shared)


def _system(multiscale: Multiscale, name: str | None) -> CoordinateSystem:
    for system in multiscale.systems:
        if system.name == name:
            return system
    names = ", ".join(repr(system.name) for system in multiscale.systems)
    raise MetadataError(
        f"the image has no coordinate system {name!r}; "
        + (f"it has {names}" if names else "it has none: they are of OME-Zarr 0.6")
    )


def _way(multiscale: Multiscale, system: str | None) -> list[tuple[Transformation, bool]]:
    """Return the transformations from the levels' system to another, and their directions."""
    start = multiscale.system
    if system is None or system == start:
        return []
    _system(multiscale, system)
    reached: dict[str | None, list[tuple[Transformation, bool]]] = {start: []}
    waiting = deque([start])
    while waiting:
        here = waiting.popleft()
        for step in multiscale.transformations:
            ends = _end(step.get("input")), _end(step.get("output"))
            for (a, b), is_forward in ((ends, True), (ends[::-1], False)):
                if a == here and b is not None and b not in reached:
                    reached[b] = [*reached[here], (step, is_forward)]
                    waiting.append(b)
    if system not in reached:
        raise MetadataError(f"no transformation leads from {start!r} to {system!r} in this image")
    return reached[system]


def _end(reference: Any) -> str | None:
    """Return the system of this image that a reference names; None: one elsewhere."""
    if isinstance(reference, Mapping) and reference.get("path") not in {None, "", "."}:
        return None
    return system_name(reference)


def check_steps(steps: Sequence[Any]) -> tuple[dict[str, Any], ...]:
    """Return transformations as plain documents.

    Raises
    ------
    MetadataError
        One is no document with a ``type``.
    """
    for step in steps:
        if not isinstance(step, Mapping) or not isinstance(step.get("type"), str):
            raise MetadataError(
                f"{step!r} is no transformation; write it as in the metadata, such as "
                "{'type': 'scale', 'scale': [1, 0.5, 0.5]}"
            )
    return tuple(dict(step) for step in steps)


def with_own_steps(
    multiscale: Multiscale, path: str, steps: Sequence[dict[str, Any]]
) -> Multiscale:
    """Return an image with other transformations of the level whose array is at a path.

    Raises
    ------
    MetadataError
        They do not fit the axes, or there is no such level any more.
    UnsupportedError
        They are more than a scale and a translation.
    """
    index = next((i for i, d in enumerate(multiscale.datasets) if d.path == path), None)
    if index is None:
        raise MetadataError(f"the image has no level {path!r} any more; open it again")
    dataset = replace(multiscale.datasets[index], transformations=tuple(steps))
    alone = replace(multiscale, transformations=(), systems=(), datasets=(dataset,))
    dataset = dataset.placed(*alone.placement(0), system=multiscale.system)
    datasets = (*multiscale.datasets[:index], dataset, *multiscale.datasets[index + 1 :])
    return replace(multiscale, datasets=datasets)


def with_shared_steps(multiscale: Multiscale, steps: Sequence[dict[str, Any]]) -> Multiscale:
    """Return an image with other transformations of the whole image.

    Raises
    ------
    MetadataError
        Until 0.5: they are no scale with at most one translation after it. In 0.6: one does not
        say where it leads.
    UnsupportedError
        Until 0.5: they are more than that.
    """
    if not multiscale.systems:
        result = replace(multiscale, transformations=tuple(steps))
        result.effective_placement(0)
        kinds = [step["type"] for step in steps]
        if kinds not in ([], ["scale"], ["scale", "translation"]):
            raise MetadataError(
                f"the whole image has one scale, then at most one translation, not {kinds}"
            )
        return result
    systems = {system.name: system for system in multiscale.systems}
    led = []
    for step in steps:
        step = {"input": {"name": multiscale.system}, **step}
        name = _end(step.get("output"))
        if name is None:
            raise MetadataError(
                f"the transformation of type {step['type']!r} does not say where it leads; give it "
                "an 'output' such as {'name': 'world'}"
            )
        for end in (_end(step["input"]), name):
            if end is not None:
                systems.setdefault(end, CoordinateSystem(end, multiscale.axes))
        led.append(step)
    return replace(multiscale, transformations=tuple(led), systems=tuple(systems.values()))
