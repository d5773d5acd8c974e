"""What the consolidated metadata of a group says of the nodes below it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anyzarr.abc import Store
from anyzarr.crud._children import direct_children
from anyzarr.crud._consolidated import read_consolidated
from anyzarr.crud._nodes import structural_changes

__all__ = ["Known", "known_below"]

Document = Mapping[str, Any]


class Known:
    """Documents by path, of a hierarchy whose metadata is consolidated.

    Shared by the handles that were opened from one group. It is believed only as long as this
    process has changed no document anywhere: a change drops what is stored, so what is remembered
    must go as well.

    Parameters
    ----------
    base
        Path of the group that holds the consolidated metadata.
    documents
        By path relative to it.
    """

    def __init__(self, base: str, documents: Mapping[str, Document]) -> None:
        self._base = f"{base}/" if base else ""
        self._documents = documents
        self._changes = structural_changes()

    @property
    def is_current(self) -> bool:
        """Whether it may be believed."""
        return self._changes == structural_changes()

    def document(self, path: str) -> Document | None:
        """Return the document of a node by its path in the store, or None."""
        return self._documents.get(path[len(self._base) :])

    def children(self, path: str) -> list[tuple[str, Document]]:
        """Return name and document of the nodes directly below a group, sorted by name."""
        relative = f"{path}/"[len(self._base) :] if path else ""
        if len(path) < len(self._base):
            relative = ""
        below = {
            name[len(relative) :]: document
            for name, document in self._documents.items()
            if name.startswith(relative)
        }
        return [(name, document) for name, document in direct_children(below)]


def known_below(store: Store, path: str, document: Document) -> Known | None:
    """Return what a group's own consolidated metadata says; None if it has none."""
    documents = read_consolidated(store, path, document)
    return None if documents is None else Known(path, documents)
