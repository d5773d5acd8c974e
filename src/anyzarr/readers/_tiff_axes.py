"""Which axes of a TIFF series become which axes of an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from anyzarr.errors import MetadataError, UnsupportedError
from anyzarr.readers._axis_map import AxisMap
from anyzarr.readers._calibration import Calibration

__all__ = ["map_axes"]


def map_axes(
    series: Any, given: str | None, calibration: Calibration, warnings: list[str]
) -> AxisMap:
    """Return the axes of the image that a series becomes.

    Parameters
    ----------
    series
        Of tifffile.
    given
        Names of its axes longer than 1, or None.
    calibration
        What is known of the image: a channel with a name is an axis, even alone.
    warnings
        What is guessed is added here.

    Raises
    ------
    MetadataError
        The names do not fit the series.
    UnsupportedError
        It has no plane.
    """
    letters, sizes = str(series.axes), tuple(int(n) for n in series.shape)
    long = [i for i, n in enumerate(sizes) if n > 1 or letters[i] in "YX"]
    if given is not None:
        names = _given_names(given, letters, sizes, long)
    else:
        names = _guess_names(letters, long, warnings)
    sources = {name: tuple(i for i in long if names[i] == name) for name in "tczyx"}
    named = calibration.channels and calibration.channels[0].label
    kept = [n for n in "tczyx" if sources[n] or (n == "c" and named)]
    if sources["y"] == () or sources["x"] == ():
        raise UnsupportedError(
            f"an image of axes {letters!r} and shape {sizes} has no plane to make an image of"
        )
    return AxisMap(tuple(kept), tuple(sources[n] for n in kept), sizes)


def _given_names(
    given: str, letters: str, sizes: Sequence[int], long: Sequence[int]
) -> dict[int, str]:
    names = given.lower()
    if len(names) != len(long) or set(names) - set("tczyx") or len(set(names)) != len(names):
        lengths = ", ".join(f"{letters[i]}={sizes[i]}" for i in long)
        raise MetadataError(
            f"axes={given!r} does not name the {len(long)} axes of the image ({lengths}): give "
            "each one of the letters t, c, z, y, x, in this order; where the images of a file "
            "differ, choose one with series="
        )
    return dict(zip(long, names, strict=True))


def _guess_names(letters: str, long: Sequence[int], warnings: list[str]) -> dict[int, str]:
    """Return a name per axis: its own, or z, t or channel for those OME-Zarr does not have."""
    names = {i: letters[i].lower() for i in long if letters[i] in "TCZYX"}
    free = [n for n in "zt" if n not in names.values()]
    for i in long:
        if i in names:
            continue
        if letters[i] == "S":
            names[i] = "c"
            continue
        # I and Q: a sequence of planes the file gives no meaning.
        names[i] = free.pop(0) if letters[i] in "IQ" and free else "c"
        meaning = "z" if names[i] == "z" else "time" if names[i] == "t" else "channels"
        warnings.append(
            f"axis {letters[i]} of the file has no counterpart in OME-Zarr and was taken as "
            f"{meaning}; name the axes with axes= if that is wrong"
        )
    return names
