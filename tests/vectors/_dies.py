"""A store that fails after some changes, as that of a machine that loses its power."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from anyzarr.stores import MemoryStore


class Dies(MemoryStore):
    """Lets so many changes through, then none.

    Attributes
    ----------
    left
        How many are still let through.
    changed
        Keys and prefixes of those that were.
    """

    left = 10**9

    def __init__(self, objects: MutableMapping[str, bytes] | None = None) -> None:
        super().__init__(objects)
        self.changed: list[str] = []

    def _count(self, key: str) -> None:
        if self.left <= 0:
            raise OSError("power is gone")
        self.left -= 1
        self.changed.append(key)

    def put(self, key: Any, value: Any, **options: Any) -> Any:
        self._count(key)
        return super().put(key, value, **options)

    def delete(self, key: Any) -> Any:
        self._count(key)
        return super().delete(key)

    def delete_prefix(self, prefix: Any) -> Any:
        self._count(prefix)
        return super().delete_prefix(prefix)
