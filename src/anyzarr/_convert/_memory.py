"""How much memory a conversion may take."""

from __future__ import annotations

import os
import re
from pathlib import Path

from anyzarr._pyramid import default_memory
from anyzarr.errors import MetadataError

__all__ = ["free_bytes", "memory_of", "parse_size"]

_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kKMGT]?)(i?)B?\s*")
_POWERS = {"": 0, "k": 1, "K": 1, "M": 2, "G": 3, "T": 4}


def parse_size(text: str) -> int:
    """Return a number of bytes.

    Raises
    ------
    MetadataError
        It is none.

    Examples
    --------
    >>> from anyzarr._convert._memory import parse_size
    >>> parse_size("4GB"), parse_size("1.5 GiB"), parse_size("1000")
    (4000000000, 1610612736, 1000)
    """
    match = _SIZE.fullmatch(text)
    if match is None:
        raise MetadataError(
            f"{text!r} is no size: give a number of bytes, or one with a unit such as 4GB or 512MiB"
        )
    number, letter, binary = match.groups()
    return int(float(number) * (1024 if binary else 1000) ** _POWERS[letter])


def free_bytes() -> int | None:
    """Return how much memory this host has to give, or None where it does not say."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) << 10
    except OSError:
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return None


def memory_of(asked: int | str | None) -> int:
    """Return how much a conversion may take; by default a quarter of what is free, at most 1 GiB.

    Raises
    ------
    MetadataError
        What is asked for is no size.
    """
    if isinstance(asked, str):
        asked = parse_size(asked)
    if asked is None:
        free = free_bytes()
        return default_memory() if free is None else max(1, min(default_memory(), free // 4))
    if asked < 1:
        raise MetadataError(f"memory={asked} must be at least 1 byte")
    return asked
