"""Rules on labels: the list of them, and what a label image says of its values."""

from __future__ import annotations

from anyzarr._validate._spot import Spot

__all__ = ["check_image_label", "check_labels"]


def check_labels(ome: Spot) -> None:
    """Check the key ``labels`` of the group that holds label images."""
    labels = ome.required("labels", "a list", "labels")
    if labels is None:
        return
    for label in labels.items():
        label.is_a("a string", "labels-path")
    labels.unique("labels-unique")


def check_image_label(ome: Spot, version: str) -> None:
    """Check the key ``image-label`` of a label image."""
    label = ome.required("image-label", "an object", "image-label")
    if label is None:
        return
    label.recommended("colors", "image-label-colors")
    if version <= "0.4":
        label.recommended("version", "image-label-version")
        found = label.optional("version", "a string", "version")
        if found is not None:
            found.one_of((version,), "version")
    colors = label.optional("colors", "a list", "image-label-colors")
    if colors is not None:
        _check_entries(colors, "image-label-color", colors_too=True)
    properties = label.optional("properties", "a list", "image-label-properties")
    if properties is not None:
        _check_entries(properties, "image-label-property", colors_too=False)
    source = label.optional("source", "an object", "image-label-source")
    if source is not None:
        source.optional("image", "a string", "image-label-source")


def _check_entries(entries: Spot, rule: str, *, colors_too: bool) -> None:
    entries.not_empty(rule)
    entries.unique(rule)
    seen: set[float] = set()
    for entry in entries.objects(rule):
        value = entry.required("label-value", "an integer", "image-label-value")
        if value is not None:
            if value.value in seen:
                value.warn("image-label-value-unique", f"{value.shown} is described twice")
            seen.add(value.value)
        rgba = entry.optional("rgba", "a list", "image-label-rgba") if colors_too else None
        if rgba is not None:
            _check_rgba(rgba)


def _check_rgba(rgba: Spot) -> None:
    rgba.not_empty("image-label-rgba", 4, 4)
    for part in rgba.items():
        if part.is_a("an integer", "image-label-rgba") and not 0 <= part.value <= 255:
            part.error("image-label-rgba", f"{part.shown} must be from 0 to 255")
