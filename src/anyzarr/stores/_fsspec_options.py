"""fsspec filesystems: from a URL with options, and in the mode that we use them in."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import weakref
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from anyzarr._optional import install_command, require
from anyzarr._url import hide_bars, redact, show_bars
from anyzarr.errors import MissingDependencyError, StoreError
from anyzarr.stores._base import describe
from anyzarr.stores._fsspec_clouds import cloud_options
from anyzarr.stores._retry import Retry

__all__ = [
    "client_errors",
    "describe_filesystem",
    "etag_of_time",
    "filesystem_from_url",
    "library_errors",
    "rebuild_filesystem",
    "retry_for",
    "stated_etag",
    "turn_of",
    "unwrap",
    "url_of",
]

_HTTP: Final = frozenset({"http", "https"})
_EXTRAS: Final = {
    "abfs": "adlfs",
    "abfss": "adlfs",
    "az": "adlfs",
    "azure": "adlfs",
    "gcs": "gcsfs",
    "gs": "gcsfs",
    "http": "http",
    "https": "http",
    "s3": "s3fs",
    "s3a": "s3fs",
}
_PACKAGES: Final = {
    "github": "requests",
    "hdfs": "pyarrow",
    "hf": "huggingface_hub",
    "sftp": "paramiko",
    "smb": "smbprotocol",
    "ssh": "paramiko",
    "webdav": "webdav4",
}
_ONE_AT_A_TIME: Final = frozenset({"ftp"})
"""Protocols whose client has one connection and takes no care of threads."""
_guard = threading.Lock()
_turns: dict[int, Any] = {}


def _after_fork() -> None:
    # Locks held by threads that do not exist in the child would never be released.
    global _guard
    _guard = threading.Lock()
    _turns.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

_NO_RETRIES: Final = {"total_max_attempts": 1, "mode": "standard"}
_CLIENT_ERRORS: Final = (
    ("botocore.exceptions", "BotoCoreError"),
    ("botocore.exceptions", "ClientError"),
    ("aiohttp.client_exceptions", "ClientError"),
    ("requests.exceptions", "RequestException"),
    ("azure.core.exceptions", "AzureError"),
    ("gcsfs.retry", "HttpError"),
    ("paramiko.ssh_exception", "SSHException"),
    ("fsspec.exceptions", "FSTimeoutError"),
    ("ftplib", "Error"),
)


def filesystem_from_url(url: str, options: dict[str, Any]) -> tuple[Any, str]:
    """Return a filesystem and the path in it.

    Raises
    ------
    StoreError
        No filesystem has the scheme, or it refuses the options.
    MissingDependencyError
        The package behind the scheme is not installed.
    """
    core = require("fsspec.core", extra="fsspec", purpose=f"{redact(url)!r}")
    scheme = url.partition("://")[0].lower()
    url = url if scheme in _HTTP else show_bars(url)
    try:
        fs, path = core.url_to_fs(url, **_chosen(scheme, options))
    except ImportError as error:
        extra = _EXTRAS.get(scheme)
        package = _PACKAGES.get(scheme)
        command = install_command(extra) if extra else package and f"pip install {package}"
        raise MissingDependencyError(
            f"{redact(url)!r} needs a package that is not installed: {describe(error)}"
            + (f"; install it with: {command}" if command else ""),
            store=redact(url),
        ) from error
    except (ValueError, TypeError, OSError) as error:
        raise StoreError(
            f"cannot open {redact(url)!r}: {redact(describe(error))}; check the scheme "
            "(python -c 'import fsspec; print(fsspec.available_protocols())' lists them) and "
            f"the options ({', '.join(sorted(options)) or 'none given'})",
            store=redact(url),
        ) from error
    return unwrap(fs, path)


def url_of(fs: Any, path: str) -> str:
    """Return the URL of a path, as :func:`filesystem_from_url` takes it.

    Names are not percent-encoded, for fsspec decodes nothing, but for ``|``, which would end
    the URL. HTTP paths are URLs as they are. fsspec's own URLs leave out the name of the server,
    and of the repository.
    """
    options = fs.storage_options
    if {"org", "repo"} <= set(options):
        sha = f"@{options['sha']}" if options.get("sha") else ""
        url = f"github://{options['org']}:{options['repo']}{sha}/{path.lstrip('/')}"
    elif "host" in options:
        user = f"{quote(options['username'], safe='')}@" if options.get("username") else ""
        port = f":{options['port']}" if options.get("port") else ""
        protocol = fs.protocol if isinstance(fs.protocol, str) else fs.protocol[0]
        url = f"{protocol}://{user}{options['host']}{port}/{path.lstrip('/')}"
    else:
        url = str(fs.unstrip_protocol(path))
    return url if url.startswith(("http://", "https://")) else hide_bars(url)


def turn_of(fs: Any, protocols: set[str]) -> contextlib.AbstractContextManager[object]:
    """Return what to hold while a file system is used: a lock where it cannot be shared."""
    if not protocols & _ONE_AT_A_TIME:
        return contextlib.nullcontext()
    with _guard:
        # By identity: equal file systems have connections of their own.
        turn: contextlib.AbstractContextManager[object] | None = _turns.get(id(fs))
        if turn is None:
            turn = _turns[id(fs)] = threading.RLock()
            weakref.finalize(fs, _turns.pop, id(fs), None)
        return turn


def _chosen(scheme: str, options: dict[str, Any]) -> dict[str, Any]:
    chosen = cloud_options(scheme, options)
    if scheme in ("s3", "s3a"):
        chosen["config_kwargs"] = _without_retries(chosen.get("config_kwargs") or {})
    return chosen


def _without_retries(config: dict[str, Any]) -> dict[str, Any]:
    """Return botocore's configuration with the retries left to us, where nothing is said of them.

    Its own take seconds, whatever is set here.
    """
    timeout = Retry.current().timeout_seconds
    waits = {} if timeout is None else {"read_timeout": timeout, "connect_timeout": timeout}
    return {**waits, "retries": dict(_NO_RETRIES), **config}


def retry_for(fs: Any) -> Retry:
    """Return what we do about requests that fail: nothing where the filesystem does it."""
    protocols = {fs.protocol} if isinstance(fs.protocol, str) else {*fs.protocol}
    config = fs.storage_options.get("config_kwargs") or {}
    ours = bool(protocols & {"http", "https"}) or config.get("retries") == _NO_RETRIES
    return Retry.current() if ours else Retry(retries=0)


def unwrap(fs: Any, path: str) -> tuple[Any, str]:
    """Return the filesystem behind one that only names a directory of it, and the path there."""
    while type(fs).__name__ == "DirFileSystem":
        fs, path = fs.fs, fs._join(fs._strip_protocol(path))
    fs = _twin(fs)
    return fs, fs._strip_protocol(path)


def describe_filesystem(fs: Any) -> dict[str, Any]:
    """Return what a filesystem is made from.

    Not the filesystem itself: those of two threads, or one that is not cached, are never equal.
    """
    return {
        "filesystem": type(fs),
        "args": tuple(fs.storage_args),
        "options": dict(fs.storage_options),
    }


def rebuild_filesystem(
    filesystem: Any, args: tuple[Any, ...], options: dict[str, Any], path: str = ""
) -> Any:
    """Return a filesystem made from its description."""
    return filesystem(*args, **options)


def _twin(fs: Any) -> Any:
    """Return the filesystem in blocking mode: itself, or its like.

    One made with ``asynchronous=True`` is bound to its user's event loop and has no blocking
    methods. Its like lives on fsspec's own loop, from which both kinds of methods work.
    """
    inner = getattr(fs, "sync_fs", None)
    if inner is not None:
        return inner  # an asynchronous wrapper around a blocking filesystem
    if getattr(fs, "async_impl", False) and fs.asynchronous:
        options = {**fs.storage_options, "asynchronous": False}
        options.pop("loop", None)
        return type(fs)(*fs.storage_args, **options)
    return fs


def library_errors() -> tuple[type[BaseException], ...]:
    """Return what file systems raise when something goes wrong outside Python."""
    return (OSError, EOFError, ValueError, NotImplementedError, *client_errors())


def client_errors() -> tuple[type[BaseException], ...]:
    """Return the errors of the clients that are loaded; none of them is imported for this."""
    found = []
    for module, name in _CLIENT_ERRORS:
        error = getattr(sys.modules.get(module), name, None)
        if isinstance(error, type) and issubclass(error, BaseException):
            found.append(error)
    return tuple(found)


def stated_etag(info: Mapping[str, Any]) -> str | None:
    """Return the ETag that a filesystem states of an object."""
    found = (info.get(name) for name in ("ETag", "etag", "md5Hash", "e_tag"))
    return next((str(tag) for tag in found if tag), None)


def etag_of_time(info: Mapping[str, Any]) -> str | None:
    """Return a tag made of when an object was changed, and its size."""
    for name in ("created", "mtime", "modified", "LastModified", "last_modified"):
        if info.get(name):
            when = info[name]
            # Some file systems give a datetime here and its seconds there.
            seconds = when.timestamp() if hasattr(when, "timestamp") else when
            return f"{seconds}-{info.get('size')}"
    return None
