"""Colour pictures as one channel of their brightness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr._pyramid import Region
from anyzarr.readers._source import ImageSource, SourceImage

__all__ = ["GraySource"]

_WEIGHTS = (0.299, 0.587, 0.114)
"""Of red, green and blue in luma (ITU-R BT.601), as PIL, OpenCV and MATLAB have it."""


class GraySource:
    """A source whose colour pictures have no channels, but the brightness of each pixel.

    Other images are as they are. Alpha is left out.

    Parameters
    ----------
    source
        Where the pixels come from; closed with this one.
    """

    def __init__(self, source: ImageSource) -> None:
        self._source = source

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._source)

    def image(self, index: int) -> SourceImage:
        """Return what is known of an image, as it is to be."""
        image = self._source.image(index)
        if not image.is_rgb:
            return image
        axis = _channel_axis(image)
        moved = image.translation
        return replace(
            image,
            shape=_without(image.shape, axis),
            axes=_without(image.axes, axis),
            block=None if image.block is None else _without(image.block, axis),
            scale=_without(image.scale, axis),
            translation=None if moved is None else _without(moved, axis),
            channels=None,
            windows_are_known=False,
            is_rgb=False,
        )

    def read(self, index: int, region: Region) -> npt.NDArray[Any]:
        """Return the elements of a region."""
        image = self._source.image(index)
        if not image.is_rgb:
            return self._source.read(index, region)
        axis = _channel_axis(image)
        there = (*region[:axis], slice(0, 3), *region[axis:])
        colors = np.moveaxis(self._source.read(index, there), axis, 0)
        luma = sum(w * color.astype(np.float64) for w, color in zip(_WEIGHTS, colors, strict=True))
        if image.dtype.kind in "iu":
            luma = np.rint(luma)
        return np.asarray(luma).astype(image.dtype)

    @property
    def files(self) -> Sequence[Path]:
        """The files the pixels are read from."""
        return self._source.files

    @property
    def documents(self) -> Mapping[str, bytes]:
        """Original metadata."""
        return self._source.documents

    def close(self) -> None:
        """Close the source."""
        self._source.close()


def _channel_axis(image: SourceImage) -> int:
    return next(i for i, axis in enumerate(image.axes) if axis.type == "channel")


def _without(values: tuple[Any, ...], axis: int) -> tuple[Any, ...]:
    return (*values[:axis], *values[axis + 1 :])
