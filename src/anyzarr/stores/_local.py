"""Files below a directory."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

from anyzarr._os_errors import because
from anyzarr._parallel import map_ordered
from anyzarr._url import file_url
from anyzarr.abc import (
    ABSENT,
    ByteRange,
    Capabilities,
    Level,
    ObjectInfo,
    Precondition,
    Request,
    StoreSpec,
)
from anyzarr.errors import AnyzarrError, ConflictError
from anyzarr.stores._base import BaseStore, Results
from anyzarr.stores._keys import validate_key
from anyzarr.stores._local_copy import copied_ranges
from anyzarr.stores._local_files import (
    atomic_write,
    atomic_write_parts,
    create_file,
    etag_of,
    is_no_object,
    is_temporary,
    prune,
    read_at,
    write_all,
)
from anyzarr.stores._locks import key_lock

__all__ = ["LocalStore"]

_THREADS_FROM = 8
_BLOCK_BYTES = 1 << 17
"""Small enough for what was read to be in the processor's cache when it is written elsewhere."""


class LocalStore(BaseStore):
    """Objects as files below a directory.

    Parameters
    ----------
    root
        The directory. It need not exist: listing it is then empty, and the first put makes it.
        It may be a symbolic link, and links below it are followed.
    read_only
        Whether to refuse to write.

    Notes
    -----
    A put is atomic: a temporary file in the same directory (``.anyzarr-<16 hex digits>.tmp``,
    never listed) is renamed into place, so readers see the old bytes or the new ones, and a
    failed write leaves the old ones. It is not forced to the disk (no ``fsync``).

    ``precondition=ABSENT`` is exact against every process where the file system has hard
    links. An ETag precondition is exact within this process only, hence
    ``capabilities.conditional_put`` is False.

    Deleting an object also removes the directories that it leaves empty.

    Examples
    --------
    >>> import tempfile
    >>> from anyzarr.stores import LocalStore
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     store = LocalStore(directory)
    ...     _ = store.put("image/zarr.json", b"{}")
    ...     store.list_level().prefixes
    ('image/',)
    """

    def __init__(self, root: str | os.PathLike[str], *, read_only: bool = False) -> None:
        self._root = os.path.abspath(os.path.expanduser(os.fspath(root)))  # noqa: PTH100, PTH111
        super().__init__(StoreSpec("local", self._root, read_only=read_only))

    @property
    def root(self) -> str:
        """Absolute path of the directory."""
        return self._root

    @property
    def address(self) -> str:
        """The directory as a ``file://`` URL."""
        return file_url(self._root)

    def __str__(self) -> str:
        return self._root

    @property
    def _label(self) -> str:
        return self._root

    @property
    def capabilities(self) -> Capabilities:
        """What the store can do."""
        return Capabilities(writable=not self._spec.read_only, local_root=self._root)

    def at_prefix(self, prefix: str) -> LocalStore:
        """Return the store of the directory at the prefix."""
        path = self._path(prefix.rstrip("/"))
        return LocalStore(path, read_only=self._spec.read_only)

    def _path(self, key: str) -> str:
        return f"{self._root}/{key}" if key else self._root

    def _os_error(self, error: OSError, key: str, doing: str) -> AnyzarrError:
        return self._error(f"cannot {doing} {key!r} in {self._label}: {because(error)}", key)

    # ------------------------------------------------------------------ reading

    def _open(self, key: str) -> int | None:
        try:
            # Non-blocking, so that a named pipe is found out instead of waited for.
            fd = os.open(self._path(key), os.O_RDONLY | os.O_NONBLOCK)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise self._os_error(error, key, "read") from error
        return fd

    def _get(self, key: str, byte_range: ByteRange | None) -> bytes | None:
        fd = self._open(key)
        if fd is None:
            return None
        try:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                return None
            return read_at(fd, *_resolve(byte_range, status.st_size))
        except OSError as error:
            raise self._os_error(error, key, "read") from error
        finally:
            os.close(fd)

    def _read(self, key: str, ranges: Sequence[ByteRange | None]) -> Results:
        fd = self._open(key)
        if fd is None:
            return [None] * len(ranges)
        try:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                return [None] * len(ranges)
            return [read_at(fd, *_resolve(part, status.st_size)) for part in ranges]
        except OSError as error:
            raise self._os_error(error, key, "read") from error
        finally:
            os.close(fd)

    def _get_stream(self, key: str) -> Iterator[bytes] | None:
        return None if is_no_object(self._path(key)) else self._blocks(key)

    def _blocks(self, key: str) -> Iterator[bytes]:
        fd = self._open(key)
        if fd is None:
            raise self._error(
                f"{key!r} in {self._label} was removed before it was read; read it again when "
                "nothing writes to it",
                key,
                cls=ConflictError,
            )
        try:
            while block := os.read(fd, _BLOCK_BYTES):
                yield block
        except OSError as error:
            raise self._os_error(error, key, "read") from error
        finally:
            os.close(fd)

    def _get_many(self, requests: Sequence[Request]) -> Results:
        by_key: dict[str, list[int]] = {}
        for index, (key, _) in enumerate(requests):
            by_key.setdefault(key, []).append(index)
        results: Results = [None] * len(requests)

        def read(key: str) -> None:
            indices = by_key[key]
            parts = self._read(key, [requests[index][1] for index in indices])
            for index, part in zip(indices, parts, strict=True):
                results[index] = part

        map_ordered(read, by_key, limit=1 if len(by_key) < _THREADS_FROM else None)
        return results

    def _head(self, key: str) -> ObjectInfo | None:
        try:
            status = os.stat(self._path(key))  # noqa: PTH116
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise self._os_error(error, key, "look up") from error
        if not stat.S_ISREG(status.st_mode):
            return None
        return ObjectInfo(key, status.st_size, etag_of(status))

    # ------------------------------------------------------------------ listing

    def _scan(self, prefix: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(self._path(prefix.rstrip("/"))) as entries:
                return [entry for entry in entries if not is_temporary(entry.name)]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise self._os_error(error, prefix, "list") from error

    def _list(self, prefix: str) -> Iterator[ObjectInfo]:
        try:
            root = os.stat(self._root)  # noqa: PTH116
        except (FileNotFoundError, NotADirectoryError):
            return iter(())
        except OSError as error:
            raise self._os_error(error, prefix, "list") from error
        return self._walk(prefix, frozenset({(root.st_dev, root.st_ino)}))

    def _walk(self, prefix: str, above: frozenset[tuple[int, int]]) -> Iterator[ObjectInfo]:
        # ``above`` holds the directories we are in, so that a link to one of them ends there.
        for entry in self._scan(prefix):
            key = prefix + entry.name
            try:
                status = entry.stat()
            except FileNotFoundError:
                continue  # removed meanwhile, or a dangling link
            except OSError as error:
                raise self._os_error(error, key, "list") from error
            if stat.S_ISREG(status.st_mode):
                yield ObjectInfo(key, status.st_size, etag_of(status))
            elif stat.S_ISDIR(status.st_mode):
                here = (status.st_dev, status.st_ino)
                if here not in above:
                    yield from self._walk(key + "/", above | {here})

    def _list_level(self, prefix: str) -> Level:
        entries = self._scan(prefix)
        keys = sorted(prefix + e.name for e in entries if _is(e.is_file))
        prefixes = sorted(f"{prefix}{e.name}/" for e in entries if _is(e.is_dir))
        return Level(tuple(keys), tuple(prefixes))

    # ------------------------------------------------------------------ writing

    def _put(
        self, key: str, value: bytes | memoryview, precondition: Precondition | None
    ) -> str | None:
        if is_temporary(key.rpartition("/")[2]):
            raise self._error(
                f"{key!r} cannot be written to {self._label}: names like .anyzarr-*.tmp and "
                ".*.partial are those of unfinished files and are never listed; use another name",
                key,
            )
        path = self._path(key)
        try:
            with key_lock(self._root, key):
                if isinstance(precondition, str):
                    info = self._head(key)
                    if info is None or info.etag != precondition:
                        raise self._conflict(key, precondition)
                return atomic_write(path, value, exclusive=precondition is ABSENT)
        except FileExistsError as error:
            if precondition is ABSENT and os.path.lexists(path):
                raise self._conflict(key, precondition) from error
            raise self._os_error(error, key, "write") from error
        except OSError as error:
            raise self._os_error(error, key, "write") from error

    def put_new(self, key: str, parts: Iterable[bytes]) -> None:
        """Write an object that is not there, in place: not all or nothing, but in less time.

        For a directory that nobody looks at before it is complete. Raises ``StoreError`` if
        there is such an object.
        """
        path = self._path(validate_key(key, store=self._label))
        try:
            fd = create_file(os.path.dirname(path), path)  # noqa: PTH120
            try:
                for part in parts:
                    write_all(fd, part)
            finally:
                os.close(fd)
        except OSError as error:
            raise self._os_error(error, key, "write") from error

    def put_copy(
        self,
        key: str,
        source: LocalStore,
        item: ObjectInfo,
        advance: Callable[[int], None],
        folders: set[str],
    ) -> bool:
        """Write an object as :meth:`put_new` does, from another local store, in the kernel.

        Parameters
        ----------
        key
            Of the new object.
        source, item
            What to copy, as it was listed.
        advance
            Told the bytes that are copied.
        folders
            Those that are known to be there; the object's is made, if it is none of them, and
            added. Nothing may remove them meanwhile.

        Returns
        -------
        bool
            Whether the source was and is as it was listed; else what was written is of no use.
        """
        path = self._path(validate_key(key, store=self._label))
        fd = source._open(item.key)
        if fd is None:
            return False
        try:
            if etag_of(os.fstat(fd)) != item.etag:
                return False
            self._make_folder(key.rpartition("/")[0], folders)
            size = 0
            with contextlib.closing(self._copied(fd, path, key, item.size)) as parts:
                for n_bytes in parts:
                    size += n_bytes
                    advance(n_bytes)
            return size == item.size and etag_of(os.fstat(fd)) == item.etag
        finally:
            os.close(fd)

    def _make_folder(self, folder: str, known: set[str]) -> None:
        if folder in known or not folder:
            return
        self._make_folder(folder.rpartition("/")[0], known)
        try:
            os.mkdir(self._path(folder))  # noqa: PTH102
        except FileExistsError:
            pass  # a file of this name is found out when the object is created
        except OSError as error:
            raise self._os_error(error, folder, "write") from error
        known.add(folder)

    def _copied(self, source: int, path: str, key: str, size: int) -> Generator[int, None, None]:
        """Copy so much of an open file to a new one; yield the size of each part."""
        try:
            fd = create_file(os.path.dirname(path), path)  # noqa: PTH120
        except OSError as error:
            raise self._os_error(error, key, "write") from error
        try:
            parts = copied_ranges(source, fd, size)
            while True:
                try:
                    n_bytes = next(parts, 0)
                except OSError as error:
                    raise self._os_error(error, key, "write") from error
                if not n_bytes:
                    return
                yield n_bytes
        finally:
            os.close(fd)

    def _put_stream(self, key: str, parts: Iterable[bytes], size_limit: int) -> None:
        try:
            atomic_write_parts(self._path(key), parts)
        except OSError as error:
            raise self._os_error(error, key, "write") from error

    def _delete(self, key: str) -> None:
        try:
            with key_lock(self._root, key):
                os.unlink(self._path(key))  # noqa: PTH108
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            if self._is_directory(key):
                return
            raise self._os_error(error, key, "delete") from error
        prune(self._root, key)

    def _is_directory(self, key: str) -> bool:
        path = self._path(key)
        return os.path.isdir(path) and not os.path.islink(path)  # noqa: PTH112, PTH114

    def _delete_prefix(self, prefix: str) -> None:
        try:
            if prefix:
                self._remove_directory(self._path(prefix[:-1]))
                prune(self._root, prefix[:-1])
            else:
                self._empty_root()
        except OSError as error:
            raise self._os_error(error, prefix, "delete") from error

    def _empty_root(self) -> None:
        try:
            names = os.listdir(self._root)  # noqa: PTH208
        except FileNotFoundError:
            return
        for name in names:
            path = self._path(name)
            if not self._remove_directory(path):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)  # noqa: PTH108

    def _remove_directory(self, path: str) -> bool:
        """Remove a directory with all below it, of a link to one the link only."""
        if not os.path.isdir(path):  # noqa: PTH112
            return False
        with contextlib.suppress(FileNotFoundError):
            if os.path.islink(path):  # noqa: PTH114
                os.unlink(path)  # noqa: PTH108
            else:
                shutil.rmtree(path)
        return True


def _resolve(byte_range: ByteRange | None, size: int) -> tuple[int, int]:
    return (0, size) if byte_range is None else byte_range.resolve(size)


def _is(question: Callable[[], bool]) -> bool:
    try:
        return question()
    except OSError:
        return False


def open_local(root: str, *, read_only: bool = False) -> LocalStore:
    """Open a directory: the factory of the ``local`` backend."""
    return LocalStore(root, read_only=read_only)
