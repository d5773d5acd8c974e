"""What a reader of an image format offers, and the registry of readers."""

from __future__ import annotations

import importlib.metadata
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from anyzarr._pyramid import Region
from anyzarr.errors import UnsupportedError
from anyzarr.ome import Axis, Channel, Spot

__all__ = [
    "ImageSource",
    "ReaderKind",
    "SourceImage",
    "is_image_name",
    "list_readers",
    "reader_for",
    "reader_named",
    "refuse_series",
    "register_reader",
    "require_known",
    "stem_of",
]


@dataclass(frozen=True, slots=True)
class SourceImage:
    """What a source says about one of its images.

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
    translation
        Place of the first element per axis, in the units of the axes; None: not known.
    spot
        The well and field of view it shows, where the source is a plate.
    is_extra
        Whether it is only about the others: a thumbnail, a label, an overview. Such images are
        left out unless they are asked for.
    is_rgb
        Whether its channels are the red, green and blue (and alpha) of one colour picture.
    block
        Shape of what the source decodes at once (a plane, a tile), which is then read as a whole
        where memory allows; None: any part is as good as another.
    attributes
        What else the source says of it, as JSON values: kept among the group's attributes.
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
    translation: tuple[float, ...] | None = None
    spot: Spot | None = None
    is_extra: bool = False
    is_rgb: bool = False
    block: tuple[int, ...] | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


class ImageSource(Protocol):
    """An open file, folder or set of files: one image or several, numbered from 0.

    Pixels are read region by region, from several threads.
    """

    def __len__(self) -> int:
        """Return the number of images."""
        ...

    def image(self, index: int) -> SourceImage:
        """Return what is known of an image, without reading its pixels."""
        ...

    def read(self, index: int, region: Region) -> npt.NDArray[Any]:
        """Return the elements of a region of an image, in the order of the image's axes."""
        ...

    @property
    def files(self) -> Sequence[Path]:
        """The files the pixels are read from: none of them may change meanwhile."""
        ...

    @property
    def documents(self) -> Mapping[str, bytes]:
        """Original metadata as it stands in the source, by the key it is kept under."""
        ...

    def close(self) -> None: ...


def _is_none(path: Path) -> bool:
    return False


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
        Called as ``open(path, axes=...)``; returns an :class:`ImageSource`. ``axes`` names the
        axes where the file does not, or None.
    claims_folder
        Whether a folder is of this format; must be quick, and certain.
    claims_pattern
        Whether a path where there is nothing stands for files of this format.
    claims_other
        Whether it reads a file that is of no format by name or first bytes; asked last.
    """

    name: str
    suffixes: tuple[str, ...]
    magics: tuple[bytes, ...]
    open: Callable[..., ImageSource]
    claims_folder: Callable[[Path], bool] = _is_none
    claims_pattern: Callable[[Path], bool] = _is_none
    claims_other: Callable[[Path], bool] = _is_none

    def claims(self, path: Path) -> bool:
        """Return whether a file is of this format, by its name or its first bytes."""
        if path.is_dir():
            return self.claims_folder(path)
        if not path.is_file():
            return self.claims_pattern(path)
        if path.name.lower().endswith(self.suffixes):
            return True
        with path.open("rb") as file:
            return file.read(16).startswith(self.magics) if self.magics else False


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
    found = next((kind for kind in _readers.values() if kind.claims(path)), None)
    if found is None and path.is_file():
        found = next((kind for kind in _readers.values() if kind.claims_other(path)), None)
    return found


def reader_named(name: str) -> ReaderKind:
    """Return the format of a name, in a process that may not have heard of it yet."""
    _load_plugins()
    return _readers[name]


def stem_of(path: Path) -> str:
    """Return the name of a source without endings of image formats, and what a pattern leaves open.

    >>> from pathlib import Path
    >>> stem_of(Path("run/cells.ome.tif")), stem_of(Path("run/img_t{t:03}.tif"))
    ('cells', 'img_t')
    >>> stem_of(Path("run/scan_{well}_s{field}.tif"))
    'scan_s'
    >>> stem_of(Path("brain.nii.gz"))
    'brain'
    >>> stem_of(Path("run/*.tif"))
    'run'
    """
    _load_plugins()
    endings = {".ome", *(ending for kind in _readers.values() for ending in kind.suffixes)}
    stem, n_left_open = re.subn(r"\{[^{}]*\}|[*?]", "", path.name)
    while ending := max((e for e in endings if stem.lower().endswith(e)), key=len, default=""):
        stem = stem[: -len(ending)]
    # What is left between the placeholders are separators, of which one is enough.
    stem = re.sub(r"([_\-. ])[_\-. ]+", r"\1", stem) if n_left_open else stem
    return stem.strip("_-. ") or path.parent.name


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
    named = [name for name in list_readers() if _readers[name].claims_other is _is_none]
    endings = {name: ", ".join(_readers[name].suffixes) for name in named}
    formats = "; ".join(f"{name} ({known or 'a folder'})" for name, known in endings.items())
    raise UnsupportedError(
        f"{str(path)!r} is of no kind that can be converted: images can be {formats}, or "
        'what a plug-in of bioio reads, if both are installed (pip install "anyzarr[bioio]"), and '
        "hierarchies a Zarr folder, URL, .zip or .ozx"
    )


def refuse_series(series: int, n: int, source: object) -> UnsupportedError:
    """Return the error for a series that is not there."""
    return UnsupportedError(
        f"{str(source)!r} has no image {series}: it holds {n}, numbered from 0 to {n - 1}"
    )
