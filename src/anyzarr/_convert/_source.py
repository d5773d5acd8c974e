"""What a reader of an image format offers, and the registry of readers."""

from __future__ import annotations

import importlib.metadata
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from anyzarr._pyramid import Region
from anyzarr.errors import UnsupportedError
from anyzarr.ome import Axis, Channel

__all__ = [
    "ImageReader",
    "ReaderKind",
    "SourceImage",
    "is_image_name",
    "list_readers",
    "reader_for",
    "refuse_series",
    "register_reader",
    "require_known",
]


@dataclass(frozen=True, slots=True)
class SourceImage:
    """What a file says about an image.

    Attributes
    ----------
    name
        The image's name, or None.
    shape, dtype
        Of its pixels, in the order of ``axes``.
    axes
        In the order of OME-Zarr: time, channel, space.
    scale
        Physical size of an element per axis, 1 where it is not known.
    channels
        What is known of the channels, or None.
    windows_are_known
        Whether the channels' windows are the ones to show, or only a range of values.
    ome_xml
        The OME-XML as it stands in the file, or None.
    warnings
        What could not be taken over or had to be guessed, one sentence each.
    """

    name: str | None
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    axes: tuple[Axis, ...]
    scale: tuple[float, ...]
    channels: tuple[Channel, ...] | None = None
    windows_are_known: bool = False
    ome_xml: str | None = None
    warnings: tuple[str, ...] = ()


class ImageReader(Protocol):
    """An open image. Pixels are read region by region, from several threads."""

    @property
    def image(self) -> SourceImage: ...

    def read(self, region: Region) -> npt.NDArray[Any]:
        """Return the elements of a region, in the order of the image's axes."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class ReaderKind:
    """One image format.

    Attributes
    ----------
    name
        Its name, for errors.
    suffixes
        Endings of file names, in lower case, with the dot.
    magics
        What a file may begin with.
    open
        Called as ``open(path, series=..., axes=...)``; returns an :class:`ImageReader`.
        ``series`` is the number of the image in the file, or None for the first; ``axes``
        names the axes where the file does not, or None.
    """

    name: str
    suffixes: tuple[str, ...]
    magics: tuple[bytes, ...]
    open: Callable[..., ImageReader]

    def claims(self, path: Path) -> bool:
        """Return whether a file is of this format, by its name or its first bytes."""
        if not path.is_file():
            return False
        if path.name.lower().endswith(self.suffixes):
            return True
        with path.open("rb") as file:
            return file.read(16).startswith(self.magics)


_readers: dict[str, ReaderKind] = {}
_plugins_loaded = False


def register_reader(kind: ReaderKind) -> None:
    """Add an image format, or replace the one of the same name."""
    _readers[kind.name] = kind


def _load_plugins() -> None:
    """Load the readers of other packages (entry-point group ``anyzarr.readers``), once."""
    global _plugins_loaded
    if _plugins_loaded:
        return
    _plugins_loaded = True
    for point in importlib.metadata.entry_points(group="anyzarr.readers"):
        try:
            kind = point.load()
        except Exception as error:  # noqa: BLE001 - one broken plugin must not break the rest
            warnings.warn(
                f"the reader plugin {point.name!r} cannot be loaded: {error}", stacklevel=2
            )
            continue
        _readers.setdefault(kind.name, kind)


def list_readers() -> list[str]:
    """Return the names of the image formats that can be read."""
    _load_plugins()
    return sorted(_readers)


def reader_for(path: Path) -> ReaderKind | None:
    """Return the format of a file, or None if it is of none that can be read."""
    _load_plugins()
    return next((kind for kind in _readers.values() if kind.claims(path)), None)


def is_image_name(name: str) -> bool:
    """Return whether a file of this name would be an image."""
    _load_plugins()
    return any(name.lower().endswith(kind.suffixes) for kind in _readers.values())


def require_known(path: Path, archive_suffixes: tuple[str, ...]) -> None:
    """Refuse a file that is neither an image that can be read nor a zip archive.

    Raises
    ------
    UnsupportedError
        With the formats that can be read.
    """
    if not path.is_file() or path.name.lower().endswith(archive_suffixes):
        return
    with path.open("rb") as file:
        if file.read(2) == b"PK":
            return
    formats = "; ".join(f"{name} ({', '.join(_readers[name].suffixes)})" for name in list_readers())
    raise UnsupportedError(
        f"{str(path)!r} is of no kind that can be converted: images can be {formats}, and "
        "hierarchies a Zarr folder, URL, .zip or .ozx"
    )


def refuse_series(series: int, n: int, path: Path) -> UnsupportedError:
    """Return the error for a series that is not there."""
    return UnsupportedError(
        f"{str(path)!r} has no image {series}: it holds {n}, numbered from 0 to {n - 1}"
    )
