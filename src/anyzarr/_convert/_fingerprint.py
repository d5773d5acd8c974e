"""What tells whether a source is still what it was, without reading it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from anyzarr.abc import ObjectInfo, Store
from anyzarr.errors import ConflictError

__all__ = [
    "fingerprint_of",
    "fingerprint_of_objects",
    "fingerprint_of_store",
    "require_same",
    "require_unchanged",
]


def fingerprint_of(files: Iterable[Path]) -> list[list[Any]]:
    """Return name, size and time of the last change of each file."""
    found = []
    for path in sorted(set(files)):
        status = path.stat()
        found.append([path.name, status.st_size, status.st_mtime_ns])
    return found


def fingerprint_of_store(store: Store) -> list[list[Any]]:
    """Return number, size and a digest of all objects in a store, without reading them."""
    return fingerprint_of_objects(store.list()) if store.capabilities.listable else []


def fingerprint_of_objects(objects: Iterable[ObjectInfo]) -> list[list[Any]]:
    """Return the same of a listing of all objects."""
    digest, n, size = hashlib.sha256(), 0, 0
    for item in sorted(objects, key=lambda item: item.key):
        digest.update(f"{item.key}\0{item.size}\0{item.etag}\n".encode())
        n, size = n + 1, size + item.size
    return [[n, size, digest.hexdigest()]]


def require_same(
    before: list[list[Any]], now: list[list[Any]], files: Iterable[Path], name: str
) -> None:
    """Refuse files that are not what they were.

    Parameters
    ----------
    before, now
        Their fingerprints.
    files, name
        The files, and what the source is called where there are none.

    Raises
    ------
    ConflictError
        They have changed.
    """
    if now != before:
        names = ", ".join(sorted({path.name for path in files})[:3]) or name
        raise ConflictError(
            f"the source changed while it was being converted ({names}), so the result may be "
            "neither the old nor the new; convert again when nothing writes to it",
            kind="source_changing",
        )


def require_unchanged(source: Store, before: list[list[Any]]) -> None:
    """Refuse a store that is not what it was.

    Raises
    ------
    ConflictError
        It has changed.
    """
    if fingerprint_of_store(source) != before:
        raise ConflictError(
            f"{source.spec} changed while it was being converted, so the result may be neither the "
            "old nor the new; convert again when nothing writes to it",
            kind="source_changing",
            store=str(source.spec),
        )
