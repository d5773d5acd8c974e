"""Numbers as people write them."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["count", "duration", "extent", "number", "size"]

_LIMITS = (10**9, 24, 60, 60)
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def extent(shape: Iterable[int]) -> str:
    """Return a shape as ``3 × 512 × 512``; a scalar's as ``scalar``."""
    return " × ".join(f"{n}" for n in shape) or "scalar"


def size(n_bytes: int) -> str:
    """Return a number of bytes with a binary unit, three digits where there is one."""
    value = float(n_bytes)
    unit = 0
    while value >= 1024 and unit < len(_UNITS) - 1:
        value /= 1024
        unit += 1
    if unit == 0:
        return f"{n_bytes} B"
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:.{digits}f} {_UNITS[unit]}"


def duration(seconds: float) -> str:
    """Return a time in its two largest units, whole.

    Examples
    --------
    >>> duration(7.9), duration(3700), duration(200_000)
    ('7 s', '1 h 1 min', '2 d 7 h')
    """
    total = int(seconds)
    units = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    parts = [(total // n % limit, unit) for (unit, n), limit in zip(units, _LIMITS, strict=True)]
    first = next((i for i, (value, _) in enumerate(parts) if value), len(parts) - 1)
    shown = [f"{value} {unit}" for value, unit in parts[first : first + 2] if value]
    return " ".join(shown) or "0 s"


def number(value: float) -> str:
    """Return a number in up to six digits, without trailing zeros.

    Examples
    --------
    >>> number(0.10700000000000001), number(65535.0)
    ('0.107', '65535')
    """
    return f"{value:.6g}"


def count(n: int, singular: str, plural: str | None = None) -> str:
    """Return ``1 chunk``, ``2 chunks``."""
    return f"{n:,} {singular if n == 1 else plural or singular + 's'}"
