"""The ``image-label`` metadata: colours, properties and source of a label image, as values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from anyzarr.errors import MetadataError

__all__ = ["LabelColor", "LabelMetadata", "colors_of", "properties_of"]

_VALUE = "label-value"


@dataclass(frozen=True, slots=True)
class LabelColor:
    """The colour of one label.

    Attributes
    ----------
    value
        The elements that have it.
    rgba
        Red, green, blue and opacity, 0 to 255; None where the metadata gives none.
    extra
        Further keys of the document, kept on rewriting.
    """

    value: float
    rgba: tuple[int, int, int, int] | None
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False, repr=False)

    def to_document(self) -> dict[str, Any]:
        """Return it as it stands in the metadata."""
        color = {} if self.rgba is None else {"rgba": list(self.rgba)}
        return {_VALUE: self.value, **color, **self.extra}


@dataclass(frozen=True, slots=True)
class LabelMetadata:
    """What a label image says about its labels.

    Attributes
    ----------
    colors
        One per label that has one.
    properties
        What is known of labels: documents with a ``label-value`` each.
    source
        Path from the label image to the image it labels, or None.
    extra
        Further keys of the document, kept on rewriting.
    """

    colors: tuple[LabelColor, ...] = ()
    properties: tuple[Mapping[str, Any], ...] = ()
    source: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False, repr=False)

    def to_document(self) -> dict[str, Any]:
        """Return it as it stands in the metadata."""
        document: dict[str, Any] = {}
        if self.colors:
            document["colors"] = [color.to_document() for color in self.colors]
        if self.properties:
            document["properties"] = [dict(entry) for entry in self.properties]
        if self.source is not None:
            document["source"] = {"image": self.source}
        return {**document, **self.extra}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> LabelMetadata:
        """Return what a document describes; what is odd about it is kept as it is."""
        rest = dict(document)
        colors: tuple[LabelColor, ...] = ()
        properties: tuple[Mapping[str, Any], ...] = ()
        source = None
        if _are_entries(document.get("colors")):
            colors = tuple(_color(entry) for entry in rest.pop("colors"))
        if _are_entries(document.get("properties")):
            properties = tuple(rest.pop("properties"))
        found = document.get("source")
        if (
            isinstance(found, Mapping)
            and set(found) == {"image"}
            and isinstance(found["image"], str)
        ):
            source = rest.pop("source")["image"]
        return cls(colors, properties, source, rest)

    def with_colors(self, colors: Iterable[LabelColor]) -> LabelMetadata:
        """Return it with other colours."""
        return replace(self, colors=tuple(colors))


def _are_entries(entries: Any) -> bool:
    return isinstance(entries, list) and all(
        isinstance(e, Mapping) and type(e.get(_VALUE)) in {int, float} for e in entries
    )


def _color(entry: Mapping[str, Any]) -> LabelColor:
    rgba = entry.get("rgba")
    known, color = {_VALUE}, None
    if isinstance(rgba, list) and len(rgba) == 4 and all(type(c) is int for c in rgba):
        known, color = {_VALUE, "rgba"}, (rgba[0], rgba[1], rgba[2], rgba[3])
    rest = {k: v for k, v in entry.items() if k not in known}
    return LabelColor(entry[_VALUE], color, rest)


def colors_of(colors: Mapping[int, str | Sequence[int]]) -> tuple[LabelColor, ...]:
    """Return colours by label value, given as three or four numbers or as hexadecimal digits.

    Raises
    ------
    MetadataError
        One is neither, or is given for what is no whole number.

    Examples
    --------
    >>> from anyzarr.ome._label_model import colors_of
    >>> [color.rgba for color in colors_of({1: (255, 0, 0), 2: "00FF0080"})]
    [(255, 0, 0, 255), (0, 255, 0, 128)]
    """
    return tuple(LabelColor(_value(v), _rgba(color)) for v, color in colors.items())


def _rgba(color: str | Sequence[int]) -> tuple[int, int, int, int]:
    try:
        if isinstance(color, str):
            parts = list(bytes.fromhex(color.removeprefix("#")))
        else:
            parts = [int(c) if int(c) == c else -1 for c in color]
    except (TypeError, ValueError):
        parts = []
    if len(parts) == 3:
        parts.append(255)
    if len(parts) != 4 or any(not 0 <= part <= 255 for part in parts):
        raise MetadataError(
            f"{color!r} is no colour of a label: give red, green, blue (and opacity) from 0 to "
            "255, or hexadecimal digits such as 'FF0000'"
        )
    red, green, blue, alpha = parts
    return red, green, blue, alpha


def properties_of(
    properties: Mapping[int, Mapping[str, Any]] | Iterable[Mapping[str, Any]],
) -> tuple[dict[str, Any], ...]:
    """Return properties of labels as documents, each with its ``label-value``.

    Parameters
    ----------
    properties
        By label value; or documents that have a ``label-value``.

    Raises
    ------
    MetadataError
        One has none.
    """
    if isinstance(properties, Mapping):
        return tuple({_VALUE: _value(v), **entry} for v, entry in properties.items())
    entries = [dict(entry) for entry in properties]
    for entry in entries:
        if _VALUE not in entry:
            raise MetadataError(
                f"{entry!r} does not say which label it is about; give it a 'label-value'"
            )
        entry[_VALUE] = _value(entry[_VALUE])
    return tuple(entries)


def _value(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise MetadataError(f"{value!r} is no label value: labels are whole numbers")
    return int(value)
