"""What reading gives: dataclasses that also answer to keys, as dictionaries would."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

__all__ = ["Result"]


class Result:
    """A result whose fields and counts are also found by key.

    A key whose value is None is not there.
    """

    _keys: ClassVar[tuple[str, ...]] = ()

    def keys(self) -> list[str]:
        """Return the keys that are there."""
        return [key for key in self._keys if getattr(self, key) is not None]

    def __getitem__(self, key: str) -> Any:
        """Return a value by its key."""
        if key not in self:
            raise KeyError(f"{key!r}: there are {', '.join(self.keys())}")
        return getattr(self, key)

    def get(self, key: str, default: Any = None) -> Any:
        """Return a value by its key, or the default."""
        value = getattr(self, key) if key in self._keys else None
        return default if value is None else value

    def __contains__(self, key: object) -> bool:
        return key in self._keys and getattr(self, str(key)) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self.keys())

    def items(self) -> list[tuple[str, Any]]:
        """Return keys and values."""
        return [(key, self[key]) for key in self.keys()]
