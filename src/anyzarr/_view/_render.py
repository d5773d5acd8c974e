"""The sheet of one image: its channels side by side, their sum, its labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from anyzarr._view._contrast import (
    UInt8,
    Window,
    color_of,
    colorize,
    composite,
    percentile_window,
    stretch,
)
from anyzarr._view._overlay import FILLED, OUTLINED, LabelLayer, overlay, read_labels
from anyzarr._view._planes import (
    Slicing,
    choose_channels,
    choose_level,
    read_plane,
    slicing,
    stride,
)
from anyzarr._view._sheet import ScaleBar, Tile, compose, lay_out, resized, scale_bar
from anyzarr._view._shown import DEFAULT_LOOK, Look, Preview
from anyzarr._view._source import Source
from anyzarr._view._vector_overlay import VectorLayer, overlay_vectors
from anyzarr.errors import AnyzarrError, UnsupportedError

__all__ = ["render", "window_text"]


def render(
    source: Source,
    target: str,
    look: Look = DEFAULT_LOOK,
    layers: Sequence[LabelLayer] = (),
    vectors: Sequence[VectorLayer] = (),
    *,
    is_label: bool = False,
) -> tuple[Any, Preview]:
    """Return the sheet of an image as a ``PIL.Image``, and what it shows.

    Parameters
    ----------
    source
        The image.
    target
        Where the sheet will be written.
    look
        What to show of it.
    layers
        Label images, each shown in a tile of its own.
    vectors
        Vector stores, likewise.
    is_label
        The image is a label image: its only layer is shown, on black, and no values.
    """
    chosen = choose_channels(source, look.channels)
    n_tiles = 1 if source.is_rgb else len(chosen) + (len(chosen) > 1)
    n_all = len(layers) + len(vectors) + (0 if is_label else n_tiles)
    layout = lay_out(n_all, _extent(source, 0), look.screen)
    level = choose_level(source, look.level, (layout.height, layout.width))
    layout = lay_out(n_all, _extent(source, level), look.screen)
    cut = slicing(source, level, look.z, look.time)
    tiles: list[Tile] = []
    base = np.zeros((layout.height, layout.width, 3), np.uint8)
    if not is_label:
        made = _rgb_tiles if source.is_rgb else _tiles
        tiles += made(source, level, cut, chosen)
        base = resized(tiles[-1].picture, layout.height, layout.width)
    names = tuple(tile.label for tile in tiles[: len(chosen)])
    tiles += [
        _label_tile(layer, base, source, level, cut, FILLED if is_label else OUTLINED)
        for layer in layers
    ]
    drawn = [_vector_tile(layer, base, source, level, cut, look) for layer in vectors]
    tiles += [tile for tile, _ in drawn]
    sheet = compose(tiles, layout, source.name, _details(source, level, cut), _bar(source, level))
    labels = tuple(layer.name for layer in layers)
    shown = Preview(
        target,
        sheet.width,
        sheet.height,
        level,
        names,
        cut.label,
        labels=labels,
        notes=tuple(note for _, note in drawn if note),
        vectors=tuple(v.name for v, (t, _) in zip(vectors, drawn, strict=True) if not t.is_broken),
    )
    return sheet, shown


def _label_tile(
    layer: LabelLayer, base: UInt8, source: Source, level: int, cut: Slicing, fill: float
) -> Tile:
    labels = read_labels(layer, source, level, cut)
    n = np.count_nonzero(np.unique(labels))
    return Tile(
        overlay(base, labels, layer.colors, fill=fill), f"labels: {layer.name}", f"{n} in view"
    )


def _vector_tile(
    layer: VectorLayer, base: UInt8, source: Source, level: int, cut: Slicing, look: Look
) -> tuple[Tile, str]:
    """Return a tile of vectors over the picture, and what of them is not shown."""
    label = f"vectors: {layer.name}"
    try:
        found = overlay_vectors(layer, base, source, level, cut, look)
    except AnyzarrError as error:
        note = f"the vectors {layer.name!r} cannot be shown: {error.message}"
        return Tile(base, label, is_broken=True), note
    return Tile(found.picture, label, found.detail), found.note


def _tiles(source: Source, level: int, cut: Slicing, channels: Sequence[int]) -> list[Tile]:
    tiles = []
    for index in channels:
        info = source.channels[index] if index < len(source.channels) else None
        plane = read_plane(source, level, cut, index)
        window = percentile_window(plane)
        color = color_of(info.color if info else None, index, source.n_channels)
        picture = colorize(stretch(plane, window), color)
        label, mark = (info.name, color) if info else ("values", None)
        tiles.append(Tile(picture, label, window_text(window), mark))
    if len(tiles) > 1:
        tiles.append(Tile(composite([tile.picture for tile in tiles]), "composite"))
    return tiles


def _rgb_tiles(source: Source, level: int, cut: Slicing, channels: Sequence[int]) -> list[Tile]:
    if "s" in source.axes:
        samples = read_plane(source, level, cut, 0)
    else:
        samples = np.stack([read_plane(source, level, cut, i) for i in range(3)], axis=-1)
    if samples.dtype == np.uint8:
        return [Tile(samples, "RGB", "as stored")]
    # One window for all three, or the hue would change.
    window = percentile_window(samples)
    picture = np.rint(stretch(samples, window) * 255).astype(np.uint8)
    return [Tile(picture, "RGB", window_text(window))]


def _details(source: Source, level: int, cut: Slicing) -> str:
    array = source.levels[0]
    sizes = ", ".join(f"{a} {n}" for a, n in zip(source.axes, array.shape, strict=True))
    parts = [sizes, str(array.dtype)]
    if voxel := _voxel(source):
        parts.append(voxel)
    if len(source.levels) > 1:
        y, x = source.plane_axes
        shape = source.levels[level].shape
        parts.append(f"level {level} of {len(source.levels)} shown ({shape[y]} × {shape[x]})")
    if (step := stride(source, level)) > 1:
        parts.append(f"every {step}. pixel")
    if cut.label:
        parts.append(cut.label)
    return "  ·  ".join(parts)


def _voxel(source: Source) -> str:
    """Return the voxel size, coarsest axis first, as in ``0.5 × 0.1 × 0.1 µm``."""
    axes = [i for i, name in enumerate(source.axes) if name in {"z", "y", "x"} and source.units[i]]
    if not axes:
        return ""
    units = [source.unit(i) for i in axes]
    values = [f"{source.scales[0][i]:.4g}" for i in axes]
    if len(set(units)) == 1:
        return f"{' × '.join(values)} {units[0]}"
    return " × ".join(f"{value} {unit}" for value, unit in zip(values, units, strict=True))


def _bar(source: Source, level: int) -> ScaleBar | None:
    x = source.plane_axes[1]
    unit = source.unit(x)
    if unit is None:
        return None
    return scale_bar(source.levels[level].shape[x] * source.scales[level][x], unit)


def _extent(source: Source, level: int) -> tuple[int, int]:
    y, x = source.plane_axes
    shape = source.levels[level].shape
    if 0 in (*shape,):
        raise UnsupportedError(f"an image of shape {tuple(shape)} has nothing to show")
    return shape[y], shape[x]


def window_text(window: Window) -> str:
    return f"{_short(window.low)} – {_short(window.high)}"


def _short(value: float) -> str:
    return f"{value:.0f}" if 1e3 <= abs(value) < 1e7 else f"{value:.4g}"
