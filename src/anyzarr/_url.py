"""Parse locations written as text: paths, URLs and URL pipelines.

A pipeline is read left to right, from the outer container inwards:
``s3://bucket/a.zip|zip:inner/path/|zarr3:``. Nothing here touches the disk or the network.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from anyzarr.errors import StoreError, UnsupportedError

__all__ = [
    "SCHEMES_LOCAL",
    "SCHEMES_OBJECT_STORE",
    "Adapter",
    "Location",
    "file_url",
    "parse_location",
    "plain_path",
    "quote_path",
    "redact",
]

SCHEMES_LOCAL: Final = frozenset({"file", "local"})
"""Schemes of URLs that name a path on this machine. A bare path has none and is local too."""

SCHEMES_OBJECT_STORE: Final = frozenset(
    {"abfs", "abfss", "az", "azure", "gcs", "gs", "http", "https", "s3", "s3a"}
)
"""Schemes that obstore reads; fsspec takes them where obstore is not installed."""

_ARCHIVE_ADAPTERS: Final = frozenset({"zip", "ozx"})
_NODE_ADAPTERS: Final = frozenset({"zarr", "zarr2", "zarr3"})
_LATER_ADAPTERS: Final = frozenset({"byte-range", "gzip", "icechunk", "json", "zstd"})

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):/")
_CHAINED = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*::")
_FILE = re.compile(r"(?:file|local):", re.IGNORECASE)
_USERINFO = re.compile(r"(://)[^/@\s]*@")


@dataclass(frozen=True, slots=True)
class Adapter:
    """One step of a URL pipeline.

    Attributes
    ----------
    name
        Lower case: ``zip``, ``ozx``, ``zarr``, ``zarr2`` or ``zarr3``.
    path
        Path inside what comes before, decoded, without slashes at either end.
    """

    name: str
    path: str

    @property
    def is_archive(self) -> bool:
        """Whether the step opens an archive (rather than descending in a hierarchy)."""
        return self.name in _ARCHIVE_ADAPTERS


@dataclass(frozen=True, slots=True)
class Location:
    """A location as text, taken apart.

    Attributes
    ----------
    scheme
        Lower case; ``""`` for a bare path.
    base
        A file system path where the location is local (decoded, absolute), else the URL.
    adapters
        The steps of the pipeline after the base.
    """

    scheme: str
    base: str
    adapters: tuple[Adapter, ...] = ()

    @property
    def is_local(self) -> bool:
        """Whether the base is a path on this machine."""
        return not self.scheme or self.scheme in SCHEMES_LOCAL

    @property
    def has_archive_name(self) -> bool:
        """Whether the base's name ends in ``.zip`` or ``.ozx``, in any case."""
        if not self.is_local and "::" in self.base:
            return False  # fsspec's own way to look into an archive
        path = self.base if self.is_local else self.base.partition("?")[0].partition("#")[0]
        return path.lower().endswith((".zip", ".ozx"))


def parse_location(location: str | os.PathLike[str]) -> Location:
    """Take a location apart.

    Parameters
    ----------
    location
        A path, a URL or a URL pipeline. A ``PathLike`` is always a bare path, so that is the
        way to name a file with ``|`` or ``://`` in it. Schemes and adapter names are
        case-insensitive; a leading ``~`` is the home directory.

    Raises
    ------
    StoreError
        It is empty, a ``file:`` URL names another host, or a step comes before an archive.
    UnsupportedError
        The pipeline has a step that is not known.

    Examples
    --------
    >>> from anyzarr._url import parse_location
    >>> parse_location("S3://bucket/a.zip|ZIP:inner/")
    Location(scheme='s3', base='s3://bucket/a.zip', adapters=(Adapter(name='zip', path='inner'),))
    """
    if isinstance(location, os.PathLike):
        return Location("", _local_path(os.fspath(location)))
    base, *steps = location.split("|")
    adapters = tuple(_parse_adapter(step, location) for step in steps)
    if not base.strip():
        raise StoreError(
            f"the location {location!r} names no store: give a path, a URL or a store object"
        )
    scheme, base = _parse_base(base)
    return Location(scheme, base, adapters)


def plain_path(location: object) -> str | None:
    """Return the absolute path of a location that can only be one; None where it may be a URL."""
    if isinstance(location, str):
        if ":" in location or "|" in location or not location.strip():
            return None
        return _local_path(location)
    return _local_path(os.fspath(location)) if isinstance(location, os.PathLike) else None


def _parse_base(text: str) -> tuple[str, str]:
    if _FILE.match(text):
        return "file", _path_of_file_url(text)
    if (chained := _CHAINED.match(text)) and "://" in text:
        return chained.group().rstrip(":").lower(), text
    match = _SCHEME.match(text)
    # "c:/x" is no scheme, and neither is "name:/x": a URL of another scheme has two slashes.
    if match is None or not text.startswith("//", match.end() - 1):
        return "", _local_path(text)
    scheme = match.group(1).lower()
    return scheme, scheme + text[len(scheme) :]


def _path_of_file_url(url: str) -> str:
    rest = url.partition(":")[2]
    if rest.startswith("//"):
        parts = urlsplit("file:" + rest)
        if parts.netloc not in ("", "localhost"):
            raise StoreError(
                f"{url!r} names the host {parts.netloc!r}, and file URLs are for this machine: "
                f"write three slashes for an absolute path, file:///{parts.netloc}{parts.path}",
                store=url,
            )
        rest = parts.path
    if not rest:
        raise StoreError(f"{url!r} names no path: write file:///path/to/data", store=url)
    return _local_path(unquote(rest))


def _local_path(path: str | bytes) -> str:
    text = os.fsdecode(path)
    if not text or "\0" in text:
        raise StoreError(f"{text!r} is not a path: it is empty or holds a null character")
    # Directories end up without a trailing slash, and keys are joined to them as strings.
    return os.path.abspath(os.path.expanduser(text))  # noqa: PTH100, PTH111


def _parse_adapter(step: str, location: str) -> Adapter:
    name, _, path = step.strip().partition(":")
    name = name.lower()
    if name in _ARCHIVE_ADAPTERS | _NODE_ADAPTERS:
        return Adapter(name, unquote(path).strip("/"))
    if name in _LATER_ADAPTERS:
        raise UnsupportedError(
            f"the step {step!r} of {redact(location)!r} is not supported by this version; "
            "unpack it first, or use zip: or ozx:",
            store=redact(location),
        )
    raise UnsupportedError(
        f"{redact(location)!r} has the unknown step {step!r} after '|'; known are ozx:, zarr:, "
        "zarr2:, zarr3: and zip: (give a pathlib.Path for a path with '|' in it)",
        store=redact(location),
    )


def file_url(path: str) -> str:
    """Return an absolute path as a ``file://`` URL, safe to put before ``|``."""
    return "file://" + quote(path, safe="/~!$&'()*+,;=:@")


def quote_path(path: str) -> str:
    """Return a path as it is written after the colon of a pipeline step."""
    return quote(path, safe="/~!$&'()*+,;=:@ ")


def redact(url: str) -> str:
    """Return a URL without the user name and password it may hold, for messages."""
    return _USERINFO.sub(r"\1", url)
