"""PNG and JPEG images: grey, colour or palette."""

from __future__ import annotations

import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr._optional import require
from anyzarr._pyramid import Region
from anyzarr.errors import CorruptDataError, MetadataError, UnsupportedError
from anyzarr.readers._axis_map import AxisMap, map_named
from anyzarr.readers._calibration import Calibration, add_size, described, rgb_channels
from anyzarr.readers._image_list import ImageList
from anyzarr.readers._source import ImageSource, ReaderKind, SourceImage

__all__ = ["PHOTO", "open_photo"]

# What Pillow reads with 8 bits per sample though the file has 16: samples by its raw mode.
_DEEP = {"RGB;16B": 3, "RGBA;16B": 4, "LA;16B": 2}
_SAMPLES = {"1": 1, "L": 1, "I;16": 1, "LA": 2, "RGB": 3, "RGBA": 4}
_LARGEST_MEANINGFUL_MICROMETERS = 20.0  # more is a printer's resolution, not a specimen's
_ORIENTATION = 0x0112


class _Photo:
    """An image that can only be decoded whole: that is done once, when it is first read.

    Parameters
    ----------
    path
        Of the file.
    axis_map
        From rows, columns and samples to the image's axes.
    mode
        Of Pillow's that it is brought to; None: 16 bits per sample, which Pillow does not read.
    description
        What is known of it.
    """

    def __init__(
        self, path: Path, axis_map: AxisMap, mode: str | None, description: SourceImage
    ) -> None:
        self._path = path
        self._map = axis_map
        self._mode = mode
        self.description = description
        self._pixels: npt.NDArray[Any] | None = None
        self._lock = threading.Lock()

    def read(self, region: Region) -> npt.NDArray[Any]:
        """Return the elements of a region, in the order of the image's axes."""
        with self._lock:
            if self._pixels is None:
                self._pixels = self._decoded()
            pixels = self._pixels
        return self._map.read(region, pixels.__getitem__, self.description.dtype)

    def _decoded(self) -> npt.NDArray[Any]:
        try:
            pixels = _deep(self._path) if self._mode is None else _plain(self._path, self._mode)
        except (OSError, ValueError, RuntimeError, SyntaxError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise _unreadable(self._path, error) from error
        pixels = pixels.reshape(*pixels.shape[:2], -1)
        if pixels.shape != self._map.sizes:
            raise CorruptDataError(
                f"{str(self._path)!r} decodes to the shape {pixels.shape}, and its header tells of "
                f"{self._map.sizes}; get a whole copy of it",
                key=str(self._path),
            )
        return pixels

    def close(self) -> None:
        """Drop the pixels."""
        self._pixels = None


def open_photo(path: Path, *, axes: str | None = None) -> ImageSource:
    """Open a PNG or JPEG image. It is held in memory as a whole when pixels are read.

    Colours become channels, palettes are applied.

    Parameters
    ----------
    path
        The file.
    axes
        Such a file has no axes to be named: ``yx`` or None.

    Raises
    ------
    CorruptDataError
        It is no such file, or is cut off.
    UnsupportedError
        It is too large to be held.
    MissingDependencyError
        Pillow is not installed, or imagecodecs for 16 bits per colour.
    """
    if axes is not None and axes.lower() != "yx":
        raise MetadataError(
            f"axes={axes!r} does not name the axes of {str(path)!r}: a PNG or JPEG image has y and "
            "x, and its colours become channels; leave it out"
        )
    with _opened(path) as opened:
        mode, n_samples, notes = _mode(opened)
        width, height = opened.size
        calibration, attributes = _calibration(opened, n_samples)
    if mode is None:
        require("imagecodecs", extra="images", purpose="Reading PNG with 16 bits per colour")
    axis_map = map_named("yxs", (height, width, n_samples))
    dtype = np.dtype("u2" if mode in {None, "I;16"} else "u1")
    image = described(axis_map, dtype, calibration, attributes=attributes, warnings=notes)
    photo = _Photo(path, axis_map, mode, image)
    return ImageList([photo], (path,), {}, photo.close)


def _opened(path: Path) -> Any:
    pillow = require("PIL.Image", extra="images", purpose="Reading PNG and JPEG images")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", pillow.DecompressionBombWarning)
            return pillow.open(path, formats=("PNG", "JPEG"))
    except pillow.DecompressionBombError as error:
        raise UnsupportedError(
            f"{str(path)!r} is too large to be decoded whole, as its format demands: {error}; "
            "convert it to a tiled TIFF first (vips tiffsave --tile --bigtiff)"
        ) from error
    except (OSError, SyntaxError, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> CorruptDataError:
    return CorruptDataError(
        f"{str(path)!r} cannot be read as PNG or JPEG: {error}; get a whole copy of it",
        key=str(path),
    )


def _mode(opened: Any) -> tuple[str | None, int, list[str]]:
    """Return the mode it is brought to (None: 16-bit colours), its samples, and warnings."""
    raw = opened.tile[0].args if opened.tile else ""
    notes: list[str] = []
    if raw in _DEEP:
        return None, _DEEP[raw], notes
    mode = str(opened.mode)
    if mode == "P":
        mode = "RGBA" if "transparency" in opened.info else "RGB"
        notes.append("its palette was applied: the channels are colours, not its numbers")
    elif mode == "I":
        mode = "I;16"
    elif mode == "1":
        mode = "L"
    elif mode not in _SAMPLES:
        notes.append(f"its colours are {mode}, and were turned into RGB")
        mode = "RGB"
    if getattr(opened, "n_frames", 1) > 1:
        notes.append(f"it is a film of {opened.n_frames} frames, of which the first was taken")
    # Of a PNG, Pillow would decode the pixels for it.
    if opened.format == "JPEG" and opened.getexif().get(_ORIENTATION, 1) != 1:
        notes.append("its EXIF says that it is to be turned for display; it was not turned")
    return mode, _SAMPLES[mode], notes


def _calibration(opened: Any, n_samples: int) -> tuple[Calibration, dict[str, Any]]:
    sizes: dict[str, tuple[float, str | None]] = {}
    for letter, dpi in zip("XY", opened.info.get("dpi", ()), strict=False):
        if dpi and 25400 / float(dpi) <= _LARGEST_MEANINGFUL_MICROMETERS:
            add_size(sizes, letter, 25400 / float(dpi), "micrometer")
    channels = rgb_channels(n_samples) if n_samples > 2 else None
    texts = {k: v for k, v in opened.info.items() if isinstance(k, str) and isinstance(v, str)}
    attributes = {str(opened.format).lower(): texts} if texts else {}
    known = Calibration(None, sizes, channels, windows_are_known=channels is not None)
    return known, attributes


def _plain(path: Path, mode: str) -> npt.NDArray[Any]:
    with _opened(path) as opened:
        if str(opened.mode) == mode or mode == "I;16":
            return np.asarray(opened).astype("u2" if mode == "I;16" else "u1", copy=False)
        return np.asarray(opened.convert(mode))


def _deep(path: Path) -> npt.NDArray[Any]:
    imagecodecs = require("imagecodecs", extra="images", purpose="Reading PNG of 16 bits")
    return np.asarray(imagecodecs.png_decode(path.read_bytes()))


PHOTO = ReaderKind(
    "PNG or JPEG",
    (".png", ".jpg", ".jpeg"),
    (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"),
    open_photo,
)
"""The formats, for the registry."""
