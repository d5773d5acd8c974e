"""Axes of OME-Zarr images: their names, kinds and units, and the rules they obey."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from anyzarr.errors import MetadataError

__all__ = ["SPACE_UNITS", "TIME_UNITS", "Axis", "axes_of", "check_axes", "default_axes", "metres"]

_PREFIXES = {
    "yocto": 1e-24, "zepto": 1e-21, "atto": 1e-18, "femto": 1e-15, "pico": 1e-12, "nano": 1e-9,
    "micro": 1e-6, "milli": 1e-3, "centi": 1e-2, "deci": 1e-1, "": 1.0, "hecto": 1e2,
    "kilo": 1e3, "mega": 1e6, "giga": 1e9, "tera": 1e12, "peta": 1e15, "exa": 1e18,
    "zetta": 1e21, "yotta": 1e24,
}  # fmt: skip

_METRES = {
    **{f"{prefix}meter": size for prefix, size in _PREFIXES.items()},
    "angstrom": 1e-10, "foot": 0.3048, "inch": 0.0254, "mile": 1609.344,
    "parsec": 3.0856775814913673e16, "yard": 0.9144,
}  # fmt: skip

SPACE_UNITS = frozenset(_METRES)
"""Units of length the specification allows (UDUNITS-2 names)."""

TIME_UNITS = frozenset({f"{prefix}second" for prefix in _PREFIXES} | {"day", "hour", "minute"})
"""Units of time the specification allows (UDUNITS-2 names)."""

_UNITS: Mapping[str, frozenset[str]] = {"space": SPACE_UNITS, "time": TIME_UNITS}
_TYPES: Mapping[str, str] = {
    "t": "time", "c": "channel", "z": "space", "y": "space", "x": "space",
}  # fmt: skip
_ORDER = {"time": 0, "space": 2}  # channel or custom: 1
_DEFAULTS = {2: "yx", 3: "zyx", 4: "czyx", 5: "tczyx"}


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of an image.

    Attributes
    ----------
    name
        Unique within the image; also the name of the arrays' dimension.
    type
        ``space``, ``time``, ``channel``, a kind of one's own, or None.
    unit
        What ``scale`` counts along it, or None where that is not known.
    extra
        Further keys of the document, kept on rewriting.

    Examples
    --------
    >>> from anyzarr.ome import Axis
    >>> Axis("z", "space", "micrometer").to_document()
    {'name': 'z', 'type': 'space', 'unit': 'micrometer'}
    """

    name: str
    type: str | None = None
    unit: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False, repr=False)

    def to_document(self) -> dict[str, Any]:
        """Return the axis as it stands in the metadata."""
        stated = {"name": self.name, "type": self.type, "unit": self.unit}
        return {**{k: v for k, v in stated.items() if v is not None}, **self.extra}


def axes_of(axes: str | Iterable[str | Axis | Mapping[str, Any]]) -> tuple[Axis, ...]:
    """Return axes from names, documents, or both.

    Parameters
    ----------
    axes
        ``"tczyx"``, or one entry per axis: a name (``t c z y x`` get their kinds, in either
        case), an :class:`Axis`, or a document with at least ``name``.

    Raises
    ------
    MetadataError
        An entry is none of these.

    Examples
    --------
    >>> from anyzarr.ome import axes_of
    >>> [axis.type for axis in axes_of("cyx")]
    ['channel', 'space', 'space']
    """
    return tuple(_axis_of(entry) for entry in axes)


def _axis_of(entry: str | Axis | Mapping[str, Any]) -> Axis:
    if isinstance(entry, Axis):
        return entry
    if isinstance(entry, str):
        return Axis(entry, _TYPES.get(entry.lower()))
    if not _is_document(entry):
        raise MetadataError(
            f"{entry!r} is no axis: give a name, an Axis, or a document such as "
            "{'name': 'z', 'type': 'space', 'unit': 'micrometer'}"
        )
    rest = {k: v for k, v in entry.items() if k not in {"name", "type", "unit"}}
    return Axis(entry["name"], entry.get("type"), entry.get("unit"), rest)


def _is_document(entry: object) -> bool:
    return isinstance(entry, Mapping) and isinstance(entry.get("name"), str)


def default_axes(ndim: int, *, has_channels: bool = False) -> tuple[Axis, ...]:
    """Return the usual axes of an image with so many dimensions.

    ``yx``, ``zyx`` (``cyx`` where there are channels), ``czyx``, ``tczyx``.

    Raises
    ------
    MetadataError
        OME-Zarr images have 2 to 5 dimensions.
    """
    if ndim not in _DEFAULTS:
        raise MetadataError(f"an OME-Zarr image has 2 to 5 dimensions, and this has {ndim}")
    return axes_of("cyx" if ndim == 3 and has_channels else _DEFAULTS[ndim])


def check_axes(axes: Sequence[Axis]) -> None:
    """Check axes against the specification (OME-Zarr 0.4 and 0.5, "axes" metadata).

    Raises
    ------
    MetadataError
        The first rule that is broken, with the axes.
    """
    names = [axis.name for axis in axes]
    types = [axis.type for axis in axes]
    n_space = types.count("space")
    ranks = [_ORDER.get(kind or "", 1) for kind in types]
    if not 2 <= len(axes) <= 5:
        problem = f"there are 2 to 5, not {len(axes)}"
    elif len(set(names)) != len(names) or "" in names:
        problem = "names are unique and not empty"
    elif not 2 <= n_space <= 3:
        problem = f"2 or 3 are of type 'space', not {n_space}"
    elif types.count("time") > 1:
        problem = "at most one is of type 'time'"
    elif ranks.count(1) > 1:
        problem = "at most one is a channel or an axis of another kind"
    elif ranks != sorted(ranks):
        problem = "time comes first, then channel or another kind, then space"
    else:
        _check_units(axes)
        return
    raise MetadataError(
        f"the axes {', '.join(map(repr, names))} break a rule of OME-Zarr: {problem}"
    )


def _check_units(axes: Sequence[Axis]) -> None:
    for axis in axes:
        allowed = _UNITS.get(axis.type or "")
        if axis.unit is not None and allowed is not None and axis.unit not in allowed:
            usual = "'micrometer'" if axis.type == "space" else "'second'"
            raise MetadataError(
                f"the unit {axis.unit!r} of axis {axis.name!r} is no UDUNITS-2 unit of "
                f"{axis.type}; write it out, as in {usual}"
            )


def metres(axis: Axis) -> float:
    """Return the length of the axis's unit in metres; micrometres where it has none."""
    return _METRES.get(axis.unit or "micrometer", 1e-6)
