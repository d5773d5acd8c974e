"""Where a node is that is only looked at: its store, and its path in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anyzarr._nodes._array import Array
from anyzarr._nodes._group import Group
from anyzarr.abc import Store
from anyzarr.stores import open_store

__all__ = ["locate"]


def locate(
    location: Any, path: str, backend: str | None, backend_kwargs: Mapping[str, Any]
) -> tuple[Store, str]:
    """Return the store of a location, opened for reading, and the path of the node in it."""
    if isinstance(location, Array | Group):
        parts = (location.path, path.strip("/"))
        return location.store, "/".join(part for part in parts if part)
    return open_store(location, backend=backend, mode="r", **backend_kwargs), path.strip("/")
