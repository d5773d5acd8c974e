"""Rules on the attributes of one group: which version, which kinds, and what each demands."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from anyzarr._validate._findings import Findings, ValidationReport
from anyzarr._validate._image_rules import check_multiscales, check_omero
from anyzarr._validate._label_rules import check_image_label, check_labels
from anyzarr._validate._plate_rules import check_layout, check_plate, check_series, check_well
from anyzarr._validate._spot import Spot
from anyzarr._validate._transform_rules import check_scene

__all__ = ["VERSIONS", "Described", "check_attributes", "validate_attributes"]

VERSIONS: Final = ("0.1", "0.2", "0.3", "0.4", "0.5", "0.6")
_CANDIDATE: Final = re.compile(r"0\.6(rc\d+)?")
# The key of the metadata, and what a group is that has it.
_KINDS: Final = {
    "multiscales": "image",
    "image-label": "label",
    "plate": "plate",
    "well": "well",
    "labels": "labels",
    "bioformats2raw.layout": "bioformats2raw",
    "series": "series",
    "scene": "scene",
}


@dataclass(frozen=True, slots=True)
class Described:
    """What a group's attributes say it is.

    Attributes
    ----------
    version
        One of :data:`VERSIONS`, or None where there is no OME-Zarr metadata.
    kinds
        Such as ``("image",)``.
    ome
        The OME-Zarr metadata.
    """

    version: str | None
    kinds: tuple[str, ...]
    ome: Mapping[str, Any]


def check_attributes(
    attributes: Any,
    findings: Findings,
    path: str = "",
    version: str | None = None,
    inherited: str | None = None,
) -> Described:
    """Check the attributes of one group against the specification, as far as they alone tell.

    Parameters
    ----------
    attributes
        The attributes, as JSON has them.
    findings
        Where to complain.
    path
        Of the group, for the findings.
    version
        The version to check against; None: the one they state.
    inherited
        That of the group above: theirs, where they state none.
    """
    root = Spot(findings, path, "", attributes)
    if not root.is_a("an object", "attributes"):
        return Described(version, (), {})
    nested = root.has("ome") or version in {"0.5", "0.6"}
    ome = root.required("ome", "an object", "ome") if nested else root
    if ome is None:
        return Described(version or "0.5", (), {})
    found = _version_of(ome, nested=nested, wanted=version, inherited=inherited)
    kinds = tuple(kind for key, kind in _KINDS.items() if ome.has(key))
    for kind in kinds:
        _check(kind, ome, found)
    if "image" in kinds:
        check_omero(ome, found)
    return Described(found if kinds or nested else None, kinds, ome.value)


def _check(kind: str, ome: Spot, version: str) -> None:
    match kind:
        case "image":
            check_multiscales(ome, version)
        case "label":
            check_image_label(ome, version)
        case "plate":
            check_plate(ome, version)
        case "well":
            check_well(ome, version)
        case "labels":
            check_labels(ome)
        case "bioformats2raw":
            check_layout(ome)
        case "series":
            check_series(ome)
        case _:
            check_scene(ome)


def _version_of(ome: Spot, *, nested: bool, wanted: str | None, inherited: str | None) -> str:
    """Return the version to check against; complain about what is stated."""
    if not nested:
        stated = _stated(ome.value) or inherited
        return wanted or (stated if stated in VERSIONS[:4] else "0.4")
    spot = ome.required("version", "a string", "version")
    if spot is None:
        return wanted or "0.5"
    found = "0.6" if _CANDIDATE.fullmatch(spot.value) else spot.value
    if found not in {"0.5", "0.6"} or (wanted is not None and found != wanted):
        spot.error(
            "version",
            f"{spot.shown} must be {wanted or '0.5 or 0.6'} where the metadata is under 'ome'",
        )
        return wanted or "0.5"
    return str(found)


def _stated(attributes: Mapping[str, Any]) -> Any:
    multiscales = attributes.get("multiscales")
    first = multiscales[0] if isinstance(multiscales, list) and multiscales else None
    owners = (first, *(attributes.get(key) for key in ("plate", "well", "image-label")))
    stated = (owner.get("version") for owner in owners if isinstance(owner, Mapping))
    return next((version for version in stated if isinstance(version, str)), None)


def validate_attributes(attributes: Any, *, version: str | None = None) -> ValidationReport:
    """Check the attributes of one group against the specification of OME-Zarr.

    Parameters
    ----------
    attributes
        The attributes as JSON has them: with the key ``ome`` from 0.5 on.
    version
        The version to check against: ``0.1`` to ``0.6``. By default the one they state, and 0.4
        where they state none.

    Returns
    -------
    ValidationReport
        With ``valid``, ``errors`` and ``warnings``. Attributes that hold no OME-Zarr metadata
        are not valid.

    Examples
    --------
    >>> from anyzarr import validate_attributes
    >>> report = validate_attributes({"ome": {"version": "0.5", "labels": ["cells", 3]}})
    >>> report.valid
    False
    >>> print(report.errors[0])
    / ome.labels[1]: 3 must be a string [labels-path]
    """
    findings = Findings()
    described = check_attributes(attributes, findings, version=version)
    if not described.kinds and not findings.errors:
        Spot(findings, "", "", attributes).error(
            "no-metadata",
            "there is no OME-Zarr metadata: none of the keys " + ", ".join(_KINDS),
        )
    return ValidationReport(
        location="",
        version=described.version,
        kinds=described.kinds,
        deep=False,
        n_nodes=1,
        n_chunks=0,
        errors=findings.errors,
        warnings=findings.warnings,
    )
