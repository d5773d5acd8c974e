"""MRC images and maps of electron microscopy, also compressed by gzip or bzip2."""

from __future__ import annotations

import bz2
import gzip
import zlib
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from anyzarr.errors import UnsupportedError
from anyzarr.readers._axis_map import map_given, map_named
from anyzarr.readers._calibration import Calibration, add_size, described
from anyzarr.readers._damage import unreadable
from anyzarr.readers._image_list import ImageList, StoredImage
from anyzarr.readers._source import ImageSource, ReaderKind
from anyzarr.readers._stored import StoredArray, Unpacked

__all__ = ["MRC", "open_mrc"]

_HEADER_BYTES = 1024
_IMOD_STAMP = 1146047817
_PACKED: dict[bytes, Callable[[Any], Any]] = {b"\x1f\x8b": gzip.open, b"BZ": bz2.open}
_broken = partial(unreadable, what="an MRC file")
_MODES = {0: "i1", 1: "i2", 2: "f4", 4: "c8", 6: "u2", 12: "f2"}
# MRC2014, https://doi.org/10.1016/j.jsb.2015.04.002; the stamp and flags are IMOD's.
_FIELDS: dict[str, tuple[npt.DTypeLike, int]] = {
    "nx": ("i4", 0), "ny": ("i4", 4), "nz": ("i4", 8), "mode": ("i4", 12),
    "start": (("i4", 3), 16), "m": (("i4", 3), 28), "cell": (("f4", 3), 40),
    "angles": (("f4", 3), 52), "axes": (("i4", 3), 64), "ispg": ("i4", 88),
    "nsymbt": ("i4", 92), "imod_stamp": ("i4", 152), "imod_flags": ("i4", 156),
    "origin": (("f4", 3), 196), "nlabl": ("i4", 220), "labels": (("S80", 10), 224),
}  # fmt: skip
_FORMATS, _OFFSETS = zip(*_FIELDS.values(), strict=True)
_DTYPE = np.dtype({"names": [*_FIELDS], "formats": [*_FORMATS], "offsets": [*_OFFSETS]})
_Header: TypeAlias = np.void


def open_mrc(path: Path, *, axes: str | None = None) -> ImageSource:
    """Open the image, stack, volume or stack of volumes of an MRC file.

    Parameters
    ----------
    path
        The file, or one that is compressed by gzip or bzip2: that is unpacked into a temporary
        file.
    axes
        Names of the array's axes, slowest first, such as ``"tyx"`` for a tilt series.

    Raises
    ------
    CorruptDataError
        It is no MRC file, or is cut off.
    UnsupportedError
        Its elements are of a mode that cannot be read.
    MetadataError
        The axes do not fit.
    """
    header = _header(path)
    dtype = _dtype(header, path)
    letters, shape = _layout(header, path)
    offset = _HEADER_BYTES + int(header["nsymbt"])
    with path.open("rb") as file:
        packed = _PACKED.get(file.read(2))
    array = StoredArray(path, offset, dtype, shape)
    unpacked = None
    if packed is None:
        array.require_bytes(path.stat().st_size)
    else:
        unpacked = Unpacked(partial(packed, path), array.end, path)
        array = StoredArray(path, offset, dtype, shape, unpacked.open)
    notes = []
    if axes is None and header["ispg"] == 0 and shape[-3] > 1:
        notes.append(
            f"it is a stack of {shape[-3]} images, which were taken to be planes in z; name the "
            "axes with axes= (tyx, cyx) if that is wrong"
        )
    if axes is None and len(shape) == 4:
        notes.append(
            f"it is a stack of {shape[0]} volumes, which were taken to be time points; name the "
            "axes with axes= (czyx) if that is wrong"
        )
    axis_map = map_named(letters, shape) if axes is None else map_given(axes, shape)
    known = _calibration(header)
    image = described(axis_map, dtype, known, attributes=_attributes(header), warnings=notes)
    close = None if unpacked is None else unpacked.close
    return ImageList([StoredImage(array, axis_map, image)], (path,), {}, close)


def _header(path: Path) -> _Header:
    with path.open("rb") as file:
        begin = file.read(2)
        file.seek(0)
        with _PACKED[begin](file) if begin in _PACKED else nullcontext(file) as unpacked:
            try:
                raw = unpacked.read(_HEADER_BYTES)
            except (EOFError, OSError, zlib.error) as error:
                raise _broken(path, str(error)) from error
    if len(raw) < _HEADER_BYTES:
        raise _broken(path, f"its header is of {len(raw)} bytes, and must be of {_HEADER_BYTES}")
    stamp = raw[212:213]
    order: Literal["<", ">"] = "<"
    if raw[208:211] != b"MAP":
        raise _broken(path, f"its bytes 208 to 210 are {raw[208:211]!r}, and must be b'MAP'")
    if stamp == b"\x11":
        order = ">"
    elif stamp != b"\x44":
        raise _broken(
            path, f"its machine stamp begins with {stamp!r}, and must with 44 or 11 (hex)"
        )
    header: _Header = np.frombuffer(raw, _DTYPE.newbyteorder(order))[0]
    return header


def _dtype(header: _Header, path: Path) -> np.dtype[Any]:
    mode = int(header["mode"])
    if mode not in _MODES:
        raise UnsupportedError(
            f"{str(path)!r} has elements of mode {mode}, and what can be read is the modes "
            f"{', '.join(map(str, _MODES))}; convert it with the program that wrote it"
        )
    if mode == 0 and header["imod_stamp"] == _IMOD_STAMP and not header["imod_flags"] & 1:
        return np.dtype(np.uint8)  # IMOD's: bytes are signed only where it says so
    order = header.dtype["mode"].byteorder
    return np.dtype(_MODES[mode]).newbyteorder(order)


def _layout(header: _Header, path: Path) -> tuple[str, tuple[int, ...]]:
    """Return the letters and the shape of the array, slowest axis first."""
    lengths = tuple(int(header[name]) for name in ("nz", "ny", "nx"))
    if min(lengths) < 1 or header["nsymbt"] < 0:
        raise _broken(
            path, f"it says it has {lengths} elements along z, y and x, and one each is the least"
        )
    stored = [int(n) for n in header["axes"][::-1]]
    letters = "".join(".xyz"[n] for n in stored) if sorted(stored) == [1, 2, 3] else "zyx"
    n_planes = int(header["m"][2])
    if 401 <= header["ispg"] <= 630 and n_planes > 0 and lengths[0] % n_planes == 0:
        return "t" + letters, (lengths[0] // n_planes, n_planes, *lengths[1:])
    return letters, lengths


def _calibration(header: _Header) -> Calibration:
    sizes: dict[str, tuple[float, str | None]] = {}
    origin: dict[str, float] = {}
    is_given = bool(header["origin"].any())
    for i, letter in enumerate("XYZ"):
        n = int(header["m"][i])
        if n > 0:
            add_size(sizes, letter, header["cell"][i] / np.float32(n), "angstrom")
        if letter in sizes:
            start = float(header["start"][i]) * sizes[letter][0]
            place = float(header["origin"][i]) if is_given else start
            origin[letter] = place if np.isfinite(place) else 0.0
    return Calibration(None, sizes, origin=origin)


def _attributes(header: _Header) -> dict[str, Any]:
    """Return what else the header says."""
    n = min(max(int(header["nlabl"]), 0), 10)
    return {
        "mrc": {
            "mode": int(header["mode"]),
            "space_group": int(header["ispg"]),
            "cell_angles": np.nan_to_num(header["angles"]).tolist(),
            "labels": [bytes(text).decode("latin-1").strip() for text in header["labels"][:n]],
        }
    }


MRC = ReaderKind(
    "MRC",
    (
        ".mrc",
        ".mrcs",
        ".map",
        ".rec",
        ".ali",
        ".ccp4",
        ".mrc.gz",
        ".map.gz",
        ".mrc.bz2",
        ".map.bz2",
    ),
    (),
    open_mrc,
)
"""The format, for the registry."""
