"""Which keys of a hierarchy go into an archive, and in which order."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from anyzarr._atomic import SET_ASIDE, STAGED
from anyzarr.abc import ObjectInfo

__all__ = ["JOURNAL", "Contents", "arrange", "is_stray", "natural_key"]

JOURNAL: Final = ".anyzarr-convert/"
"""Prefix of what a conversion notes at its target, as long as that is not complete."""

_V2_DOCUMENTS = (".zgroup", ".zarray", ".zattrs", ".zmetadata")

# What file managers leave behind. As folders they hold nothing of ours either.
_STRAY_NAMES = frozenset(
    {
        ".DS_Store", ".Spotlight-V100", ".TemporaryItems", ".Trashes", ".fseventsd",
        "Icon\r", "Thumbs.db", "__MACOSX", "desktop.ini",
    }
)  # fmt: skip

# What interrupted writers leave behind, ours and the peers'. Objects only: a node may well be
# called "cells.part", and then its objects are "cells.part/zarr.json" and the like.
_STRAY_OBJECT = re.compile(
    r"\._.*|.*~|.*\.(?:tmp|temp|part|partial|swp|crdownload|__lock)|.*#\d+|\.anyzarr-writer-of-\d+"
)


@dataclass(frozen=True, slots=True)
class Contents:
    """The keys of one hierarchy in the order RFC-9 recommends.

    Attributes
    ----------
    documents
        Metadata documents: the root's first, then breadth-first.
    data
        Everything else, siblings in natural order (``c/2`` before ``c/10``).
    strays
        Keys that belong to no hierarchy and are left out.
    zarr_format
        3, or 2, by the root's document; None where there is no root document.
    """

    documents: tuple[ObjectInfo, ...]
    data: tuple[ObjectInfo, ...]
    strays: tuple[str, ...]
    zarr_format: int | None

    @property
    def total_bytes(self) -> int:
        """Bytes of all that is kept."""
        return sum(item.size for part in (self.documents, self.data) for item in part)


def is_stray(key: str) -> bool:
    """Return whether an object is none of a hierarchy's.

    File managers and interrupted writers leave some, and zipped hierarchies are hierarchies of
    their own.
    """
    parts = key.split("/")
    if not _STRAY_NAMES.isdisjoint(parts) or _is_staged(key, parts):
        return True
    name = parts[-1]
    # A hierarchy must not be embedded in another one, so archives of some lie here by accident.
    return name.lower().endswith(".ozx") or _STRAY_OBJECT.fullmatch(name) is not None


def _is_staged(key: str, parts: list[str]) -> bool:
    # Of an interrupted conversion there is a folder with everything in it.
    if not (key.startswith(".") or "/." in key):
        return False
    return any(STAGED.fullmatch(part) or SET_ASIDE.fullmatch(part) for part in parts)


def natural_key(key: str) -> tuple[tuple[int, int, str], ...]:
    """Return a sort key in which ``2`` comes before ``10`` and folders keep together."""
    return tuple(
        (0, int(part), part) if part.isascii() and part.isdigit() else (1, 0, part)
        for part in key.split("/")
    )


def arrange(objects: Iterable[ObjectInfo]) -> Contents:
    """Sort a store's objects into the contents of an archive."""
    kept: list[ObjectInfo] = []
    strays: list[str] = []
    for item in objects:
        if item.key.startswith(JOURNAL):
            continue  # of the conversion that is being packed
        if is_stray(item.key):
            strays.append(item.key)
        else:
            kept.append(item)
    roots = {item.key for item in kept if "/" not in item.key}
    zarr_format = 3 if "zarr.json" in roots else 2 if roots & {".zgroup", ".zarray"} else None
    # Documents of the other format are no metadata of this hierarchy, so they come later.
    names = _V2_DOCUMENTS if zarr_format == 2 else ("zarr.json",)
    documents: list[ObjectInfo] = []
    data: list[ObjectInfo] = []
    for item in kept:
        (documents if _name(item.key) in names else data).append(item)
    return Contents(
        tuple(sorted(documents, key=_breadth_first)),
        tuple(sorted(data, key=lambda item: natural_key(item.key))),
        tuple(sorted(strays)),
        zarr_format,
    )


def _name(key: str) -> str:
    return key.rpartition("/")[2]


def _breadth_first(item: ObjectInfo) -> tuple[int, tuple[tuple[int, int, str], ...], int]:
    folder, _, name = item.key.rpartition("/")
    rank = -1 if name == "zarr.json" else _V2_DOCUMENTS.index(name)
    depth = item.key.count("/")
    return depth, natural_key(folder), rank
