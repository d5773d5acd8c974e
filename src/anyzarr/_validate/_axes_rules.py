"""Rules on axes: strings in 0.3, objects since 0.4, and those of coordinate systems in 0.6."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from anyzarr._validate._spot import Spot
from anyzarr.ome._axes import SPACE_UNITS, TIME_UNITS

__all__ = ["axes_04", "axes_06", "axes_strings"]

_LETTER: Final = re.compile("[xyzct]")
_RANK: Final = {"time": 0, "space": 2}
_UNITS: Final = {"space": SPACE_UNITS, "time": TIME_UNITS}
_KNOWN_06: Final = (
    "array", "channel", "time", "space", "displacement", "coordinate", "frequency",
)  # fmt: skip


def axes_strings(multiscale: Spot) -> None:
    """Check the axes of 0.3: letters, in the order t, c, z, y, x."""
    axes = multiscale.required("axes", "a list", "axes")
    if axes is None:
        return
    axes.not_empty("axes", 2)
    names = [a.value for a in axes.items() if a.is_a("a string", "axis")]
    for axis in axes.items():
        if isinstance(axis.value, str):
            axis.matches(_LETTER, "one of t, c, z, y, x", "axis")
    if len(set(names)) != len(names):
        axes.error("axes-unique", f"{axes.shown}: two axes have one name")
    if all(name in "tczyx" for name in names) and names != sorted(names, key="tczyx".find):
        axes.error("axes-order", f"{axes.shown} must be in the order t, c, z, y, x")


def axes_04(multiscale: Spot) -> list[Mapping[str, Any]] | None:
    """Check the axes of 0.4 and 0.5; return them if they can be counted."""
    axes = multiscale.required("axes", "a list", "axes")
    if axes is None:
        return None
    found = _each_axis(axes, 2, _check_axis)
    _check_space_count(axes, found)
    _check_others(axes, found)
    return [axis.value for axis in found] if len(found) == len(axes.value) else None


def _each_axis(axes: Spot, least: int, check: Callable[[Spot], None]) -> list[Spot]:
    axes.not_empty("axes", least, 5)
    axes.unique("axes-unique")
    found = list(axes.objects("axis"))
    for axis in found:
        check(axis)
    _check_names(axes, found)
    return found


def _check_axis(axis: Spot) -> None:
    axis.required("name", "a string", "axis-name")
    kind = axis.optional("type", "a string", "axis-type")
    if not axis.has("type"):
        axis.warn("axis-type-given", "the axis should say its type: space, time or channel")
    elif kind is not None and kind.value not in {"space", "time", "channel"}:
        kind.warn("axis-type-known", f"{kind.shown} should be space, time or channel")
    check_unit(axis)


def check_unit(axis: Spot) -> None:
    """Warn where a unit is missing or none that UDUNITS knows."""
    kind = axis.get("type")
    known = _UNITS.get(kind) if isinstance(kind, str) else None
    if axis.has("unit"):
        unit = axis.at("unit", axis.get("unit"))
        if not isinstance(unit.value, str):
            unit.warn("axis-unit", f"{unit.shown} should be a string")
        elif known is not None and unit.value not in known:
            unit.warn(
                "axis-unit",
                f"{unit.shown} should be a UDUNITS name of a unit of {kind}, such as "
                f"{'micrometer' if kind == 'space' else 'second'}",
            )
    elif known is not None:
        axis.warn("axis-unit-given", f"an axis of type {kind} should have a unit")


def _check_names(axes: Spot, found: list[Spot]) -> None:
    seen: set[str] = set()
    for axis in found:
        name = axis.get("name")
        if isinstance(name, str):
            if name in seen:
                axes.error("axes-names-unique", f"two axes are called {name!r}")
            seen.add(name)


def _check_space_count(axes: Spot, found: list[Spot]) -> None:
    stated = sum(axis.get("type") == "space" for axis in found)
    # The schema counts an axis without a type as space, and one with a unit that is no string not.
    counted = sum(
        axis.get("type") in {None, "space"} and not _mistyped(axis) if _plain(axis) else False
        for axis in found
    )
    if not 2 <= stated <= 3 or not 2 <= counted <= 3:
        axes.error(
            "axes-space",
            f"{stated} axes of type space ({counted} with those that have no type); there must "
            "be 2 or 3",
        )


def _plain(axis: Spot) -> bool:
    return not axis.has("type") or isinstance(axis.get("type"), str)


def _mistyped(axis: Spot) -> bool:
    return any(axis.has(key) and not isinstance(axis.get(key), str) for key in ("name", "unit"))


def _check_others(axes: Spot, found: list[Spot]) -> None:
    kinds = [axis.get("type") for axis in found]
    ranks = [_RANK.get(kind, 1) if isinstance(kind, str) else 1 for kind in kinds]
    for rank, what in ((0, "of type time"), (1, "of type channel or of a type of its own")):
        if ranks.count(rank) > 1:
            axes.error("axes-count", f"{ranks.count(rank)} axes {what}; one is allowed")
    if ranks != sorted(ranks):
        axes.error(
            "axes-order", f"the types {kinds} must be in the order time, channel or other, space"
        )
    names = [a.get("name") for a, kind in zip(found, kinds, strict=True) if kind == "space"]
    if sorted(map(str, names)) == ["x", "y", "z"] and names != ["z", "y", "x"]:
        axes.warn("axes-zyx", f"the spatial axes {names} should be ordered z, y, x")


def axes_06(system: Spot) -> list[Mapping[str, Any]] | None:
    """Check the axes of a coordinate system of 0.6; return them if they can be counted."""
    axes = system.required("axes", "a list", "axes")
    if axes is None:
        return None
    found = _each_axis(axes, 1, _check_axis_06)
    n_space = sum(axis.get("type") == "space" for axis in found)
    n_array = sum(axis.get("type") == "array" for axis in found)
    if (2 <= n_space <= 3) == (n_array >= 2):
        axes.error(
            "axes-space",
            f"{n_space} axes of type space and {n_array} of type array; there must be either 2 "
            "or 3 of space, or at least 2 of array",
        )
    return [axis.value for axis in found] if len(found) == len(axes.value) else None


def _check_axis_06(axis: Spot) -> None:
    name = axis.required("name", "a string", "axis-name")
    if name is not None and not name.value:
        name.error("axis-name", "the name must not be empty")
    axis.optional("longName", "a string", "axis-long-name")
    axis.optional("discrete", "true or false", "axis-discrete")
    axis.optional("unit", "a string", "axis-unit-type")
    kind = axis.optional("type", "a string", "axis-type")
    if not axis.has("type"):
        axis.warn("axis-type-given", "the axis should say its type")
    elif kind is not None and kind.value not in _KNOWN_06:
        kind.warn("axis-type-known", f"{kind.shown} should be one of {', '.join(_KNOWN_06)}")
    check_unit(axis)
