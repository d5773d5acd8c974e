"""Which axes of an array as a file holds it become which axes of an image."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr._pyramid import Region
from anyzarr.errors import MetadataError, UnsupportedError

__all__ = ["AxisMap", "map_given", "map_named"]

_ORDER = "tczyx"


@dataclass(frozen=True, slots=True)
class AxisMap:
    """Which axes of a stored array make up each axis of the image.

    Attributes
    ----------
    names
        Axes of the image in OME-Zarr's order.
    sources
        Per axis of the image, the numbers of the axes of the array it is made of: one as a
        rule, none for an axis of length 1 that the array does not have, several where they are
        run together to channels (samples, filters, …).
    sizes
        Shape of the array.
    """

    names: tuple[str, ...]
    sources: tuple[tuple[int, ...], ...]
    sizes: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the image."""
        return tuple(math.prod(self.sizes[i] for i in source) for source in self.sources)

    def reversed(self) -> AxisMap:
        """Return the same of the array with its axes in the opposite order."""
        last = len(self.sizes) - 1
        sources = tuple(tuple(last - i for i in source) for source in self.sources)
        return AxisMap(self.names, sources, self.sizes[::-1])

    def read(
        self, region: Region, read: Callable[[Region], npt.NDArray[Any]], dtype: np.dtype[Any]
    ) -> npt.NDArray[Any]:
        """Return a region of the image.

        Parameters
        ----------
        region
            Of the image.
        read
            Returns a region of the array, in its order.
        dtype
            Of the image.
        """
        merged = [i for i, source in enumerate(self.sources) if len(source) > 1]
        if not merged:
            return self._read_plain(region, read)
        # Axes run together have no slices of their own: one index after the other.
        out = np.empty(tuple(s.stop - s.start for s in region), dtype)
        for index in itertools.product(*(range(region[i].start, region[i].stop) for i in merged)):
            part = list(region)
            place: list[slice] = [slice(None)] * len(region)
            for axis, i in zip(merged, index, strict=True):
                part[axis] = slice(i, i + 1)
                place[axis] = slice(i - region[axis].start, i - region[axis].start + 1)
            out[tuple(place)] = self._read_plain(tuple(part), read)
        return out

    def _read_plain(
        self, region: Region, read: Callable[[Region], npt.NDArray[Any]]
    ) -> npt.NDArray[Any]:
        wanted = [slice(0, 1)] * len(self.sizes)
        for part, source in zip(region, self.sources, strict=True):
            if len(source) == 1:
                wanted[source[0]] = part
            elif source:
                sizes = tuple(self.sizes[i] for i in source)
                for axis, i in zip(source, np.unravel_index(part.start, sizes), strict=True):
                    wanted[axis] = slice(int(i), int(i) + 1)
        values = read(tuple(wanted))
        first = [source[0] for source in self.sources if source]
        rest = [i for i in range(len(wanted)) if i not in first]
        moved = values.transpose(*first, *rest)
        return moved.reshape(tuple(s.stop - s.start for s in region))


def map_named(names: str, shape: Sequence[int], *, keep: str = "yx", merged: str = "s") -> AxisMap:
    """Return the image that an array with named axes becomes.

    Axes of length 1 are left out, unless they are to be kept.

    Parameters
    ----------
    names
        A letter per axis of the array: ``t c z y x``, ``s``, or any other for an axis of length
        1 that has no counterpart in OME-Zarr.
    shape
        Of the array.
    keep
        The axes that stay even if they are of length 1.
    merged
        The axes that are run together with the channels, as samples of a colour are.

    Raises
    ------
    MetadataError
        The names do not fit the array.
    UnsupportedError
        There is no plane, or an axis that OME-Zarr has no counterpart of.
    """
    sizes = tuple(int(n) for n in shape)
    letters = names.lower()
    if len(letters) != len(sizes) or len(set(letters)) != len(letters):
        raise MetadataError(
            f"axes={names!r} does not name the {len(sizes)} axes of an array of shape {sizes}: "
            "give each one of the letters t, c, z, y, x, in its order"
        )
    strange = [
        f"{names[i]}={n}"
        for i, n in enumerate(sizes)
        if n > 1 and letters[i] not in _ORDER + merged
    ]
    if strange:
        raise UnsupportedError(
            f"the axes {', '.join(strange)} of an image have no counterpart in OME-Zarr, which has "
            "t, c, z, y and x; say with axes= which of these they are to be"
        )
    sources = {
        name: tuple(
            i
            for i, letter in enumerate(letters)
            if letter == name or (name == "c" and letter in merged and sizes[i] > 1)
        )
        for name in _ORDER
    }
    if not sources["y"] or not sources["x"]:
        raise UnsupportedError(
            f"an image of axes {names!r} and shape {sizes} has no plane to make an image of"
        )
    kept = [
        name for name in _ORDER if name in keep or math.prod(sizes[i] for i in sources[name]) > 1
    ]
    return AxisMap(tuple(kept), tuple(_long(sources[n], sizes) for n in kept), sizes)


def map_given(names: str, shape: Sequence[int]) -> AxisMap:
    """Return the image that an array becomes whose axes the caller has named.

    Parameters
    ----------
    names
        One of ``t c z y x`` per axis of the array, or per axis of it that is longer than 1; the
        others are left out.
    shape
        Of the array.

    Raises
    ------
    MetadataError
        The names do not fit the array, or name no plane.
    """
    sizes = tuple(int(n) for n in shape)
    long = [i for i, n in enumerate(sizes) if n > 1]
    named = range(len(sizes)) if len(names) == len(sizes) else long
    letters = names.lower()
    is_set = len(set(letters)) == len(letters) == len(named)
    if not is_set or set(letters) - set(_ORDER) or not set("yx") <= set(letters):
        raise MetadataError(
            f"axes={names!r} does not name the {len(sizes)} axes of an array of shape {sizes}: "
            "give each one of the letters t, c, z, y, x, in its order, y and x among them"
        )
    kept = [name for name in _ORDER if name in letters]
    sources = tuple((named[letters.index(name)],) for name in kept)
    return AxisMap(tuple(kept), sources, sizes)


def _long(source: tuple[int, ...], sizes: Sequence[int]) -> tuple[int, ...]:
    """Return the axes that count: of several only those that are longer than 1."""
    long = tuple(i for i in source if sizes[i] > 1)
    return long or source[:1]
