"""Zip archives, for reading: a local file by positional reads, or an object of any store."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Sequence
from typing import Final, NoReturn

from anyzarr.abc import (
    ByteRange,
    Capabilities,
    Level,
    ObjectInfo,
    Precondition,
    Request,
    Store,
    StoreSpec,
)
from anyzarr.errors import CorruptDataError, StoreError, UnsupportedError
from anyzarr.stores._base import BaseStore, Results, Versioned, describe, level_of
from anyzarr.stores._prefix import SubStore
from anyzarr.stores._zip_directory import LOCAL_HEADER
from anyzarr.stores._zip_entries import (
    DEFLATED,
    STORED,
    ArchiveComment,
    Directory,
    Entry,
    is_document,
)
from anyzarr.stores._zip_local import LocalArchive, is_plain
from anyzarr.stores._zip_members import Members, unreadable
from anyzarr.stores._zip_source import FileSource, ObjectSource, Source
from anyzarr.stores._zip_stream import checked, inflated

__all__ = ["ZipStore", "is_archive_file", "local_archive"]

_LOCAL_SIGNATURE: Final = b"PK\x03\x04"
_EMPTY_SIGNATURE: Final = b"PK\x05\x06"
_SPANNED_SIGNATURE: Final = b"PK\x07\x08"
_METHODS: Final = {
    1: "shrink",
    6: "implode",
    9: "deflate64",
    12: "bzip2",
    14: "lzma",
    93: "zstd",
    95: "xz",
}
_NEAR: Final = 1 << 16
_MOST_PREFETCHED: Final = 1 << 19
_SLACK: Final = 64
"""Room for the extra field of a local header, which the central directory does not tell."""


def is_archive_file(path: str) -> bool:
    """Return whether a local file begins as zip archives do."""
    try:
        if not os.path.isfile(path):  # noqa: PTH113
            return False
        with open(path, "rb") as file:  # noqa: PTH123
            return file.read(4) in (_LOCAL_SIGNATURE, _EMPTY_SIGNATURE, _SPANNED_SIGNATURE)
    except OSError:
        return False


class ZipStore(BaseStore):
    """The members of a zip archive, for reading.

    The central directory is read once; where the comment says that metadata comes first (RFC-9's
    ``jsonFirst``) and it is long, at first that part of it alone. Stored members are byte ranges
    of the archive; deflated ones are inflated. Reads are positional, so a store can be used from
    threads, from forked workers, and (being pickled as its address) from spawned ones.

    Parameters
    ----------
    archive
        Path of the archive, or ``(store, key)`` for one that is an object of another store.

    Raises
    ------
    StoreError
        The archive is absent or cannot be read.
    CorruptDataError
        It is no zip archive, is cut short, or is hostile: an entry with an absolute name or
        ``..`` in it, entries that overlap, sizes that cannot be, a zip bomb.
    UnsupportedError
        It is split into parts. Encrypted members, and methods other than stored and deflated,
        raise it when they are read.

    Notes
    -----
    Of entries with the same name the last counts. The CRC-32 is checked when a whole member is
    read, not when a range of it is.

    Examples
    --------
    >>> import tempfile, zipfile
    >>> from anyzarr.stores import ZipStore
    >>> with tempfile.NamedTemporaryFile(suffix=".zip") as file:
    ...     with zipfile.ZipFile(file, "w") as archive:
    ...         archive.writestr("image/zarr.json", "{}")
    ...     store = ZipStore(file.name)
    ...     store.get("image/zarr.json")
    b'{}'
    """

    def __init__(self, archive: str | os.PathLike[str] | tuple[Store, str]) -> None:
        self._source: Source
        if isinstance(archive, tuple):
            container, key = archive
            self._source = ObjectSource(container, key)
            options = {"container": container.spec, "key": key}
        else:
            path = os.path.abspath(os.path.expanduser(os.fspath(archive)))  # noqa: PTH100, PTH111
            self._source = FileSource(path)
            options = {}
        self._label_text = self._source.label
        try:
            self._members = Members(self._source, self._label_text)
            options["version"] = self._source.etag()
        except OSError as error:
            raise unreadable(error, self._label_text) from error
        self._data_starts: dict[str, int] = {}
        self._has_prefetched = False
        self._local: LocalArchive | None = None
        if isinstance(self._source, FileSource):
            self._local = LocalArchive(self._label_text, self._members.all, self._source.open)
        root = self._source.url if isinstance(archive, tuple) else self._label_text
        super().__init__(StoreSpec("zip", root, options, read_only=True))

    @property
    def directory(self) -> Directory:
        """What the archive's central directory says: entries, comment, ZIP64, duplicates."""
        return self._members.all()

    @property
    def comment(self) -> ArchiveComment:
        """What the archive's comment says of what is in it (RFC-9)."""
        return self._members.comment

    @property
    def container(self) -> tuple[Store, str] | None:
        """The store and key of an archive that is an object; None if it is a local file."""
        source = self._source
        return source.place if isinstance(source, ObjectSource) else None

    @property
    def local_archive(self) -> LocalArchive | None:
        """The archive as a local file with members in it; None if it is an object elsewhere."""
        return self._local

    @property
    def capabilities(self) -> Capabilities:
        """What the store can do."""
        return Capabilities(writable=False)

    @property
    def address(self) -> str:
        """The archive as a URL pipeline."""
        return f"{self._source.url}|zip:"

    @property
    def _label(self) -> str:
        return self._label_text

    def close(self) -> None:
        """Close the archive; it is opened again when something is read."""
        self._source.close()

    def _why_not_writable(self, key: str | None) -> str:
        return (
            f"{self._label} is a zip archive, which can only be read, so {key!r} cannot be "
            "changed: unpack it to a folder, or write a folder and convert it"
        )

    def _require_writable(self, key: str | None) -> None:
        from anyzarr.errors import ReadOnlyError

        raise self._error(self._why_not_writable(key), key, cls=ReadOnlyError)

    def member_range(self, key: str) -> tuple[int, int] | None:
        """Return where in the archive a member's bytes lie, if they are there as they are.

        Returns
        -------
        tuple of int or None
            ``[start, stop)``; None if the member is absent, deflated, or cannot be read.
        """
        entry = self._members.find(key)
        if entry is None or not is_plain(entry):
            return None
        (start,) = self._starts([entry])
        return start, start + entry.stored_bytes

    # ------------------------------------------------------------------ operations

    def _get(self, key: str, byte_range: ByteRange | None) -> bytes | None:
        return self._get_many([(key, byte_range)])[0]

    def _get_many(self, requests: Sequence[Request]) -> Results:
        results: Results = [None] * len(requests)
        wanted: list[tuple[int, Entry, ByteRange | None]] = []
        for index, (key, byte_range) in enumerate(requests):
            entry = self._members.find(key)
            if entry is not None:
                self._require_readable(entry)
                wanted.append((index, entry, byte_range))
        try:
            self._prefetch(wanted)
            self._fill(results, wanted)
        except OSError as error:
            self._raise_unreadable(error, wanted[0][1])
        return results

    def _prefetch(self, wanted: Sequence[tuple[int, Entry, ByteRange | None]]) -> None:
        """Read all documents of a remote archive when the first one is wanted, if they are few.

        Whoever opens a hierarchy asks for one after the other, each a round trip.
        """
        source = self._source
        if not isinstance(source, ObjectSource) or self._has_prefetched:
            return
        if any(is_document(entry.name) for _, entry, _ in wanted):
            self._has_prefetched = True
            stop = self._members.documents_stop()
            if stop <= _MOST_PREFETCHED:
                source.keep(0, stop)

    @property
    def _tells_versions(self) -> bool:
        return True

    def _get_many_with_info(self, requests: Sequence[Request]) -> Versioned:
        found = zip(requests, self._get_many(requests), strict=True)
        infos = ((data, self._head(key)) for (key, _), data in found)
        return [None if d is None or info is None else (d, info) for d, info in infos]

    def _fill(
        self, results: Results, wanted: Sequence[tuple[int, Entry, ByteRange | None]]
    ) -> None:
        ranges = [_range_in(entry, part) for _, entry, part in wanted]
        # A range far into a member is not worth reading all before it for its header's sake.
        self._starts([e for (_, e, _), (a, _) in zip(wanted, ranges, strict=True) if a > _NEAR])
        spans = [self._span(e, *r) for (_, e, _), r in zip(wanted, ranges, strict=True)]
        blocks = self._source.read_many(spans)
        for (index, entry, part), (a, b), (at, _), block in zip(
            wanted, ranges, spans, blocks, strict=True
        ):
            start = self._data_starts.get(entry.name)
            if start is None or at == entry.offset:
                start = self._data_starts[entry.name] = self._start(entry, block)
            data = block[start + a - at : start + b - at]
            if len(data) != b - a:
                data = self._source.read(start + a, start + b)
            if len(data) != b - a:
                self._raise_corrupt(entry, "is cut short: the archive ends before it does")
            results[index] = self._finish(entry, data, part)

    def _span(self, entry: Entry, a: int, b: int) -> tuple[int, int]:
        """Return the bytes to read for ``[a, b)`` of a member, its header included if unknown."""
        start = self._data_starts.get(entry.name)
        if start is not None:
            return start + a, start + b
        header = LOCAL_HEADER.size + len(entry.raw_name)
        return entry.offset, min(entry.offset + header + _SLACK + b, self._members.limit(entry))

    def _get_stream(self, key: str) -> Iterator[bytes] | None:
        entry = self._members.find(key)
        if entry is None:
            return None
        self._require_readable(entry)
        return checked(entry, self._pieces(entry), self._raise_corrupt)

    def _pieces(self, entry: Entry) -> Iterator[bytes]:
        """Yield a member's bytes as they are in the archive."""
        try:
            (first,) = self._starts([entry])
            end = first + entry.stored_bytes
            for start in range(first, end, self._source.step_bytes):
                stop = min(end, start + self._source.step_bytes)
                piece = self._source.read(start, stop)
                if len(piece) != stop - start:
                    self._raise_corrupt(entry, "is cut short: the archive ends before it does")
                yield piece
        except OSError as error:
            self._raise_unreadable(error, entry)

    def _finish(self, entry: Entry, data: bytes, part: ByteRange | None) -> bytes:
        if entry.method == DEFLATED:
            return self._inflate(entry, data, part)
        if part is None or len(data) == entry.size_bytes:
            self._check_crc(entry, zlib.crc32(data))
        return data

    def _put(
        self, key: str, value: bytes | memoryview, precondition: Precondition | None
    ) -> NoReturn:
        raise AssertionError("refused before it gets here")

    def _delete(self, key: str) -> NoReturn:
        raise AssertionError("refused before it gets here")

    def _head(self, key: str) -> ObjectInfo | None:
        entry = self._members.find(key)
        return None if entry is None else _info(entry)

    def _list(self, prefix: str) -> Iterator[ObjectInfo]:
        return (_info(e) for k, e in self._members.all().entries.items() if k.startswith(prefix))

    def _list_level(self, prefix: str) -> Level:
        return level_of((k for k in self._members.all().entries if k.startswith(prefix)), prefix)

    # ------------------------------------------------------------------ members

    def _starts(self, entries: Sequence[Entry]) -> list[int]:
        """Return where each entry's data begins: after its local header, of unknown length."""
        missing = {e.name: e for e in entries if e.name not in self._data_starts}
        if missing:
            todo = list(missing.values())
            size = LOCAL_HEADER.size
            headers = self._source.read_many(
                [(e.offset, e.offset + size + len(e.raw_name)) for e in todo]
            )
            for entry, header in zip(todo, headers, strict=True):
                self._data_starts[entry.name] = self._start(entry, header)
        return [self._data_starts[entry.name] for entry in entries]

    def _start(self, entry: Entry, header: bytes) -> int:
        size = LOCAL_HEADER.size
        if len(header) < size or header[:4] != _LOCAL_SIGNATURE:
            self._raise_corrupt(entry, "is not where the central directory says it is")
        *_, name_length, extra_length = LOCAL_HEADER.unpack_from(header)
        if (
            name_length != len(entry.raw_name)
            or header[size : size + name_length] != entry.raw_name
        ):
            self._raise_corrupt(entry, "has another name in its own header")
        start = entry.offset + size + int(name_length) + int(extra_length)
        if start + entry.stored_bytes > self._members.limit(entry):
            self._raise_corrupt(entry, "lies about its place: it overlaps what comes after it")
        return start

    def _require_readable(self, entry: Entry) -> None:
        if entry.is_encrypted:
            why = "is encrypted; decrypt the archive first"
        elif entry.method not in (STORED, DEFLATED):
            name = _METHODS.get(entry.method, f"number {entry.method}")
            why = f"is compressed by the method {name}; pack the archive anew without compression"
        else:
            return
        raise UnsupportedError(
            f"the entry {entry.name!r} of {self._label} {why}", store=self._label, key=entry.name
        )

    def _inflate(self, entry: Entry, data: bytes, part: ByteRange | None) -> bytes:
        start, stop = (part or ByteRange()).resolve(entry.size_bytes)
        whole = stop == entry.size_bytes
        parts: list[bytes] = []
        position = crc = 0
        for block in inflated(entry, [data], self._raise_corrupt):
            if position + len(block) > entry.size_bytes:
                self._raise_corrupt(entry, "lies about its size: it inflates to more")
            parts.append(block[max(0, start - position) : max(0, stop - position)])
            crc = zlib.crc32(block, crc) if whole else 0
            position += len(block)
            if position >= stop and not whole:
                return b"".join(parts)
        if position != entry.size_bytes:
            self._raise_corrupt(entry, "lies about its size: it inflates to less")
        self._check_crc(entry, crc)
        return b"".join(parts)

    def _check_crc(self, entry: Entry, crc: int) -> None:
        if crc != entry.crc:
            self._raise_corrupt(entry, f"has the CRC-32 {crc:08x} instead of {entry.crc:08x}")

    def _raise_corrupt(self, entry: Entry, problem: str) -> NoReturn:
        raise CorruptDataError(
            f"the entry {entry.name!r} of {self._label} {problem}; "
            "get the archive again, or make it anew",
            store=self._label,
            key=entry.name,
        )

    def _raise_unreadable(self, error: OSError, entry: Entry) -> NoReturn:
        reason = error.strerror or describe(error)
        raise StoreError(
            f"cannot read the entry {entry.name!r} of {self._label}: {reason}; check the archive",
            store=self._label,
            key=entry.name,
        ) from error


def _range_in(entry: Entry, part: ByteRange | None) -> tuple[int, int]:
    if part is None or entry.method == DEFLATED:
        return 0, entry.stored_bytes
    return part.resolve(entry.size_bytes)


def _info(entry: Entry) -> ObjectInfo:
    return ObjectInfo(entry.name, entry.size_bytes, f"{entry.crc:08x}-{entry.size_bytes:x}")


def local_archive(store: Store) -> tuple[LocalArchive, str] | None:
    """Return the local archive that a store shows members of, and the prefix of their keys.

    Returns
    -------
    tuple or None
        None for every other store, archives that are objects of another store included.
    """
    prefix = ""
    while isinstance(store, SubStore):
        prefix = store.prefix + prefix
        store = store.store
    archive = store.local_archive if isinstance(store, ZipStore) else None
    return None if archive is None else (archive, prefix)


def open_zip(
    root: str,
    *,
    container: StoreSpec | None = None,
    key: str = "",
    version: str | None = None,
    folder: str | None = None,
    read_only: bool = True,
) -> BaseStore:
    """Open an archive: the factory of the ``zip`` backend.

    One that is being made, in ``folder``, is opened to add to it.
    """
    from anyzarr.stores._registry import from_spec

    place = root if container is None else (from_spec(container), key)
    if folder is not None and os.path.isdir(folder):  # noqa: PTH112
        from anyzarr.stores._zip_write import StagedArchive

        return StagedArchive._again(place, folder)
    return ZipStore(place)
