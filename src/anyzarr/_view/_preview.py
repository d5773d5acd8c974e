"""``preview``: what an image looks like, as one PNG."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from anyzarr._optional import require
from anyzarr._view._contrast import (
    Window,
    color_of,
    colorize,
    composite,
    percentile_window,
    stretch,
)
from anyzarr._view._planes import (
    Slicing,
    ZChoice,
    choose_channels,
    choose_level,
    read_plane,
    slicing,
)
from anyzarr._view._sheet import ScaleBar, Tile, compose, lay_out, scale_bar
from anyzarr._view._source import Source
from anyzarr.errors import StoreError, UnsupportedError
from anyzarr.stores._local import atomic_write

__all__ = ["Preview", "preview", "render"]

SCREEN = (1600, 1000)


@dataclass(frozen=True, slots=True)
class Preview:
    """What a preview shows.

    Attributes
    ----------
    path
        The PNG.
    width, height
        Its size in pixels.
    level
        The resolution level that was read.
    channels
        Names of the channels shown, in order.
    slices
        What was taken of the axes that are not shown, as printed on the sheet.
    """

    path: str
    width: int
    height: int
    level: int
    channels: tuple[str, ...]
    slices: str


def preview(
    location: Any,
    out_png: str | os.PathLike[str],
    *,
    level: int | None = None,
    channels: Sequence[int | str] | None = None,
    z: ZChoice = "middle",
    time: int = 0,
    screen: tuple[int, int] = SCREEN,
    path: str = "",
    engine: str | None = None,
    backend: str | None = None,
    **backend_kwargs: Any,
) -> Preview:
    """Write a contact sheet of an image's channels as a PNG.

    One tile per channel in its colour, contrast from the 1st to the 99.8th percentile of what
    is shown, and as the last tile their sum. Red, green and blue channels are shown as one
    colour picture, as stored. The coarsest level that fills the screen is read, no other.

    Parameters
    ----------
    location
        An OME-Zarr image or an array: a path, URL, store or dict.
    out_png
        File to write, ending in ``.png``; replaced as a whole or not at all.
    level
        Resolution level to read; default the coarsest that fills the screen.
    channels
        Names or indices of the channels to show, in this order; default all.
    z
        ``"middle"`` slice, ``"max"`` projection, or a slice index of the level that is read.
    time
        Time point to show.
    screen
        Width and height the sheet should fit, in pixels.
    path
        Path of the image within the location.
    engine, backend, **backend_kwargs
        As for :func:`anyzarr.open`.

    Raises
    ------
    UnsupportedError
        There is no image at the location, or ``out_png`` does not end in ``.png``.
    SelectionError
        No such level, channel, slice or time point.
    CorruptDataError
        A chunk that is shown cannot be decoded. Nothing is written.
    MissingDependencyError
        Pillow is not installed.
    StoreError
        The file cannot be written.

    Examples
    --------
    >>> import anyzarr, numpy as np, tempfile, pathlib
    >>> from anyzarr._view import preview
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> array = anyzarr.create_array(folder / "a.zarr", data=np.arange(12.0).reshape(3, 4))
    >>> preview(folder / "a.zarr", folder / "a.png").level
    0
    """
    target = _checked_target(out_png)
    require("PIL.Image", extra="images", purpose="A preview")
    from anyzarr._view._open import open_source

    source = open_source(location, path=path, engine=engine, backend=backend, **backend_kwargs)
    sheet, shown = render(
        source, str(target), level=level, channels=channels, z=z, time=time, screen=screen
    )
    _save(sheet, target)
    return shown


def render(
    source: Source,
    target: str,
    *,
    level: int | None = None,
    channels: Sequence[int | str] | None = None,
    z: ZChoice = "middle",
    time: int = 0,
    screen: tuple[int, int] = SCREEN,
) -> tuple[Any, Preview]:
    """Return the sheet as a ``PIL.Image`` and what it shows; parameters as for ``preview``."""
    chosen = choose_channels(source, channels)
    if source.is_rgb:
        n_tiles = 1
    else:
        n_tiles = len(chosen) + (len(chosen) > 1)
    layout = lay_out(n_tiles, _extent(source, 0), screen)
    picked = choose_level(source, level, (layout.height, layout.width))
    layout = lay_out(n_tiles, _extent(source, picked), screen)
    cut = slicing(source, picked, z, time)
    tiles = (
        _rgb_tiles(source, picked, cut) if source.is_rgb else _tiles(source, picked, cut, chosen)
    )
    sheet = compose(tiles, layout, source.name, _details(source, picked, cut), _bar(source, picked))
    names = tuple(tile.label for tile in tiles[: len(chosen)])
    return sheet, Preview(target, sheet.width, sheet.height, picked, names, cut.label)


def _tiles(source: Source, level: int, cut: Slicing, channels: Sequence[int]) -> list[Tile]:
    tiles = []
    for index in channels:
        info = source.channels[index] if index < len(source.channels) else None
        plane = read_plane(source, level, cut, index)
        window = percentile_window(plane)
        color = color_of(info.color if info else None, index, source.n_channels)
        picture = colorize(stretch(plane, window), color)
        label, mark = (info.name, color) if info else ("values", None)
        tiles.append(Tile(picture, label, _window_text(window), mark))
    if len(tiles) > 1:
        tiles.append(Tile(composite([tile.picture for tile in tiles]), "composite"))
    return tiles


def _rgb_tiles(source: Source, level: int, cut: Slicing) -> list[Tile]:
    if "s" in source.axes:
        samples = read_plane(source, level, cut, 0)
    else:
        samples = np.stack([read_plane(source, level, cut, i) for i in range(3)], axis=-1)
    if samples.dtype == np.uint8:
        return [Tile(samples, "RGB", "as stored")]
    # One window for all three, or the hue would change.
    window = percentile_window(samples)
    picture = np.rint(stretch(samples, window) * 255).astype(np.uint8)
    return [Tile(picture, "RGB", _window_text(window))]


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


def _window_text(window: Window) -> str:
    return f"{_short(window.low)} – {_short(window.high)}"


def _short(value: float) -> str:
    return f"{value:.0f}" if 1e3 <= abs(value) < 1e7 else f"{value:.4g}"


def _checked_target(out_png: str | os.PathLike[str]) -> Path:
    target = Path(out_png)
    if target.suffix.lower() != ".png":
        raise UnsupportedError(
            f"{str(target)!r} does not end in .png, the one format a preview is written in; "
            f"give a name such as {target.with_suffix('.png').name!r}"
        )
    if not target.parent.is_dir():
        raise StoreError(
            f"{str(target)!r} cannot be written: the folder {str(target.parent)!r} does not "
            "exist; create it first"
        )
    if target.is_dir():
        raise StoreError(f"{str(target)!r} is a folder; give the name of a file in it")
    return target


def _save(sheet: Any, target: Path) -> None:
    """Write the PNG: a reader sees all of it or nothing."""
    encoded = io.BytesIO()
    sheet.save(encoded, format="PNG", optimize=True)
    try:
        atomic_write(str(target.absolute()), encoded.getvalue())
    except OSError as error:
        raise _unwritable(target, error) from error


def _unwritable(target: Path, error: OSError) -> StoreError:
    return StoreError(
        f"{str(target)!r} cannot be written ({error.strerror}); choose a folder you may write to"
    )
