"""Converting each image of a source to a hierarchy of its own."""

from __future__ import annotations

import functools
import operator
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from anyzarr._convert._conversion import Conversion
from anyzarr._convert._dry_run import ConversionPlan
from anyzarr._convert._report import ConversionReport
from anyzarr._convert._target import ARCHIVE_SUFFIXES, Location, local_path
from anyzarr.errors import MetadataError
from anyzarr.readers import SourceImage

__all__ = ["convert_apart"]

_FIELDS = ("{name}", "{index}")


def convert_apart(conversion: Conversion, split: str) -> ConversionReport:
    """Convert each image of a source to an OME-Zarr of its own.

    Parameters
    ----------
    conversion
        As for all of them. Its target is the folder they go to, or has ``{name}`` or ``{index}``
        in it.
    split
        ``positions``.

    Raises
    ------
    MetadataError
        The target has no place for several.
    NodeExistsError
        One of the targets exists; nothing was written then.
    """
    if split != "positions":
        raise MetadataError(f"split={split!r} must be 'positions': one OME-Zarr for each image")
    if conversion.series is not None:
        raise MetadataError("series= chooses one image and split= takes all; give one of the two")
    images, stem = conversion.images()
    names = _names(images, stem)
    parts = [
        replace(conversion, series=index, target=_target(conversion.target, name, index))
        for (index, _), name in zip(images, names, strict=True)
    ]
    kept = [part for part in parts if conversion.run_options.resume and _is_there(part)]
    left = [part for part in parts if part not in kept]
    for part in left:
        part.check_free()
    report = _joined([part.run() for part in left], conversion)
    if not kept:
        return report
    said = f"kept {len(kept)} of {len(parts)} images that had been converted before"
    return replace(
        report, n_resumed=report.n_resumed + len(kept), warnings=(said, *report.warnings)
    )


def _is_there(part: Conversion) -> bool:
    path = local_path(part.target.value)
    return path is not None and path.exists()


def _names(images: Sequence[tuple[int, SourceImage]], stem: str) -> list[str]:
    """Return a name for each image, good for a file, and no two the same."""
    names: list[str] = []
    for index, image in images:
        found = image.spot.path.replace("/", "_") if image.spot is not None else image.name
        name = re.sub(r"[^\w.+-]+", "_", found or f"{stem}_{index}").strip("._") or str(index)
        names.append(name)
    numbered = [f"{name}_{index}" for name, (index, _) in zip(names, images, strict=True)]
    lowered = [name.lower() for name in names]
    apart = [
        name if lowered.count(name.lower()) == 1 else other
        for name, other in zip(names, numbered, strict=True)
    ]
    return apart if len({name.lower() for name in apart}) == len(apart) else numbered


def _target(target: Location, name: str, index: int) -> Location:
    if not isinstance(target.value, str | os.PathLike):
        raise MetadataError(
            f"split= writes several OME-Zarr, and {target} is one store; give a folder or a URL"
        )
    text = os.fspath(target.value)
    if any(field in text for field in _FIELDS):
        return replace(target, value=text.replace("{name}", name).replace("{index}", str(index)))
    if "|" in text or text.lower().endswith(ARCHIVE_SUFFIXES):
        raise MetadataError(
            f"split= writes several OME-Zarr, and {text!r} has a place for one; put {{name}} or "
            "{index} into it, such as 'out/{name}.ozx'"
        )
    return replace(target, value=f"{text.rstrip('/')}/{name}.zarr")


def _joined(reports: Sequence[ConversionReport], conversion: Conversion) -> ConversionReport:
    if not reports:
        return ConversionReport(str(conversion.source), str(conversion.target), "image", 0.0, 0, 0)
    warnings = [f"{Path(r.target).name}: {w}" for r in reports for w in r.warnings]
    return replace(
        reports[0],
        target=str(conversion.target),
        size_bytes=sum(report.size_bytes for report in reports),
        n_objects=sum(report.n_objects for report in reports),
        layout="split",
        n_images=len(reports),
        n_resumed=sum(report.n_resumed for report in reports),
        verification=_added([r.verification for r in reports]),
        plan=_planned([report.plan for report in reports if report.plan is not None]),
        warnings=tuple(warnings),
    )


def _added(found: Sequence[Any]) -> Any:
    if any(each is None for each in found):
        return None
    return replace(
        found[0],
        n_images=sum(each.n_images for each in found),
        n_blocks=sum(each.n_blocks for each in found),
        n_bytes=sum(each.n_bytes for each in found),
    )


def _planned(plans: Sequence[ConversionPlan]) -> ConversionPlan | None:
    return functools.reduce(operator.add, plans) if plans else None
