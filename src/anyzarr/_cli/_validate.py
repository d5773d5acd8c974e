"""``anyzarr validate LOCATION``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from anyzarr._cli._console import print_error, print_json, stdout
from anyzarr._cli._options import JsonFlag, OpenOptions
from anyzarr._cli._progress import progress_bar
from anyzarr.errors import AnyzarrError

if TYPE_CHECKING:
    from anyzarr._validate import Finding, ValidationReport

__all__ = ["validate"]

VALID, BROKEN, CANNOT_OPEN = 0, 1, 2
_SHOWN = 50


def validate(
    location: str | None = None,
    path: str = "",
    /,
    *,
    deep: bool = False,
    attributes: Annotated[
        str | None, Parameter(name="--attributes", allow_leading_hyphen=True)
    ] = None,
    version: str | None = None,
    json: JsonFlag = False,
    opening: OpenOptions = OpenOptions(),  # noqa: B008 - immutable
) -> int:
    """Check OME-Zarr against the specification: exit 0 valid, 1 a rule is broken, 2 not opened.

    Parameters
    ----------
    location
        Path or URL of an image, plate, well, label or series; a folder, a .zip or an .ozx.
    path
        Path of a group within it.
    deep
        Look at the pixels too: every chunk decodes, and the levels agree with each other.
    attributes
        Check a file instead, which holds the attributes of one group as JSON ("-": stdin).
    version
        With --attributes: the version to check against. Default: the one they state.
    json
        Print JSON: {"valid": ..., "errors": [...], "warnings": [...]}.
    """
    try:
        report = _report(location, path, deep, attributes, version, opening)
    except (AnyzarrError, OSError, ValueError) as error:
        if json:
            print_json({"valid": False, "errors": [_unopened(error)], "warnings": []})
        print_error(str(error))
        return CANNOT_OPEN
    if json:
        print_json(report.to_dict())
    else:
        _show(report)
    return VALID if report.valid else BROKEN


def _report(
    location: str | None,
    path: str,
    deep: bool,
    attributes: str | None,
    version: str | None,
    opening: OpenOptions,
) -> ValidationReport:
    import anyzarr._validate as library

    if (location is None) == (attributes is None):
        raise ValueError("give either a location or --attributes FILE")
    if version is not None and version not in library.VERSIONS:
        raise ValueError(f"version {version!r} is not one of {', '.join(library.VERSIONS)}")
    if attributes is not None:
        return library.validate_attributes(_read(attributes), version=version)
    if version is not None:
        raise ValueError("--version goes with --attributes; a location says its own")
    with progress_bar() as progress:
        return library.validate(
            location, path=path, deep=deep, progress=progress, **opening.keywords()
        )


def _read(name: str) -> Any:
    import json as library

    text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    try:
        return library.loads(text)
    except ValueError as error:
        raise ValueError(f"{name} is no JSON: {error}") from None


def _unopened(error: Exception) -> dict[str, str]:
    return {"path": "", "where": "", "rule": "cannot-open", "message": str(error)}


def _show(report: ValidationReport) -> None:
    console = stdout()
    for name, findings in (("error", report.errors), ("warning", report.warnings)):
        _list(name, findings)
    for rule in report.archive:
        met = "ok" if rule.met else "broken"
        text = f"archive {rule.demand:<6} {rule.rule:<18} {met:<6} {rule.says}"
        console.print(text, markup=False, soft_wrap=True)
    what = " and ".join(report.kinds) or "group"
    version = f"OME-Zarr {report.version} " if report.version else ""
    looked = f"{report.n_nodes} groups and arrays"
    if report.deep:
        looked += f", {report.n_chunks} chunks decoded"
    counts = f"{len(report.errors)} errors, {len(report.warnings)} warnings"
    verdict = "valid" if report.valid else "NOT VALID"
    text = f"{version}{what}: {verdict} ({counts}; {looked})"
    console.print(text, markup=False, soft_wrap=True)


def _list(name: str, findings: Sequence[Finding]) -> None:
    console = stdout()
    for finding in findings[:_SHOWN]:
        console.print(f"{name}: {finding}", markup=False, soft_wrap=True)
    if len(findings) > _SHOWN:
        console.print(f"… and {len(findings) - _SHOWN} more; --json lists them all", markup=False)
