"""A source made of images that each know how to read themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from anyzarr._pyramid import Region
from anyzarr.readers._axis_map import AxisMap
from anyzarr.readers._source import SourceImage
from anyzarr.readers._stored import StoredArray

__all__ = ["ImageList", "ReadableImage", "StoredImage"]


class ReadableImage(Protocol):
    """One image of a source."""

    @property
    def description(self) -> SourceImage:
        """What is known of it, without reading its pixels."""
        ...

    def read(self, region: Region) -> npt.NDArray[Any]:
        """Return the elements of a region, in the order of the image's axes."""
        ...


@dataclass(frozen=True, slots=True)
class StoredImage:
    """An image whose pixels lie in a file as they are.

    Attributes
    ----------
    array
        The pixels as they are stored.
    axis_map
        From the axes of the array to the image's.
    description
        What is known of the image.
    convert
        Makes values of the image's dtype of stored ones, where they differ.
    """

    array: StoredArray
    axis_map: AxisMap
    description: SourceImage
    convert: Callable[[npt.NDArray[Any]], npt.NDArray[Any]] | None = None

    def read(self, region: Region) -> npt.NDArray[Any]:
        """Return the elements of a region, in the order of the image's axes."""
        return self.axis_map.read(region, self._stored, self.description.dtype)

    def _stored(self, region: Region) -> npt.NDArray[Any]:
        values = self.array.read(region)
        if self.convert is not None:
            values = self.convert(values)
        return np.asarray(values, self.description.dtype)


@dataclass(frozen=True, slots=True)
class ImageList:
    """The images of a source; an :class:`ImageSource`.

    Attributes
    ----------
    images
        In their order.
    files
        The files the pixels are read from.
    originals
        Original metadata by the key it is kept under, or what returns it when it is asked for.
    on_close
        Closes what is open.
    """

    images: Sequence[ReadableImage]
    files: Sequence[Path]
    originals: Mapping[str, bytes] | Callable[[], Mapping[str, bytes]]
    on_close: Callable[[], None] | None = None

    @property
    def documents(self) -> Mapping[str, bytes]:
        """Original metadata by the key it is kept under."""
        return self.originals() if callable(self.originals) else self.originals

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.images)

    def image(self, index: int) -> SourceImage:
        """Return what is known of an image."""
        return self.images[index].description

    def read(self, index: int, region: Region) -> npt.NDArray[Any]:
        """Return the elements of a region of an image."""
        return self.images[index].read(region)

    def close(self) -> None:
        """Close what is open."""
        if self.on_close is not None:
            self.on_close()
