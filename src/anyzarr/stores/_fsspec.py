"""Everything that fsspec reaches: sftp, ftp, hdfs, github, and object stores too."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from anyzarr._optional import require
from anyzarr._url import child_url, file_url, hide_bars
from anyzarr.abc import ABSENT, Capabilities, Level, ObjectInfo, Precondition, StoreSpec
from anyzarr.errors import AnyzarrError, StoreError, UnsupportedError
from anyzarr.stores import _fsspec_fetch as checked
from anyzarr.stores._base import in_thread
from anyzarr.stores._fsspec_options import (
    describe_filesystem,
    etag_of_time,
    filesystem_from_url,
    library_errors,
    rebuild_filesystem,
    retry_for,
    stated_etag,
    turn_of,
    unwrap,
    url_of,
)
from anyzarr.stores._fsspec_reads import FsspecReads
from anyzarr.stores._fsspec_retry import persisting
from anyzarr.stores._fsspec_stream import stream, stream_beside
from anyzarr.stores._local_files import (
    atomic_write,
    atomic_write_parts,
    etag_of,
    is_temporary,
    prune,
)
from anyzarr.stores._locks import key_lock

__all__ = ["FsspecStore"]

T = TypeVar("T")
_LOCAL: Final = frozenset({"file", "local"})
_HTTP: Final = frozenset({"http", "https"})
_READ_ONLY: Final = _HTTP | {"git", "github", "jar", "libarchive", "reference", "tar", "zip"}
_ATOMIC: Final = frozenset(
    {"abfs", "abfss", "az", "file", "gcs", "gs", "local", "memory", "oss", "s3", "s3a"}
)
_NO_DIRECTORIES: Final = _ATOMIC - _LOCAL


class FsspecStore(FsspecReads):
    """Objects in any file system that fsspec knows.

    Parameters
    ----------
    fs
        An fsspec filesystem, or a URL (also a chained one).
    root
        Path of the directory within ``fs``; left out with a URL.
    read_only
        Whether to refuse to write.
    **options
        With a URL: fsspec's storage options. For S3 the names ``region``, ``access_key_id``,
        ``secret_access_key`` and ``session_token`` are taken as well.

    Raises
    ------
    StoreError
        No file system has the URL's scheme, or it refuses the options.
    MissingDependencyError
        fsspec, or the package it uses for the scheme, is not installed.

    Notes
    -----
    A put is atomic on object stores, in fsspec's memory, and on the local disk (where it goes
    through a temporary file, as in :class:`LocalStore`). Elsewhere (sftp, ftp, hdfs, …) it is
    what the file system makes of writing a file: a reader may see part of it, and
    ``capabilities.atomic_put`` is False.

    Preconditions are checked and then the object is written, exactly within this process only,
    so ``capabilities.conditional_put`` is False; an ETag precondition needs a file system that
    reports ETags.

    Directory listings are fetched anew on each call, whatever the file system caches.
    The asynchronous methods of asynchronous file systems run on fsspec's own event loop.

    Examples
    --------
    >>> import fsspec
    >>> from anyzarr.stores import FsspecStore
    >>> store = FsspecStore(fsspec.filesystem("memory"), "/example")
    >>> etag = store.put("a/0", b"zero")
    >>> store.get("a/0")
    b'zero'
    """

    def __init__(
        self, fs: Any, root: str | None = None, *, read_only: bool = False, **options: Any
    ) -> None:
        self._fsspec = require("fsspec", extra="fsspec", purpose="This location")
        described: dict[str, Any] = options
        if isinstance(fs, str):
            url = fs
            fs, path = filesystem_from_url(url, options)
            root_url = url if "::" in url else url_of(fs, path)
            if "host" in fs.storage_options and "password" in fs.storage_options:
                described = {"password": fs.storage_options["password"], **options}
        else:
            fs, path = unwrap(fs, "" if root is None else root)
            root_url = url_of(fs, path)
            described = describe_filesystem(fs)
        self._fs = fs
        self._pid = os.getpid()
        self._retry = retry_for(fs)
        self._path_root = str(path).rstrip("/")
        protocol = fs.protocol
        self._protocols = {protocol} if isinstance(protocol, str) else set(protocol)
        if "filesystem" in described:
            described["path"] = self._path_root
        super().__init__(StoreSpec("fsspec", root_url, described, read_only=read_only))

    @property
    def address(self) -> str:
        """Where the objects are, as a URL."""
        return file_url(self._path_root) if self.is_local else self._spec.root

    def address_at(self, path: str) -> str:
        """Return the address of what is at a key, or below a prefix."""
        if self.is_local or self._is_http or not path:
            return super().address_at(path)
        return f"{self.address.rstrip('/')}/{hide_bars(path)}"

    @property
    def fs(self) -> Any:
        """The fsspec filesystem; after a fork a new one, for the old one's loop is gone."""
        if self._pid != os.getpid():
            self._fs = rebuild_filesystem(**describe_filesystem(self._fs))
            self._pid = os.getpid()
        return self._fs

    @property
    def _turn(self) -> contextlib.AbstractContextManager[object]:
        """To be held while the file system is used."""
        return turn_of(self.fs, self._protocols)

    @property
    def root(self) -> str:
        """Path of the directory within :attr:`fs`."""
        return self._path_root

    @property
    def is_local(self) -> bool:
        """Whether the file system is that of this machine."""
        return bool(self._protocols & _LOCAL)

    @property
    def _is_ftp(self) -> bool:
        return "ftp" in self._protocols

    @property
    def _is_http(self) -> bool:
        return bool(self._protocols & _HTTP)

    @property
    def capabilities(self) -> Capabilities:
        """What the store can do."""
        return Capabilities(
            writable=not (self._spec.read_only or self._protocols & _READ_ONLY),
            listable=not self._protocols & _HTTP,
            native_async=bool(self._fs.async_impl),
            atomic_put=bool(self._protocols & _ATOMIC),
            local_root=self._path_root if self.is_local else None,
        )

    def at_prefix(self, prefix: str) -> FsspecStore:
        """Return a store of the same file system whose keys are those below the prefix."""
        path = self._path(prefix.rstrip("/"))
        return FsspecStore(self.fs, path, read_only=self._spec.read_only)

    def _path(self, key: str) -> str:
        if self._is_http:
            return child_url(self._path_root, key)
        if not key:
            return self._path_root or self._fs.root_marker
        return f"{self._path_root}/{key}" if self._path_root else key

    def _key(self, name: str) -> str:
        # HTTP names are whole URLs; others may or may not begin with a slash.
        path = str(self._fs._strip_protocol(name)).strip("/")
        root = self._path_root.strip("/")
        return path[len(root) :].lstrip("/") if path.startswith(root) else path

    # ------------------------------------------------------------------ head, list

    def _info(self, key: str, info: Mapping[str, Any] | None) -> ObjectInfo | None:
        if info is None or info.get("type") == "directory":
            return None
        return ObjectInfo(key, int(info.get("size") or 0), self._etag(info))

    def _etag(self, info: Mapping[str, Any]) -> str | None:
        tag = stated_etag(info)
        if tag is None and self.is_local:
            return etag_of(os.stat(info["name"]))  # noqa: PTH116
        return tag or etag_of_time(info)

    def _head(self, key: str) -> ObjectInfo | None:
        path = self._path(key)
        if self._fetch is not None:
            # fsspec's own over HTTP takes every failure for absence.
            return self._run(
                key, "look up", lambda: self._wait_for(lambda: checked.head(self.fs, path, key))
            )

        def look() -> Any:
            self.fs.invalidate_cache(self._fs._parent(path))
            return self.fs.info(path)

        return self._info(key, self._run(key, "look up", look))

    async def _head_async(self, key: str) -> ObjectInfo | None:
        if not self.fs.async_impl:
            return await in_thread(self._head, key)
        path = self._path(key)
        if self._fetch is not None:
            return await self._await(key, "look up", lambda: checked.head(self.fs, path, key))
        self.fs.invalidate_cache(self._fs._parent(path))
        return self._info(key, await self._await(key, "look up", lambda: self.fs._info(path)))

    def _is_hidden(self, below: str) -> bool:
        """Whether what is at a path below the listed prefix is being written."""
        return self.is_local and any(is_temporary(part) for part in below.split("/"))

    def _infos(self, prefix: str, found: Any) -> Iterator[ObjectInfo]:
        # Of a path that is a file, some give its name alone: nothing is below it.
        for name, detail in found.items() if isinstance(found, Mapping) else ():
            key = self._key(name)
            if name.endswith("/") or not key.startswith(prefix) or key == prefix:
                continue  # a marker that some tools leave for a directory
            if self._is_hidden(key[len(prefix) :]):
                continue
            try:
                info = self._info(key, detail)
            except FileNotFoundError:
                continue  # removed meanwhile
            if info is not None:
                yield info

    def _list(self, prefix: str) -> Iterator[ObjectInfo]:
        path = self._path(prefix.rstrip("/"))

        def find() -> Any:
            self.fs.invalidate_cache()
            if self._is_ftp and not self.fs.isdir(path):
                return {}  # its listing would show the file as something below itself
            return self.fs.find(path, detail=True)

        return self._infos(prefix, self._run(prefix, "list", find))

    async def _list_async(self, prefix: str) -> Iterable[ObjectInfo]:
        if not self.fs.async_impl:
            return await in_thread(lambda: tuple(self._list(prefix)))
        path = self._path(prefix.rstrip("/"))
        self.fs.invalidate_cache()
        found = await self._await(prefix, "list", lambda: self.fs._find(path, detail=True))
        return tuple(self._infos(prefix, found))

    def _level(self, prefix: str, found: Sequence[Mapping[str, Any]] | None) -> Level:
        keys, prefixes = set(), set()
        for info in found or ():
            name = str(info["name"])
            key = self._key(name)
            # Listing a file gives the file itself, and a directory may list its own marker.
            if "/" in key[len(prefix) :].rstrip("/") or not key.startswith(prefix):
                continue
            if key.rstrip("/") in ("", prefix.rstrip("/")) or self._is_hidden(key[len(prefix) :]):
                continue
            if info.get("type") == "directory":
                prefixes.add(f"{key.rstrip('/')}/")
            elif not name.endswith("/"):
                keys.add(key)
        return Level(tuple(sorted(keys)), tuple(sorted(prefixes)))

    def _list_level(self, prefix: str) -> Level:
        path = self._path(prefix.rstrip("/"))

        def look() -> Any:
            self.fs.invalidate_cache()
            if self._is_ftp and not self.fs.isdir(path):
                return ()
            return self.fs.ls(path, detail=True)

        return self._level(prefix, self._run(prefix, "list", look))

    async def _list_level_async(self, prefix: str) -> Level:
        if not self.fs.async_impl:
            return await in_thread(self._list_level, prefix)
        path = self._path(prefix.rstrip("/"))
        self.fs.invalidate_cache()
        found = await self._await(prefix, "list", lambda: self.fs._ls(path, detail=True))
        return self._level(prefix, found)

    # ------------------------------------------------------------------ put, delete

    def _check(self, key: str, precondition: Precondition, info: ObjectInfo | None) -> None:
        if isinstance(precondition, str) and info is not None and info.etag is None:
            raise self._error(
                f"{self._label} reports no ETags, so {key!r} cannot be written on the condition "
                f"{precondition!r}: write without a precondition",
                key,
                cls=UnsupportedError,
            )
        held = ABSENT if info is None else info.etag
        if held != precondition:
            raise self._conflict(key, precondition)

    def _put(
        self, key: str, value: bytes | memoryview, precondition: Precondition | None
    ) -> str | None:
        with key_lock(self._spec.root, key):
            if precondition is not None:
                self._check(key, precondition, self._head(key))
            try:
                return self._run(
                    key,
                    "write",
                    lambda: self._write(key, value, exclusive=precondition is ABSENT),
                )
            except StoreError as error:
                if precondition is ABSENT and isinstance(error.__cause__, FileExistsError):
                    raise self._conflict(key, precondition) from error
                raise

    def _write(self, key: str, value: bytes | memoryview, *, exclusive: bool) -> str | None:
        path = self._path(key)
        if self.is_local:
            return atomic_write(path, value, exclusive=exclusive)
        if checked.is_s3(self._fs) and len(value) <= checked.LARGE_BYTES:
            return self._wait_for(lambda: checked.put_s3(self.fs, path, bytes(value)))
        if not self._protocols & _ATOMIC:
            self.fs.makedirs(self._fs._parent(path), exist_ok=True)
        persisting(lambda: self.fs.pipe_file(path, bytes(value)))
        info = self._head(key)
        return None if info is None else info.etag

    def _put_stream(self, key: str, parts: Iterable[bytes], size_limit: int) -> None:
        path = self._path(key)
        try:
            if self.is_local:
                atomic_write_parts(path, parts)
            elif "memory" in self._protocols:  # shows a file as soon as it is opened
                super()._put_stream(key, parts, size_limit)
            elif self._protocols & _ATOMIC:
                stream(self.fs, path, parts, size_limit)
            else:
                with self._turn:
                    stream_beside(self.fs, path, parts)
        except AnyzarrError:
            raise
        except library_errors() as error:
            self._fail(error, key, "write")

    def _delete(self, key: str) -> None:
        path = self._path(key)
        with key_lock(self._spec.root, key):
            # Only a file: removing a directory by a key would take what is below it.
            if checked.is_s3(self._fs) or self._head(key) is not None:
                self._run(key, "delete", lambda: self._remove(path))
        if self.is_local:
            prune(self._path_root, key)

    def _remove(self, path: str) -> None:
        if checked.is_s3(self._fs):
            self._wait_for(lambda: checked.delete_s3(self.fs, path))
        else:
            self.fs.rm_file(path)

    def _delete_prefix(self, prefix: str) -> None:
        for info in tuple(self._list(prefix)):
            path = self._path(info.key)
            self._run(info.key, "delete", functools.partial(self._remove, path))
        if not self._protocols & _NO_DIRECTORIES:
            for left in (prefix,) if prefix else self._list_level("").prefixes:
                self._remove_directory(left)

    def _remove_directory(self, prefix: str) -> None:
        """Remove the empty directories that are left, where directories are things."""
        path = self._path(prefix.rstrip("/"))
        # An object may have the name of the prefix: only a directory is removed.
        self._run(prefix, "delete", lambda: self.fs.isdir(path) and self.fs.rm(path, True))
        if self.is_local:
            prune(self._path_root, prefix.rstrip("/"))


def open_fsspec(root: str, *, read_only: bool = False, **options: Any) -> FsspecStore:
    """Open a URL: the factory of the ``fsspec`` backend."""
    if "filesystem" in options:
        path = options.pop("path")
        return FsspecStore(rebuild_filesystem(**options), path, read_only=read_only)
    return FsspecStore(root, read_only=read_only, **options)
