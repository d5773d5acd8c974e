"""Rules of 0.6: coordinate systems, transformations between them, and scenes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from anyzarr._validate._axes_rules import axes_06
from anyzarr._validate._spot import Spot, is_number

__all__ = ["check_multiscale_06", "check_scene"]

_INTERPOLATIONS: Final = ("nearest", "linear", "cubic")
Axes = list[Mapping[str, Any]]


def check_multiscale_06(multiscale: Spot) -> None:
    """Check ``coordinateSystems``, ``datasets`` and ``coordinateTransformations``."""
    systems: dict[str, Axes | None] = {}
    listed = multiscale.required("coordinateSystems", "a list", "coordinate-systems")
    if listed is not None:
        listed.not_empty("coordinate-systems")
        systems = check_systems(listed)
    _check_datasets(multiscale, systems)
    further = multiscale.optional("coordinateTransformations", "a list", "transformations")
    if further is not None:
        further.not_empty("transformations")
        for step in further.objects("transformation"):
            check_transformation(step)
            _check_ends(step, "name", "name", closed=False)


def check_systems(listed: Spot) -> dict[str, Axes | None]:
    """Check coordinate systems; return their axes by name."""
    systems: dict[str, Axes | None] = {}
    for system in listed.objects("coordinate-system"):
        name = system.required("name", "a string", "coordinate-system-name")
        axes = axes_06(system)
        if name is None:
            continue
        if not name.value:
            name.error("coordinate-system-name", "the name must not be empty")
        if name.value in systems:
            name.error("coordinate-system-unique", f"{name.shown} names two coordinate systems")
        systems[name.value] = axes
    return systems


def _check_datasets(multiscale: Spot, systems: dict[str, Axes | None]) -> None:
    from anyzarr._validate._image_rules import check_order

    datasets = multiscale.required("datasets", "a list", "datasets")
    if datasets is None or not datasets.not_empty("datasets"):
        return
    scales: list[list[float]] = []
    outputs: set[str] = set()
    for dataset in datasets.objects("datasets"):
        path = dataset.required("path", "a string", "dataset-path")
        steps = dataset.required("coordinateTransformations", "a list", "transformations")
        if steps is None or not steps.not_empty("transformations", 1, 1):
            continue
        for step in steps.objects("transformation"):
            output = _check_level(step, None if path is None else path.value)
            scale = _scale_of(step)
            if output is not None:
                outputs.add(output)
                _check_known(step, output, systems, scale)
            if scale is not None:
                scales.append(scale)
    if len(outputs) > 1:
        datasets.error(
            "datasets-output", f"the levels map to {sorted(outputs)}; they must share one system"
        )
    axes = systems.get(next(iter(outputs))) if len(outputs) == 1 else None
    if axes is not None and len(scales) == len(datasets.value):
        check_order(datasets, scales, [axis.get("type") == "space" for axis in axes])


def _check_level(step: Spot, path: str | None) -> str | None:
    """Check the transformation of a level; return the name of what it maps to."""
    kind = step.required("type", "a string", "transformation-type")
    if kind is not None and kind.one_of(("scale", "identity", "sequence"), "transformation-type"):
        check_transformation(step)
        if kind.value == "sequence":
            _check_pair(step)
    step.optional("name", "a string", "transformation-name")
    _check_ends(step, "path", "name", closed=False)
    source, target = step.get("input"), step.get("output")
    found = source.get("path") if isinstance(source, Mapping) else None
    if path is not None and isinstance(found, str) and found != path:
        step.error("transformation-input-path", f"input {found!r} must be the level's {path!r}")
    name = target.get("name") if isinstance(target, Mapping) else None
    return name if isinstance(name, str) else None


def _check_pair(step: Spot) -> None:
    steps = step.get("transformations")
    if not isinstance(steps, list):
        return
    kinds = [s.get("type") if isinstance(s, Mapping) else None for s in steps]
    if kinds != ["scale", "translation"]:
        step.error(
            "transformations-order",
            f"the sequence {kinds} of a level must be one scale and one translation after it",
        )


def _scale_of(step: Spot) -> list[float] | None:
    kind = step.get("type")
    found = step.get("scale")
    if kind == "sequence":
        steps = step.get("transformations")
        first = steps[0] if isinstance(steps, list) and steps else None
        found = first.get("scale") if isinstance(first, Mapping) else None
    if isinstance(found, list) and all(is_number(v) for v in found):
        return [float(v) for v in found]
    return None


def _check_known(
    step: Spot, output: str, systems: dict[str, Axes | None], scale: list[float] | None
) -> None:
    if output not in systems:
        step.error(
            "transformation-output-known",
            f"output {output!r} must be one of the coordinate systems {sorted(systems)}",
        )
        return
    axes = systems[output]
    if axes is not None and scale is not None and len(scale) != len(axes):
        step.error(
            "transformation-scale-length",
            f"{len(scale)} numbers for {len(axes)} axes; there must be one per axis",
        )


def _check_ends(step: Spot, source_key: str, target_key: str, *, closed: bool) -> None:
    for end, key in (("input", source_key), ("output", target_key)):
        place = step.required(end, "an object", f"transformation-{end}")
        if place is None:
            continue
        place.required(key, "a string", f"transformation-{end}")
        for other in ("name", "path"):
            if other != key and (closed or source_key == "path"):
                place.optional(other, "a string", f"transformation-{end}")
        if closed and set(place.value) - {"name", "path"}:
            place.error(f"transformation-{end}", f"{place.shown} has keys other than name, path")


def check_scene(ome: Spot) -> None:
    """Check the key ``scene``."""
    scene = ome.required("scene", "an object", "scene")
    if scene is None:
        return
    listed = scene.optional("coordinateSystems", "a list", "coordinate-systems")
    if listed is not None:
        listed.unique("coordinate-system-unique")
        check_systems(listed)
    steps = scene.required("coordinateTransformations", "a list", "scene-transformations")
    if steps is None or not steps.not_empty("scene-transformations"):
        return
    for step in steps.objects("transformation"):
        check_transformation(step)
        _check_ends(step, "name", "name", closed=True)


def check_transformation(step: Spot) -> None:
    """Check one transformation of any kind, and those inside it."""
    step.optional("name", "a string", "transformation-name")
    kind = step.required("type", "a string", "transformation-type")
    if kind is not None and kind.one_of(tuple(_KINDS), "transformation-type"):
        _KINDS[kind.value](step)


def _identity(step: Spot) -> None:
    """Nothing to say: there are no parameters."""


def _numbers(step: Spot, key: str) -> list[Any]:
    values = step.required(key, "a list", f"transformation-{key}")
    if values is None:
        return []
    return [v for v in values.items() if v.is_a("a number", f"transformation-{key}")]


def _scale(step: Spot) -> None:
    for value in _numbers(step, "scale"):
        if value.value <= 0:
            value.error("scale-positive", f"{value.shown} must be above zero")


def _translation(step: Spot) -> None:
    _numbers(step, "translation")


def _indices(step: Spot, key: str, least: int, most: int) -> None:
    values = step.optional(key, "a list", f"transformation-{key}")
    if values is None:
        return
    values.not_empty(f"transformation-{key}", least, most)
    values.unique(f"transformation-{key}")
    for value in values.items():
        if value.is_a("an integer", f"transformation-{key}") and not 0 <= value.value <= 4:
            value.error(f"transformation-{key}", f"{value.shown} must be an axis from 0 to 4")


def _map_axis(step: Spot) -> None:
    if step.required("mapAxis", "a list", "transformation-mapAxis") is not None:
        _indices(step, "mapAxis", 2, 5)


def _project_axis(step: Spot) -> None:
    for key in ("droppedInputs", "createdOutputs"):
        _indices(step, key, 1, 3)
    if not (step.has("droppedInputs") or step.has("createdOutputs")):
        step.error("transformation-projectAxis", "droppedInputs or createdOutputs must be given")


def _matrix(step: Spot, key: str) -> list[list[Any]] | None:
    """Check a matrix that is given here or by a path; return its rows if they are numbers."""
    valid = [_is_path(step), _is_matrix(step.get(key)) and step.has(key)]
    if key == "rotation":
        valid[1] = valid[1] and _is_square(step.get(key))
    if sum(valid) != 1:
        what = "a square matrix of 2 to 5 rows" if key == "rotation" else "a list of rows"
        step.error(
            f"transformation-{key}", f"there must be either a path, or {key!r}: {what} of numbers"
        )
        return None
    return step.get(key) if valid[1] else None


def _is_path(step: Spot) -> bool:
    return step.has("path") and isinstance(step.get("path"), str)


def _is_matrix(rows: Any) -> bool:
    return isinstance(rows, list) and all(
        isinstance(row, list) and all(is_number(v) for v in row) for row in rows
    )


def _is_square(rows: list[list[Any]]) -> bool:
    return 2 <= len(rows) <= 5 and all(len(row) == len(rows) for row in rows)


def _affine(step: Spot) -> None:
    rows = _matrix(step, "affine")
    if rows and len({len(row) for row in rows}) != 1:
        step.error("transformation-affine", "the rows of the matrix must have one length")


def _rotation(step: Spot) -> None:
    _matrix(step, "rotation")


def _bijection(step: Spot) -> None:
    for key in ("forward", "inverse"):
        inner = step.required(key, "an object", f"transformation-{key}")
        if inner is not None:
            check_transformation(inner)


def _sequence(step: Spot) -> None:
    steps = step.required("transformations", "a list", "transformation-sequence")
    if steps is not None:
        for inner in steps.objects("transformation-sequence"):
            check_transformation(inner)


def _by_dimension(step: Spot) -> None:
    steps = step.required("transformations", "a list", "transformation-byDimension")
    if steps is None:
        return
    for part in steps.objects("transformation-byDimension"):
        inner = part.required("transformation", "an object", "transformation-byDimension")
        if inner is not None:
            check_transformation(inner)
        for key in ("inputAxes", "outputAxes"):
            axes = part.required(key, "a list", "transformation-byDimension")
            for axis in axes.items() if axes is not None else ():
                axis.is_a("a number", "transformation-byDimension")


def _field(step: Spot) -> None:
    step.required("path", "a string", "transformation-path")
    interpolation = step.optional("interpolation", "a string", "transformation-interpolation")
    if interpolation is not None:
        interpolation.one_of(_INTERPOLATIONS, "transformation-interpolation")


_KINDS: Final[dict[str, Callable[[Spot], None]]] = {
    "identity": _identity,
    "mapAxis": _map_axis,
    "projectAxis": _project_axis,
    "scale": _scale,
    "translation": _translation,
    "affine": _affine,
    "rotation": _rotation,
    "bijection": _bijection,
    "sequence": _sequence,
    "byDimension": _by_dimension,
    "displacements": _field,
    "coordinates": _field,
}
