"""Small pictures of many images: read at a low level, shown with one contrast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr._view._contrast import (
    RGB,
    UInt8,
    Window,
    color_of,
    colorize,
    composite,
    percentile_window,
    stretch,
)
from anyzarr._view._open import Scene
from anyzarr._view._overlay import RGBA, overlay, read_labels
from anyzarr._view._planes import choose_channels, choose_level, read_plane, slicing
from anyzarr._view._shown import Look
from anyzarr._view._source import Source
from anyzarr.errors import SelectionError

__all__ = ["Key", "Thumb", "make_thumb", "paint", "windows_of"]

Float = npt.NDArray[np.float32]
# Images that can share a contrast: dtype, names of the channels, whether they are colour samples;
# the shape where only images of one shape are taken for alike.
Key = tuple[str, tuple[str, ...], bool, tuple[int, ...]]

_LABEL_FILL = 0.25


@dataclass(frozen=True)
class Thumb:
    """An image made small.

    Attributes
    ----------
    planes
        Stored values per channel ``(Y, X)``; of colour samples one, ``(Y, X, 3)``.
    key
        Images of one key share their contrast.
    names, colors
        Per channel.
    labels
        Label planes with the colours they declare.
    label_names
        Their names.
    level, n_levels, slices
        What was read, and how many levels there are.
    extent
        Physical width with its unit, where it has one.
    notes
        Label images that cannot be shown, in sentences.
    """

    planes: tuple[Float, ...]
    key: Key
    names: tuple[str, ...]
    colors: tuple[RGB, ...]
    labels: tuple[tuple[npt.NDArray[Any], Mapping[float, RGBA]], ...]
    label_names: tuple[str, ...]
    level: int
    n_levels: int
    slices: str
    extent: tuple[float, str] | None
    notes: tuple[str, ...]

    def size_in(self, box: tuple[int, int]) -> tuple[int, int]:
        """Return height and width of its picture in a box."""
        return fitting(self.planes[0].shape[:2], box, enlarge=True)


def make_thumb(scene: Scene, look: Look, box: tuple[int, int], *, by_shape: bool = False) -> Thumb:
    """Return an image made small enough for a box of (height, width) pixels.

    Parameters
    ----------
    scene, look
        The image, and what to show of it.
    box
        Height and width.
    by_shape
        Whether only images of the same shape may share its contrast.

    Raises
    ------
    SelectionError
        It has no such level, channel, slice or time point.
    CorruptDataError
        A chunk of it cannot be decoded.
    """
    source = scene.source
    if 0 in source.levels[0].shape:
        raise SelectionError(f"an image of shape {source.levels[0].shape} has nothing to show")
    level = choose_level(source, look.level, box)
    cut = slicing(source, level, look.z, look.time)
    y, x = source.plane_axes
    shape = source.levels[level].shape
    size = fitting((shape[y], shape[x]), box)
    indices = choose_channels(source, look.channels)
    names = tuple(_name(source, index) for index in indices)
    planes: tuple[Float, ...]
    if source.is_rgb:
        planes = (_small(_samples(source, level, cut), size),)
    else:
        planes = tuple(_small(read_plane(source, level, cut, i), size) for i in indices)
    unit = source.unit(x)
    return Thumb(
        planes,
        (
            source.levels[0].dtype.str,
            names,
            source.is_rgb,
            source.levels[0].shape if by_shape else (),
        ),
        names,
        tuple(_color(source, index) for index in indices),
        tuple((read_labels(layer, source, level, cut), layer.colors) for layer in scene.layers),
        tuple(layer.name for layer in scene.layers),
        level,
        len(source.levels),
        cut.label,
        None if unit is None else (shape[x] * source.scales[level][x], unit),
        scene.notes,
    )


def windows_of(thumbs: Sequence[Thumb]) -> dict[Key, list[Window]]:
    """Return one contrast window per channel for all images that can share it."""
    found: dict[Key, list[Window]] = {}
    for key in dict.fromkeys(thumb.key for thumb in thumbs):
        alike = [thumb.planes for thumb in thumbs if thumb.key == key]
        if key[2] and np.dtype(key[0]) == np.uint8:
            found[key] = [Window(0.0, 255.0)]
            continue
        channels = zip(*alike, strict=True)
        found[key] = [
            percentile_window(np.concatenate([plane.ravel() for plane in planes]))
            for planes in channels
        ]
    return found


def paint(thumb: Thumb, windows: Sequence[Window], box: tuple[int, int]) -> UInt8:
    """Return the picture of an image in the middle of a box, with its labels over it."""
    if thumb.key[2]:
        picture = np.rint(stretch(thumb.planes[0], windows[0]) * 255).astype(np.uint8)
    else:
        parts = zip(thumb.planes, windows, thumb.colors, strict=True)
        picture = composite([colorize(stretch(p, window), color) for p, window, color in parts])
    size = thumb.size_in(box)
    if size != picture.shape[:2]:
        factor = size[0] // picture.shape[0]
        picture = picture.repeat(factor, axis=0).repeat(factor, axis=1)
    for labels, colors in thumb.labels:
        picture = overlay(picture, labels, colors, fill=_LABEL_FILL)
    boxed = np.zeros((*box, 3), np.uint8)
    top, left = ((n - have) // 2 for n, have in zip(box, picture.shape[:2], strict=True))
    boxed[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return boxed


def fitting(
    shape: tuple[int, ...], box: tuple[int, int], *, enlarge: bool = False
) -> tuple[int, int]:
    """Return the size of a picture of a shape in a box; it is enlarged by whole factors alone."""
    scale = min(box[0] / shape[0], box[1] / shape[1])
    if scale >= 1:
        scale = int(scale) if enlarge else 1
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def _samples(source: Source, level: int, cut: Any) -> npt.NDArray[Any]:
    if "s" in source.axes:
        return read_plane(source, level, cut, 0)
    return np.stack([read_plane(source, level, cut, i) for i in range(3)], axis=-1)


def _small(plane: npt.NDArray[Any], size: tuple[int, int]) -> Float:
    """Return a plane in a smaller size, values averaged; NaN counts as the lowest value."""
    from PIL import Image

    values = (np.abs(plane) if plane.dtype.kind == "c" else plane).astype(np.float32)
    if not np.isfinite(values).all():
        finite = values[np.isfinite(values)]
        low = float(finite.min()) if finite.size else 0.0
        high = float(finite.max()) if finite.size else 0.0
        values = np.nan_to_num(values, nan=low, posinf=high, neginf=low)
    if values.shape[:2] == size:
        return values
    if values.ndim == 3:
        return np.stack([_small(values[..., i], size) for i in range(values.shape[-1])], axis=-1)
    small = Image.fromarray(values).resize((size[1], size[0]), Image.Resampling.HAMMING)
    return np.asarray(small, np.float32)


def _name(source: Source, index: int) -> str:
    return source.channels[index].name if index < len(source.channels) else "values"


def _color(source: Source, index: int) -> RGB:
    declared = source.channels[index].color if index < len(source.channels) else None
    return color_of(declared, index, source.n_channels)
