"""Where a zip archive's bytes come from: an open local file, or an object of another store."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Sequence
from typing import Any, Protocol

from anyzarr._parallel import map_ordered
from anyzarr._url import file_url, redact
from anyzarr.abc import ByteRange, ObjectInfo, Store
from anyzarr.errors import StoreError
from anyzarr.stores._base import address_at, read_versions
from anyzarr.stores._local_files import etag_of, read_at

__all__ = ["FileSource", "ObjectSource", "OpenFile", "Source"]

_THREADS_FROM = 8


class Source(Protocol):
    """The bytes of an archive. Reads are positional, so any number may go on at once.

    Attributes
    ----------
    label, url
        Its printable address, and its URL.
    step_bytes
        How much to read at once of what is read from its beginning to its end.
    """

    label: str
    url: str
    step_bytes: int

    def size(self) -> int: ...
    def etag(self) -> str | None: ...
    def read(self, start: int, stop: int) -> bytes: ...
    def read_many(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]: ...
    def close(self) -> None: ...


class OpenFile:
    """A file opened for reading; closed when nobody holds it any more.

    Attributes
    ----------
    descriptor
        To be read by position, so that threads and forked children do not disturb each other.
    kept
        What a reader made of the file, to be dropped with it; None at first.
    """

    def __init__(self, path: str) -> None:
        self.descriptor = os.open(path, os.O_RDONLY)
        self.kept: Any = None
        weakref.finalize(self, os.close, self.descriptor)


class FileSource:
    """A local file, open for as long as the store lives; ``pread`` moves no shared pointer.

    A forked child inherits the descriptor and reads by position too, so neither disturbs the
    other. The file stays the one that was opened, also when another is renamed over it.
    """

    step_bytes = 1 << 17

    def __init__(self, path: str) -> None:
        self.label = path
        self.url = file_url(path)
        self._path = path
        self._lock = threading.Lock()
        self._file: OpenFile | None = None

    def open(self) -> OpenFile:
        file = self._file
        if file is None:
            with self._lock:
                file = self._file
                if file is None:
                    file = self._file = OpenFile(self._path)
        return file

    def _status(self) -> os.stat_result:
        file = self.open()
        return os.fstat(file.descriptor)

    def size(self) -> int:
        return self._status().st_size

    def etag(self) -> str | None:
        return etag_of(self._status())

    def read(self, start: int, stop: int) -> bytes:
        file = self.open()  # held while it is read, though the store be closed meanwhile
        return read_at(file.descriptor, start, stop)

    def read_many(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        limit = 1 if len(ranges) < _THREADS_FROM else None
        return map_ordered(lambda part: self.read(*part), ranges, limit=limit)

    def close(self) -> None:
        with self._lock:
            self._file = None


class ObjectSource:
    """An object of another store, read by ranges."""

    step_bytes = 16 << 20

    def __init__(self, store: Store, key: str) -> None:
        self._store = store
        self._key = key
        self.url = address_at(store, key)
        is_odd = not {"|", "?"}.isdisjoint(self.url)
        self.label = redact(self.url) if is_odd else f"{str(store).rstrip('/')}/{key}"
        self._info: ObjectInfo | None = None
        self._kept: tuple[int, bytes] = (0, b"")

    @property
    def place(self) -> tuple[Store, str]:
        """The store, and the archive's key in it."""
        return self._store, self._key

    def _head(self) -> ObjectInfo:
        if self._info is None:
            self._info = self._store.head(self._key)
            if self._info is None:
                raise FileNotFoundError(2, "there is no such object", self.label)
        return self._info

    def size(self) -> int:
        return self._head().size

    def etag(self) -> str | None:
        return self._head().etag

    def keep(self, start: int, stop: int) -> None:
        """Read some bytes now, in one request, for whoever asks for parts of them later."""
        self._kept = (start, self._read_many([(start, stop)])[0])

    def read(self, start: int, stop: int) -> bytes:
        return self.read_many([(start, stop)])[0]

    def read_many(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        parts = [self._from_kept(*span) for span in ranges]
        missing = [index for index, part in enumerate(parts) if part is None]
        found = self._read_many([ranges[index] for index in missing]) if missing else []
        for index, part in zip(missing, found, strict=True):
            parts[index] = part
        return [part or b"" for part in parts]

    def _read_many(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Read parts of the archive that was opened, and of no other.

        Raises
        ------
        StoreError
            Another object has taken its place.
        """
        opened = self._head()
        found = read_versions(self._store, [(self._key, ByteRange(a, b)) for a, b in ranges])
        infos = {each[1] for each in found if each is not None}
        if None in infos or not infos:
            infos = {self._store.head(self._key)}
        if any(info is None or _differ(opened, info) for info in infos):
            raise StoreError(
                f"the archive {self.label} was replaced while it was open (key {self._key!r}): "
                "open it again",
                store=str(self._store),
                key=self._key,
            )
        return [b"" if each is None else each[0] for each in found]

    def _from_kept(self, start: int, stop: int) -> bytes | None:
        at, data = self._kept
        return data[start - at : stop - at] if at <= start <= stop <= at + len(data) else None

    def close(self) -> None:
        self._info = None
        self._kept = (0, b"")


def _differ(then: ObjectInfo, now: ObjectInfo) -> bool:
    return then.size != now.size or then.etag != now.etag
