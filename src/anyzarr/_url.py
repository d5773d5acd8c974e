"""Parse locations written as text: paths, URLs and URL pipelines.

A pipeline is read left to right, from the outer container inwards:
``s3://bucket/a.zip|zip:inner/path/|zarr3:``. Nothing here touches the disk or the network.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias
from urllib.parse import quote, unquote, urlsplit

from anyzarr.errors import MetadataError, StoreError

__all__ = [
    "SCHEMES_LOCAL",
    "SCHEMES_OBJECT_STORE",
    "Adapter",
    "Location",
    "ZarrFormat",
    "child_url",
    "file_url",
    "format_step",
    "hide_bars",
    "one_format",
    "parse_location",
    "plain_path",
    "quote_path",
    "redact",
    "show_bars",
]

ZarrFormat: TypeAlias = Literal[2, 3]

SCHEMES_LOCAL: Final = frozenset({"file", "local"})
"""Schemes of URLs that name a path on this machine. A bare path has none and is local too."""

SCHEMES_OBJECT_STORE: Final = frozenset(
    {"abfs", "abfss", "az", "azure", "gcs", "gs", "http", "https", "s3", "s3a"}
)
"""Schemes that obstore reads; fsspec takes them where obstore is not installed."""

_ARCHIVE_ADAPTERS: Final = frozenset({"zip", "ozx"})
_COMPRESSIONS: Final = frozenset({"gzip", "zstd"})
_FORMATS: Final[dict[str, ZarrFormat | None]] = {"zarr": None, "zarr2": 2, "zarr3": 3}

_NAME = re.compile(r"[a-z][a-z0-9+.\-]*")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):/")
_CHAINED = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*::")
_FILE = re.compile(r"(?:file|local):", re.IGNORECASE)
_HIDDEN_BAR = re.compile(r"%(25)?((?:25)*7C)", re.IGNORECASE)
_UNQUOTED = re.compile(r"[A-Za-z0-9_.\-~/!$&'()*+,;=:@]*")
_QUERY = re.compile(r"(https?://[^\s?|'\"]*)\?[^\s|'\"]+")
_USERINFO = re.compile(r"(://)[^/@\s]*@")


@dataclass(frozen=True, slots=True)
class Adapter:
    """One step of a URL pipeline.

    Attributes
    ----------
    name
        Lower case: ``zip``, ``gzip``, ``zarr3``, …
    body
        What is written after the colon, as it is.
    """

    name: str
    body: str

    @property
    def path(self) -> str:
        """The body as a path: decoded, without slashes at either end."""
        return unquote(self.body, errors="surrogateescape").strip("/")

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
        The steps of the pipeline after the base, but for the last if it names the format.
    node_path
        The path that a last step ``zarr:``, ``zarr2:`` or ``zarr3:`` gives.
    zarr_format
        The format that it tells; None if it tells none.
    """

    scheme: str
    base: str
    adapters: tuple[Adapter, ...] = ()
    node_path: str = ""
    zarr_format: ZarrFormat | None = None

    @property
    def inner_path(self) -> str:
        """The path that the one archive step and the node step give together."""
        parts = (*(step.path for step in self.adapters), self.node_path)
        return "/".join(part for part in parts if part)

    @property
    def object_name(self) -> str:
        """The name of the one object that the location may be; ``""`` if it names none.

        Of what ``gzip:`` and ``zstd:`` decompress, that of the compressed object without its
        ending.
        """
        steps, n_endings = list(self.adapters), 0
        while steps and steps[-1].name in _COMPRESSIONS:
            n_endings += 1
            steps.pop()
        if self.node_path or (steps and not steps[-1].path):
            return ""
        name = (steps[-1].path if steps else self._base_path).rpartition("/")[2]
        return name.rsplit(".", n_endings)[0] if n_endings else name

    @property
    def _base_path(self) -> str:
        if self.is_local:
            return self.base.replace(os.sep, "/")
        path = self.base.partition("://")[2].partition("/")[2]
        if self.scheme in ("http", "https"):
            path = path.partition("?")[0].partition("#")[0]
        return unquote(path, errors="surrogateescape").rstrip("/")

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
        It is empty, a ``file:`` URL names another host, a step is no step, or one comes after
        ``zarr:``, ``zarr2:`` or ``zarr3:``. Whether there is such a step is not looked at.

    Examples
    --------
    >>> from anyzarr._url import parse_location
    >>> parse_location("S3://bucket/a.zip|ZIP:inner/")
    Location(scheme='s3', base='s3://bucket/a.zip', adapters=(Adapter(name='zip', body='inner/'),),
         node_path='', zarr_format=None)
    """
    if isinstance(location, os.PathLike):
        return Location("", _local_path(os.fspath(location)))
    base, *steps = location.split("|")
    if not base.strip():
        raise StoreError(
            f"the location {location!r} names no store: give a path, a URL or a store object"
        )
    scheme, base = _parse_base(base)
    adapters = [_parse_adapter(step, location) for step in steps]
    if not adapters or adapters[-1].name not in _FORMATS:
        _refuse_formats(adapters, location)
        return Location(scheme, base, tuple(adapters))
    node = adapters.pop()
    _refuse_formats(adapters, location)
    return Location(scheme, base, tuple(adapters), node.path, _FORMATS[node.name])


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
    return _local_path(unquote(rest, errors="surrogateescape"))


def _local_path(path: str | bytes) -> str:
    text = os.fsdecode(path)
    if not text or "\0" in text:
        raise StoreError(f"{text!r} is not a path: it is empty or holds a null character")
    # Directories end up without a trailing slash, and keys are joined to them as strings.
    return os.path.abspath(os.path.expanduser(text))  # noqa: PTH100, PTH111


def _parse_adapter(step: str, location: str) -> Adapter:
    name, _, body = step.strip().partition(":")
    name = name.lower()
    if _NAME.fullmatch(name):
        return Adapter(name, body)
    shown = redact(location)
    problem = f"the step {step!r} after '|'" if step.strip() else "an empty step after '|'"
    raise StoreError(
        f"{shown!r} has {problem}; a step is a name, a colon and a path, as in zip:inner/path "
        "(give a pathlib.Path for a path with '|' in it, or write it as %7C)",
        store=shown,
        kind="malformed_pipeline",
    )


def _refuse_formats(adapters: list[Adapter], location: str) -> None:
    for step in adapters:
        if step.name in _FORMATS:
            shown = redact(location)
            raise StoreError(
                f"{shown!r} goes on after '{step.name}:', and a Zarr node holds nothing to go on "
                f"with: make it the last step, with the node's path after the colon",
                store=shown,
                kind="malformed_pipeline",
            )


def format_step(zarr_format: ZarrFormat | None) -> str:
    """Return the step that tells a format; ``""`` for none."""
    return "" if zarr_format is None else f"|zarr{zarr_format}:"


def one_format(told: ZarrFormat | None, asked: ZarrFormat | None, where: str) -> ZarrFormat | None:
    """Return the format of a location that tells one, or of an argument that does.

    Raises
    ------
    MetadataError
        They differ.
    """
    if told is None or asked is None or told == asked:
        return told if asked is None else asked
    raise MetadataError(
        f"{where} says zarr{told}: and zarr_format={asked} was asked for; leave one of them out",
        kind="zarr_format",
    )


def file_url(path: str) -> str:
    """Return an absolute path as a ``file://`` URL, safe to put before ``|``."""
    return "file://" + quote_path(path)


def quote_path(path: str) -> str:
    """Return a path as it is written in a URL, or after the colon of a pipeline step."""
    if _UNQUOTED.fullmatch(path):
        return path  # as keys of chunks are, of which there may be many
    # File names need not be UTF-8.
    return quote(path, safe="/~!$&'()*+,;=:@", errors="surrogateescape")


def child_url(base: str, path: str) -> str:
    """Return the URL of what lies at a path below a URL or a step, quoted as in a step."""
    if not path:
        return base
    if "|" not in base and base.startswith(("http://", "https://")):
        base, mark, query = base.partition("?")  # of a signed URL; it belongs to every request
        return f"{base.rstrip('/')}/{quote_path(path)}{mark}{query}"
    _, bar, step = base.rpartition("|")
    is_bare = bool(bar) and step.endswith(":") and step.count(":") == 1
    separator = "" if is_bare or base.endswith("/") else "/"
    return f"{base}{separator}{quote_path(path)}"


def hide_bars(url: str) -> str:
    """Return a URL of a library that decodes nothing, with what ``|`` is written as for it."""
    return _HIDDEN_BAR.sub(lambda found: f"%25{found[0][1:]}", url).replace("|", "%7C")


def show_bars(url: str) -> str:
    """Return what :func:`hide_bars` was given."""
    return _HIDDEN_BAR.sub(lambda found: f"%{found[2]}" if found[1] else "|", url)


def redact(url: str) -> str:
    """Return a URL without the user name, password and signature it may hold, for messages."""
    return _QUERY.sub(r"\1?…", _USERINFO.sub(r"\1", url))
