"""What is said of a store to people: where it is, and what holds its bytes."""

from __future__ import annotations

from typing import Final

from anyzarr._url import redact
from anyzarr.abc import Store
from anyzarr.stores._base import address_at

__all__ = ["holding_backend", "shown_root"]

_VIEWS: Final = frozenset({"cache", "prefix"})


def holding_backend(store: Store) -> str:
    """Return the name of the backend that holds a store's bytes, whatever view of it this is."""
    spec = store.spec
    while spec.backend in _VIEWS:
        spec = spec.options["store"]
    return spec.backend


def shown_root(store: Store) -> str:
    """Return where a store's keys begin: a path, or a URL (pipeline) without secrets."""
    root = store.spec.root
    if store.spec.backend not in _VIEWS and "://" not in root:
        return root  # the path of a folder or an archive, or what a live object is called
    return redact(address_at(store, ""))
