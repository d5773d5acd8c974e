"""Wells by the names that microscopes give: ``A1``, ``run_B02_0001``, ``P3-D4``, ``A/1/R2``."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from anyzarr.ome import Spot
from anyzarr.readers._member import spot_of

__all__ = ["spots_of_names"]

_WELL = r"(?P<row>[A-Z]|A[A-F])(?P<column>0?[1-9]|[1-4]\d)"
_FORMS = tuple(
    re.compile(form)
    for form in (
        rf"{_WELL}(?:[ _#:.-]+(?:Pos|Point|Site|Field|[FPRS])?[ _#]*(?P<field>\d+))?",
        rf".+_{_WELL}_(?P<field>\d{{4}})",  # NIS-Elements, behind a name of the job
        rf"P(?P<field>\d+)-{_WELL}",  # ZEN
        r"(?:.*/)?(?P<row>[A-Z]|A[A-F])/(?P<column>0?[1-9]|[1-4]\d)/(?P<field>[^/]+)",  # LAS X
    )
)
_ROWS = frozenset("ABCDEFGH")


def spots_of_names(names: Sequence[str | None]) -> list[Spot | None]:
    """Return the wells and fields that the names of images tell.

    None throughout, unless there are several and all of them tell one. Names of one row beyond H
    (``P1``, ``P2``, …) are of positions, as likely as of wells, and taken as such.

    Parameters
    ----------
    names
        Of the images.

    Examples
    --------
    >>> [spot.path for spot in spots_of_names(["A1", "A1", "B02"])]
    ['A/1/0', 'A/1/1', 'B/2/0']
    >>> spots_of_names(["P1", "P2"]), spots_of_names(["A1", "somewhere"])
    ([None, None], [None, None])
    """
    found = [match for match in map(_matched, names) if match is not None]
    rows = {match["row"] for match in found}
    if len(found) < max(2, len(names)) or (len(rows) == 1 and not rows <= _ROWS):
        return [None] * len(names)
    wells = [(match["row"], int(match["column"])) for match in found]
    places = Counter(zip(wells, (match["field"] for match in found), strict=True))
    # Fields are numbered where their names do not tell them apart.
    are_told = max(places.values()) == 1 and all(match["field"] for match in found)
    counts: dict[tuple[str, int], int] = defaultdict(int)
    spots = []
    for well, match in zip(wells, found, strict=True):
        field = _field(match["field"]) if are_told else str(counts[well])
        counts[well] += 1
        spots.append(spot_of(*well, field))
    return (
        spots if len({spot and spot.path for spot in spots}) == len(spots) else [None] * len(names)
    )


def _matched(name: str | None) -> re.Match[str] | None:
    text = (name or "").strip()
    return next((match for form in _FORMS if (match := form.fullmatch(text))), None)


def _field(text: str) -> str:
    """Return a name of a field as a path can have it: letters and digits."""
    kept = re.sub(r"[^A-Za-z0-9]", "", text)
    return str(int(kept)) if kept.isdigit() else kept
