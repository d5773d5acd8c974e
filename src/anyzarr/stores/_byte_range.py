"""A part of an object of another store, as an object."""

from __future__ import annotations

from typing import NoReturn

from anyzarr.abc import ByteRange, ObjectInfo, Store, StoreSpec
from anyzarr.errors import CorruptDataError
from anyzarr.stores._single import SingleObjectStore

__all__ = ["ByteRangeStore", "open_byte_range"]


class ByteRangeStore(SingleObjectStore):
    """The bytes ``[start, stop)`` of an object, as the only object of a store.

    Parameters
    ----------
    source
        The store and key of the object.
    start, stop
        First byte, and one past the last; the object must hold them all.
    """

    def __init__(self, source: tuple[Store, str], start: int, stop: int) -> None:
        self._start, self._stop = start, stop
        step = f"byte-range:{start}-{stop}"
        super().__init__("byte-range", source, step, start=start, stop=stop)

    def _read(self, byte_range: ByteRange | None) -> bytes | None:
        size = self._stop - self._start
        a, b = (byte_range or ByteRange()).resolve(size)
        if a == b:
            return None if self._look_up() is None else b""
        part = ByteRange(self._start + a, self._start + b)
        data = self._container.get(self._source_key, part)
        if data is not None and len(data) != b - a:
            self._refuse(self._start + a + len(data))
        return data

    def _look_up(self) -> ObjectInfo | None:
        info = self._container.head(self._source_key)
        if info is None:
            return None
        if info.size < self._stop:
            self._refuse(info.size)
        return ObjectInfo(self.key, self._stop - self._start, info.etag)

    def _refuse(self, size: int) -> NoReturn:
        raise CorruptDataError(
            f"{self._label} asks for the bytes {self._start} to {self._stop} of an object that has "
            f"{size}; check the range, or get the object again",
            store=self._label,
            key=self.key,
        )


def open_byte_range(
    root: str, *, container: StoreSpec, key: str, start: int, stop: int, read_only: bool = True
) -> ByteRangeStore:
    """Rebuild a :class:`ByteRangeStore` from its spec."""
    from anyzarr.stores._registry import from_spec

    return ByteRangeStore((from_spec(container), key), start, stop)
