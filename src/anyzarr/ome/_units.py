"""Physical sizes as people write them: a number, and the unit it is in."""

from __future__ import annotations

import re
from typing import Final

from anyzarr.errors import MetadataError

__all__ = ["parse_size", "unit_name"]

_SIZE: Final = re.compile(r"(?P<number>[+-]?[0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?)(?P<unit>.*)")
_NAMES: Final = {
    "um": "micrometer", "µm": "micrometer", "μm": "micrometer", "nm": "nanometer",
    "mm": "millimeter", "pm": "picometer", "cm": "centimeter", "m": "meter", "A": "angstrom",
    "Å": "angstrom", "s": "second", "ms": "millisecond", "us": "microsecond", "min": "minute",
    "h": "hour", "d": "day",
}  # fmt: skip


def unit_name(text: str) -> str:
    """Return the UDUNITS name of an abbreviated unit; a name as it is.

    >>> from anyzarr.ome._units import unit_name
    >>> unit_name("um"), unit_name("nanometer")
    ('micrometer', 'nanometer')
    """
    return _NAMES.get(text, text)


def parse_size(text: str) -> tuple[float, str | None]:
    """Return the number of a size, and its unit by the name that OME-Zarr has for it.

    Raises
    ------
    MetadataError
        It is no size.

    Examples
    --------
    >>> from anyzarr.ome import parse_size
    >>> parse_size("2.0um"), parse_size("0.5")
    ((2.0, 'micrometer'), (0.5, None))
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise MetadataError(f"{text!r} is not a size such as 0.5 or 0.5um")
    unit = match["unit"].strip()
    return float(match["number"]), unit_name(unit) or None
