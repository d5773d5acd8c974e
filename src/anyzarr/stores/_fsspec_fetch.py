"""Requests of our own on fsspec's HTTP and S3 sessions, whose answers are checked.

``cat_file`` gives bytes and nothing else: not which part of the object they are, nor of which
version of it, and over HTTP whatever the server sent. These give the bytes that were asked for,
with size and ETag of the object they are from, or raise.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeAlias

from anyzarr._optional import require
from anyzarr.abc import ByteRange, ObjectInfo
from anyzarr.stores._retry import BadAnswerError, Retry, is_passing_status

__all__ = [
    "LARGE_BYTES",
    "Fetch",
    "Found",
    "bounded",
    "delete_s3",
    "fetch_of",
    "head",
    "is_s3",
    "needs_size",
    "put_s3",
]

LARGE_BYTES: Final = 1 << 26
"""From here on an object is written in parts, and a range is not asked for unseen."""


Found: TypeAlias = tuple[bytes, ObjectInfo]
Fetch: TypeAlias = Callable[[Any, str, str, "ByteRange | None"], Awaitable[Found]]

_CONTENT_RANGE: Final = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_UNSATISFIED: Final = re.compile(r"bytes \*/(\d+)")
_ABSENT: Final = frozenset({404, 410})


def fetch_of(fs: Any) -> Fetch | None:
    """Return how to read from a filesystem of exactly these classes; None for all others."""
    if _class_of(fs) == "fsspec.implementations.http.HTTPFileSystem":
        return _fetch_http
    return _fetch_s3 if is_s3(fs) else None


def is_s3(fs: Any) -> bool:
    """Whether a filesystem is exactly s3fs's."""
    return _class_of(fs) == "s3fs.core.S3FileSystem"


def _class_of(fs: Any) -> str:
    return f"{type(fs).__module__}.{type(fs).__qualname__}"


# ------------------------------------------------------------------ HTTP


async def _fetch_http(fs: Any, url: str, key: str, byte_range: ByteRange | None) -> Found:
    session = await fs.set_session()
    options = _request_options(fs, {} if byte_range is None else {"Range": _header(byte_range)})
    async with session.get(fs.encode_url(url), **options) as answer:
        if answer.status == 416 and byte_range is not None:
            outside = _UNSATISFIED.fullmatch(answer.headers.get("Content-Range", ""))
            if outside is not None and byte_range.start >= 0:
                return b"", ObjectInfo(key, int(outside[1]), answer.headers.get("ETag"))
        else:
            _raise_for_status(answer, url)
            data = await answer.read()
            etag = answer.headers.get("ETag")
            stated = answer.headers.get("Content-Range") if answer.status == 206 else None
            if answer.status == 206 and stated is None:
                raise BadAnswerError("the server sent a part without saying which")
            return _cut(key, data, etag, stated, byte_range)
    return await _fetch_resolved(fs, url, key, byte_range)


async def _fetch_resolved(fs: Any, url: str, key: str, byte_range: ByteRange) -> Found:
    """Ask otherwise for a range that was refused: a suffix, as a server may not know it."""
    info = await _head_http(fs, url, key)
    start, stop = byte_range.resolve(info.size)
    if start == stop:
        return b"", info
    if (start, stop) == (byte_range.start, byte_range.stop):
        raise BadAnswerError("the server refused a range that lies within the object")
    return await _fetch_http(fs, url, key, ByteRange(start, stop))


async def head(fs: Any, path: str, key: str) -> ObjectInfo:
    """Return size and ETag of an object of a filesystem that :func:`fetch_of` knows.

    Raises
    ------
    FileNotFoundError
        Nothing is there. What else goes wrong is not taken for that.
    """
    return await (_head_s3 if is_s3(fs) else _head_http)(fs, path, key)


async def _head_http(fs: Any, url: str, key: str) -> ObjectInfo:
    session = await fs.set_session()
    options = {"allow_redirects": True, **_request_options(fs, {})}
    async with session.head(fs.encode_url(url), **options) as answer:
        size = answer.headers.get("Content-Length")
        if answer.status < 300 and size is not None:
            return ObjectInfo(key, int(size), answer.headers.get("ETag"))
        if answer.status in _ABSENT or is_passing_status(answer.status):
            _raise_for_status(answer, url)
    # Some servers know no HEAD, or do not say the size in its answer.
    async with session.get(fs.encode_url(url), **options) as answer:
        _raise_for_status(answer, url)
        size = answer.headers.get("Content-Length")
        length = len(await answer.read()) if size is None else int(size)
        return ObjectInfo(key, length, answer.headers.get("ETag"))


def _request_options(fs: Any, headers: Mapping[str, str]) -> dict[str, Any]:
    options = dict(fs.kwargs)
    seconds = Retry.current().timeout_seconds
    if seconds is not None and "timeout" not in options:
        from aiohttp import ClientTimeout

        options["timeout"] = ClientTimeout(total=seconds)
    plain = {"Accept-Encoding": "identity"}
    options["headers"] = {**plain, **(options.get("headers") or {}), **headers}
    return options


def _raise_for_status(answer: Any, url: str) -> None:
    if answer.status in _ABSENT:
        raise FileNotFoundError(url)
    answer.raise_for_status()


# ------------------------------------------------------------------ S3


async def _fetch_s3(fs: Any, path: str, key: str, byte_range: ByteRange | None) -> Found:
    what = _named(fs, path)
    if byte_range is not None:
        what["Range"] = _header(byte_range)
    try:
        answer = await _call_s3(fs, "get_object", what)
    except OSError as error:
        if byte_range is None or not _is_unsatisfied(error):
            raise
        info = await _head_s3(fs, path, key)
        start, stop = byte_range.resolve(info.size)
        if start != stop:
            raise BadAnswerError(
                "the service refused a range that lies within the object"
            ) from error
        return b"", info
    try:
        data = await answer["Body"].read()
    finally:
        answer["Body"].close()
    status = answer["ResponseMetadata"]["HTTPStatusCode"]
    stated = answer.get("ContentRange")
    if status == 206 and stated is None:
        raise BadAnswerError("the service sent a part without saying which")
    return _cut(key, bytes(data), answer.get("ETag"), stated, byte_range)


async def _head_s3(fs: Any, path: str, key: str) -> ObjectInfo:
    answer = await _call_s3(fs, "head_object", _named(fs, path))
    return ObjectInfo(key, int(answer["ContentLength"]), answer.get("ETag"))


async def put_s3(fs: Any, path: str, value: bytes) -> str | None:
    """Replace an object by one request; return its ETag."""
    answer = await _call_s3(fs, "put_object", {**_named(fs, path), "Body": value})
    etag = answer.get("ETag")
    return None if etag is None else str(etag)


async def delete_s3(fs: Any, path: str) -> None:
    """Remove an object; absent is no error."""
    await _call_s3(fs, "delete_object", _named(fs, path))


def _named(fs: Any, path: str) -> dict[str, Any]:
    bucket, name, version = fs.split_path(path)
    what = {"Bucket": bucket, "Key": name}
    return what if version is None else {**what, "VersionId": version}


async def _call_s3(fs: Any, method: str, what: Mapping[str, Any]) -> Any:
    """Make one request; the retries are ours."""
    client_error = require("botocore.exceptions", extra="s3fs").ClientError
    translated = require("s3fs.errors", extra="s3fs").translate_boto_error
    await fs.set_session()
    function = getattr(await fs.get_s3(what["Bucket"]), method)
    try:
        return await function(**fs._get_s3_method_kwargs(function, **what))
    except client_error as error:
        raise translated(error) from error


def _is_unsatisfied(error: OSError) -> bool:
    response = getattr(error.__cause__, "response", None) or {}
    return bool(response.get("ResponseMetadata", {}).get("HTTPStatusCode") == 416)


# ------------------------------------------------------------------ both


def _header(byte_range: ByteRange) -> str:
    if byte_range.start < 0:
        return f"bytes={byte_range.start}"
    last = "" if byte_range.stop is None else str(byte_range.stop - 1)
    return f"bytes={byte_range.start}-{last}"


def _cut(
    key: str, data: bytes, etag: str | None, stated: str | None, byte_range: ByteRange | None
) -> Found:
    """Return the bytes that were asked for from an answer that may hold more than these."""
    if stated is None:
        info = ObjectInfo(key, len(data), etag)
        return (data if byte_range is None else data[slice(*byte_range.resolve(len(data)))]), info
    known = _CONTENT_RANGE.fullmatch(stated.strip())
    if known is None:
        raise BadAnswerError(f"the server sent a part and called it {stated!r}")
    first, last, size = map(int, known.groups())
    wanted = (byte_range or ByteRange()).resolve(size)
    if (first, last + 1) != wanted:
        raise BadAnswerError(
            f"the server was asked for bytes [{wanted[0]}, {wanted[1]}) and sent "
            f"[{first}, {last + 1})"
        )
    if len(data) != last + 1 - first:
        raise BadAnswerError(
            f"the server announced bytes [{first}, {last + 1}), and sent {len(data)} bytes"
        )
    return data, ObjectInfo(key, size, etag)


def bounded(data: Any, start: int, stop: int | None) -> bytes:
    """Return what another file system gave for a range, if it is not more than that."""
    if stop is not None and len(data) > stop - start:
        raise BadAnswerError(
            f"bytes [{start}, {stop}) were asked for, and {len(data)} bytes were given"
        )
    return bytes(data)


def needs_size(byte_range: ByteRange) -> bool:
    """Whether the size of an object is to be known before a range of it is asked for."""
    start, stop = byte_range.start, byte_range.stop
    # Some file systems allocate what is asked for, whatever there is.
    return start < 0 or start == stop or (stop is not None and stop - start > LARGE_BYTES)
