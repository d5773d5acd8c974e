"""NIfTI images of magnetic resonance and other tomography (``.nii``, ``.nii.gz``)."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr._optional import require
from anyzarr.errors import CorruptDataError
from anyzarr.ome import Channel
from anyzarr.readers._axis_map import map_given, map_named
from anyzarr.readers._calibration import (
    Calibration,
    add_size,
    described,
    length_unit,
    rgb_channels,
    time_unit,
)
from anyzarr.readers._image_list import ImageList, StoredImage
from anyzarr.readers._source import ImageSource, ReaderKind
from anyzarr.readers._stored import StoredArray, Unpacked

__all__ = ["NIFTI", "open_nifti"]

_UNITS = {"micron": "µm", "msec": "ms", "usec": "µs"}
# The fifth and later axes count values of one voxel: a vector, say.
_LETTERS = "xyztcuvw"


def open_nifti(path: Path, *, axes: str | None = None) -> ImageSource:
    """Open the image of a NIfTI file.

    Parameters
    ----------
    path
        The file; ``.nii.gz`` is unpacked into a temporary file.
    axes
        Names of the file's axes, in the order it has them: ``"xyzt"``.

    Raises
    ------
    CorruptDataError
        It is no NIfTI file, or is cut off.
    UnsupportedError
        Its elements or axes have no counterpart.
    MetadataError
        The axes do not fit.
    MissingDependencyError
        nibabel is not installed.
    """
    nibabel = require("nibabel", extra="nifti", purpose="Reading NIfTI files")
    proxy, header, affine = _opened(nibabel, path)
    letters, sizes = _LETTERS[: len(proxy.shape)], tuple(int(n) for n in proxy.shape)
    stored = np.dtype(proxy.dtype)
    names = letters if axes is None else _given(axes, sizes)
    calibration = _calibration(header, affine)
    notes = [] if affine is None or _is_plain(affine) else [_TURNED]
    if stored.fields is not None:  # RGB and RGBA, of bytes
        stored, sizes, names = np.dtype("u1"), (len(stored.names or ()), *sizes), "s" + names
        calibration = _with_channels(calibration, rgb_channels(sizes[0]))
    array = StoredArray(path, int(proxy.offset), stored, sizes[::-1])
    unpacked = None
    if path.name.lower().endswith(".gz"):
        unpacked = Unpacked(partial(gzip.open, path, "rb"), array.end, path)
        array = StoredArray(path, int(proxy.offset), stored, sizes[::-1], unpacked.open)
    else:
        array.require_bytes(path.stat().st_size)
    axis_map = map_named(names[::-1], sizes[::-1])
    dtype, convert = _scaling(stored, float(proxy.slope), float(proxy.inter))
    attributes = {"nifti": _attributes(header, affine)}
    image = described(axis_map, dtype, calibration, attributes=attributes, warnings=notes)
    close = None if unpacked is None else unpacked.close
    return ImageList([StoredImage(array, axis_map, image, convert)], (path,), {}, close)


_TURNED = (
    "its axes are turned or mirrored against those of the scanner, which OME-Zarr has no place "
    "for: the matrix is kept as the attribute nifti.affine, and no translation is written"
)


def _opened(nibabel: Any, path: Path) -> tuple[Any, Any, Any]:
    """Return the pixels (a proxy), the header and the affine matrix or None."""
    kinds = nibabel.Nifti1Image, nibabel.Nifti2Image
    problems = (nibabel.filebasedimages.ImageFileError, nibabel.spatialimages.HeaderDataError,
                ValueError, EOFError, OSError, zlib.error)  # fmt: skip
    try:
        kind = next((kind for kind in kinds if kind.path_maybe_image(str(path))[0]), None)
        if kind is None:
            raise ValueError("its header is none of NIfTI")
        image = kind.from_filename(str(path))
    except problems as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise CorruptDataError(
            f"{str(path)!r} cannot be read as NIfTI: {error}; get a whole copy of it",
            key=str(path),
        ) from error
    if min(image.shape, default=0) < 1:
        raise CorruptDataError(
            f"{str(path)!r} says its shape is {image.shape}, and at least one element along each "
            "axis is needed; get a whole copy of it",
            key=str(path),
        )
    header = image.header
    is_placed = bool(header["sform_code"] or header["qform_code"])
    return image.dataobj, header, image.affine if is_placed else None


def _given(axes: str, sizes: tuple[int, ...]) -> str:
    """Return a letter per axis of the file where the caller has named those that count."""
    map_given(axes, sizes)
    if len(axes) == len(sizes):
        return axes.lower()
    named, unnamed = iter(axes.lower()), iter("uvwabde")
    return "".join(next(named if n > 1 else unnamed) for n in sizes)


def _units(header: Any) -> tuple[str, str]:
    """Return the units of length and time as nibabel calls them."""
    try:
        length, duration = header.get_xyzt_units()
    except KeyError:
        return "unknown", "unknown"  # a number that stands for none
    return length, duration


def _calibration(header: Any, affine: Any) -> Calibration:
    length, duration = _units(header)
    unit = length_unit(_UNITS.get(length, length))
    sizes: dict[str, tuple[float, str | None]] = {}
    zooms = [float(zoom) for zoom in header.get_zooms()]
    for letter, zoom in zip("XYZ", zooms, strict=False):
        # Sizes without a unit are taken over as numbers.
        add_size(sizes, letter, zoom, unit or "millimeter")
        if letter in sizes and unit is None:
            sizes[letter] = sizes[letter][0], None
    if len(zooms) > 3:
        add_size(sizes, "T", zooms[3], time_unit(_UNITS.get(duration, duration)))
    origin: dict[str, float] = {}
    if affine is not None and _is_plain(affine):
        origin = {a: float(affine[i, 3]) for i, a in enumerate("XYZ") if a in sizes}
    name = header["intent_name"].tobytes().rstrip(b"\0").decode("latin-1") or None
    return Calibration(name, sizes, origin=origin)


def _with_channels(calibration: Calibration, channels: tuple[Channel, ...]) -> Calibration:
    return replace(calibration, channels=channels, windows_are_known=True)


def _is_plain(affine: Any) -> bool:
    """Return whether a matrix does no more than scale and move."""
    linear = np.asarray(affine, float)[:3, :3]
    diagonal = np.diag(linear)
    return bool((diagonal > 0).all()) and bool(
        np.allclose(linear, np.diag(diagonal), atol=1e-6 * diagonal.max())
    )


def _scaling(
    stored: np.dtype[Any], slope: float, intercept: float
) -> tuple[np.dtype[Any], Callable[[npt.NDArray[Any]], npt.NDArray[Any]] | None]:
    """Return the dtype of the image, and what makes values of stored ones."""
    if (slope, intercept) == (1.0, 0.0):
        return stored, None
    is_complex = stored.kind == "c"
    is_small = stored.itemsize <= (8 if is_complex else 4 if stored.kind == "f" else 2)
    exact = np.dtype(np.complex128 if is_complex else np.float64)
    dtype = np.dtype(np.complex64 if is_complex else np.float32) if is_small else exact

    def convert(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return values.astype(exact) * slope + intercept

    return dtype, convert


def _attributes(header: Any, affine: Any) -> dict[str, Any]:
    """Return what else the header says."""

    def text(key: str) -> str:
        return str(header[key].tobytes().rstrip(b"\0").decode("latin-1"))

    found: dict[str, Any] = {
        "description": text("descrip"),
        "intent": [str(header.get_intent()[0]), *map(float, header.get_intent()[1])],
        "sform_code": int(header["sform_code"]),
        "qform_code": int(header["qform_code"]),
        "slope": float(np.nan_to_num(header["scl_slope"])),
        "intercept": float(np.nan_to_num(header["scl_inter"])),
    }
    if affine is not None:
        found["affine"] = np.asarray(affine, float).tolist()
    return found


NIFTI = ReaderKind("NIfTI", (".nii", ".nii.gz"), (), open_nifti)
"""The format, for the registry."""
