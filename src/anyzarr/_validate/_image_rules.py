"""Rules on the attributes of an image: ``multiscales`` of versions 0.1 to 0.5, and ``omero``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from anyzarr._validate._axes_rules import axes_04, axes_strings
from anyzarr._validate._spot import Spot, is_number
from anyzarr._validate._transform_rules import check_multiscale_06

__all__ = ["check_multiscales", "check_omero"]

_COLOR: Final = re.compile("[0-9A-Fa-f]{6}")


def check_multiscales(ome: Spot, version: str) -> None:
    """Check the key ``multiscales`` of an image's metadata."""
    multiscales = ome.required("multiscales", "a list", "multiscales")
    if multiscales is None:
        return
    multiscales.not_empty("multiscales")
    multiscales.unique("multiscales-unique")
    for multiscale in multiscales.objects("multiscales"):
        _check_multiscale(multiscale, version)


def _check_multiscale(multiscale: Spot, version: str) -> None:
    multiscale.optional("name", "a string", "multiscale-name")
    for key in ("name", "type", "metadata"):
        multiscale.recommended(key, f"multiscale-{key}")
    _check_version(multiscale, version)
    if version == "0.1":
        metadata = multiscale.optional("metadata", "an object", "multiscale-metadata")
        if metadata is not None:
            metadata.optional("method", "a string", "multiscale-metadata")
            metadata.optional("version", "a string", "multiscale-metadata")
    if version >= "0.6":
        check_multiscale_06(multiscale)
        return
    axes: list[Mapping[str, Any]] | None = None
    if version == "0.3":
        axes_strings(multiscale)
    elif version >= "0.4":
        axes = axes_04(multiscale)
        if multiscale.has("coordinateTransformations"):
            _check_transformations(multiscale, axes)
    _check_datasets(multiscale, version, axes)


def _check_version(multiscale: Spot, version: str) -> None:
    if version >= "0.5":
        return
    found = multiscale.optional("version", "a string", "version")
    if found is not None:
        found.one_of((version,), "version")
    multiscale.recommended("version", "multiscale-version")


def _check_datasets(multiscale: Spot, version: str, axes: list[Mapping[str, Any]] | None) -> None:
    datasets = multiscale.required("datasets", "a list", "datasets")
    if datasets is None or not datasets.not_empty("datasets"):
        return
    scales: list[list[float]] = []
    paths: set[str] = set()
    for dataset in datasets.objects("datasets"):
        path = dataset.required("path", "a string", "dataset-path")
        if path is not None and path.value in paths:
            path.warn("dataset-path-unique", f"{path.shown} is the path of two levels")
        if path is not None:
            paths.add(path.value)
        if version >= "0.4":
            scale = _check_transformations(dataset, axes)
            if scale is not None:
                scales.append(scale)
    if axes is not None and len(scales) == len(datasets.value):
        check_order(datasets, scales, [axis.get("type") == "space" for axis in axes])


def check_order(datasets: Spot, scales: list[list[float]], is_spatial: list[bool]) -> None:
    """Complain where a level has smaller elements than the one before it."""
    for index in range(1, len(scales)):
        before, here = scales[index - 1], scales[index]
        finer = [b > h for b, h, spatial in zip(before, here, is_spatial, strict=False) if spatial]
        if any(finer):
            datasets.at(index, None).error(
                "datasets-order",
                f"scale {here} is smaller than {before} of the level before; levels go from the "
                "largest to the smallest",
            )


def _check_transformations(owner: Spot, axes: list[Mapping[str, Any]] | None) -> list[float] | None:
    """Check a list of one scale and at most one translation; return the scale if it is one."""
    steps = owner.required("coordinateTransformations", "a list", "transformations")
    if steps is None or not steps.not_empty("transformations"):
        return None
    n_axes = None if axes is None else len(axes)
    kinds: list[Any] = []
    scale: list[float] | None = None
    for step in steps.objects("transformation"):
        kind = step.required("type", "a string", "transformation-type")
        if kind is None or not kind.one_of(("scale", "translation"), "transformation-type"):
            continue
        values = _vector(step, kind.value, n_axes)
        kinds.append(kind.value)
        scale = values if kind.value == "scale" else scale
    if kinds.count("scale") != 1:
        steps.error("transformations-scale", f"{kinds.count('scale')} scales; it must be one")
    if kinds.count("translation") > 1:
        steps.error("transformations-translation", "more than one translation; one is allowed")
    if "translation" in kinds and kinds[0] == "translation" and "scale" in kinds:
        steps.error("transformations-order", "the translation must come after the scale")
    return scale


def _vector(step: Spot, kind: str, n_axes: int | None) -> list[float] | None:
    values = step.required(kind, "a list", f"transformation-{kind}")
    if values is None:
        return None
    if not all(value.is_a("a number", f"transformation-{kind}") for value in values.items()):
        return None
    if not values.not_empty(f"transformation-{kind}", 2):
        return None
    if n_axes is not None and len(values.value) != n_axes:
        values.error(
            f"transformation-{kind}-length",
            f"{len(values.value)} numbers for {n_axes} axes; there must be one per axis",
        )
        return None
    if kind == "scale" and any(value <= 0 for value in values.value):
        values.warn("scale-positive", f"{values.shown}: sizes should be above zero")
    return [float(value) for value in values.value]


def check_omero(ome: Spot, version: str) -> None:
    """Check the key ``omero``, if it is there."""
    omero = ome.optional("omero", "an object", "omero")
    if omero is None:
        return
    channels = omero.required("channels", "a list", "omero-channels")
    if channels is None:
        return
    for channel in channels.objects("omero-channel"):
        _check_channel(channel, version)


def _check_channel(channel: Spot, version: str) -> None:
    color = channel.required("color", "a string", "omero-color")
    if color is not None and version >= "0.4":
        color.matches(_COLOR, "six hexadecimal digits, such as 00FF00", "omero-color-form")
    channel.optional("label", "a string", "omero-label")
    channel.optional("family", "a string", "omero-family")
    channel.optional("active", "true or false", "omero-active")
    window = channel.required("window", "an object", "omero-window")
    if window is None:
        return
    for key in ("min", "max", "start", "end"):
        window.required(key, "a number", "omero-window")
    low, high = window.get("start"), window.get("end")
    if is_number(low) and is_number(high) and low > high:
        window.warn("omero-window-order", f"start {low} should not be above end {high}")
