"""The sheet of a plate, a well or a series: many images, small, with one contrast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from anyzarr._parallel import map_ordered
from anyzarr._view._contrast import Window
from anyzarr._view._draw import ScaleBar
from anyzarr._view._open import Images, Member, some
from anyzarr._view._plate_sheet import Cell, Legend, PlateGrid, compose_plate, lay_out_plate
from anyzarr._view._render import window_text
from anyzarr._view._sheet import Layout, Tile, compose, lay_out, scale_bar
from anyzarr._view._shown import Look, Preview
from anyzarr._view._thumbs import Key, Thumb, make_thumb, paint, windows_of
from anyzarr.errors import AnyzarrError, UnsupportedError

__all__ = ["render_images"]

_MOST_TILES = 400
_TRIED = 8


@dataclass(frozen=True)
class _Read:
    """What came of reading the images.

    Attributes
    ----------
    members, found
        Each, and what it looks like small, or why it cannot be shown.
    windows
        Of the images that can share a contrast.
    """

    members: Sequence[Member]
    found: Sequence[Thumb | AnyzarrError]
    windows: Mapping[Key, Sequence[Window]]

    @property
    def shown(self) -> list[tuple[str, Thumb]]:
        """Name and thumb of those that can be shown."""
        pairs = zip(self.members, self.found, strict=True)
        return [(member.name, thumb) for member, thumb in pairs if isinstance(thumb, Thumb)]


def render_images(images: Images, target: str, look: Look) -> tuple[Any, Preview]:
    """Return the sheet of many images as a ``PIL.Image``, and what it shows.

    Raises
    ------
    AnyzarrError
        None of the images can be shown: what is wrong with the first.
    UnsupportedError
        There are no images.
    """
    shape = _first_shape(images)
    grid = lay_out_plate(images.rows, images.columns, shape, look.screen) if images.rows else None
    if grid is not None:
        read = _read(images, images.members, look, (grid.height, grid.width))
        sheet = _plate_sheet(images, grid, read)
    else:
        members = images.members[:_MOST_TILES]
        layout = lay_out(len(members), shape, look.screen)
        read = _read(images, members, look, (layout.height, layout.width))
        sheet = _list_sheet(images, layout, read)
    first = read.shown[0][1]
    return sheet, Preview(
        target,
        sheet.width,
        sheet.height,
        first.level,
        first.names,
        first.slices,
        images=tuple(name for name, _ in read.shown),
        labels=tuple(dict.fromkeys(name for _, thumb in read.shown for name in thumb.label_names)),
        notes=_notes(images, read),
    )


def _first_shape(images: Images) -> tuple[int, int]:
    """Return height and width of the first image that can be opened."""
    errors: list[AnyzarrError] = []
    for member in images.members:
        try:
            source = images.open(member).source
        except AnyzarrError as error:
            errors.append(error)
            if len([e for e in errors if e is not member.error]) > _TRIED:
                break
            continue
        y, x = source.plane_axes
        shape = source.levels[0].shape
        return max(1, shape[y]), max(1, shape[x])
    if errors:
        raise errors[0]
    raise UnsupportedError(f"the {images.kind} {images.name} has no images, so nothing to show")


def _read(images: Images, members: Sequence[Member], look: Look, box: tuple[int, int]) -> _Read:
    by_shape = images.kind == "series"  # of a plate or well, all images are of one kind

    def made(member: Member) -> Thumb | AnyzarrError:
        try:
            return make_thumb(images.open(member), look, box, by_shape=by_shape)
        except AnyzarrError as error:
            return error

    found = list(map_ordered(made, members))
    thumbs = [thumb for thumb in found if isinstance(thumb, Thumb)]
    if not thumbs:
        raise next(error for error in found if isinstance(error, AnyzarrError))
    return _Read(members, found, windows_of(thumbs))


def _plate_sheet(images: Images, grid: PlateGrid, read: _Read) -> Any:
    cells: dict[tuple[int, int], Cell] = {}
    for member, found in zip(read.members, read.found, strict=True):
        assert member.place is not None  # members of a plate have one
        if isinstance(found, Thumb):
            cells[member.place] = paint(found, read.windows[found.key], (grid.height, grid.width))
        else:
            cells[member.place] = "absent" if member.is_absent else "broken"
    first = read.shown[0][1]
    legend = _legend(first, read.windows[first.key])
    details = _details(images, read)
    return compose_plate(
        grid, cells, images.name, details, legend, _bar(first, (grid.height, grid.width), share=1.0)
    )


def _list_sheet(images: Images, layout: Layout, read: _Read) -> Any:
    tiles = []
    box = layout.height, layout.width
    for member, found in zip(read.members, read.found, strict=True):
        if isinstance(found, Thumb):
            windows = read.windows[found.key]
            own = ", ".join(map(window_text, windows)) if len(read.windows) > 1 else ""
            tiles.append(Tile(paint(found, windows, box), member.name, own))
        else:
            blank = np.zeros((*box, 3), np.uint8)
            tiles.append(Tile(blank, member.name, "cannot be read", is_broken=True))
    first = read.shown[0][1]
    details = _details(images, read)
    if len(read.windows) == 1:
        legend = _legend(first, read.windows[first.key])
        details = "  ·  ".join([details, *(f"{entry.name} {entry.detail}" for entry in legend)])
    last = read.found[-1]
    bar = _bar(last, box) if isinstance(last, Thumb) else None
    return compose(tiles, layout, images.name, details, bar)


def _details(images: Images, read: _Read) -> str:
    first = read.shown[0][1]
    n = len(read.shown)
    if images.rows:
        parts = [f"{n} of {len(images.rows) * len(images.columns)} wells"]
        fields = dict.fromkeys(name.rpartition("/")[2] for name, _ in read.shown)
        if len(fields) == 1:
            parts.append(f"field {next(iter(fields))}")
    else:
        parts = [f"{n} of {len(images.members)} images"]
    parts += [f"level {first.level} of {first.n_levels} shown"] if first.n_levels > 1 else []
    return "  ·  ".join([*parts, *filter(None, [first.slices])])


def _legend(thumb: Thumb, windows: Sequence[Window]) -> list[Legend]:
    if thumb.key[2]:
        return [Legend("RGB", window_text(windows[0]), None)]
    return [
        Legend(name, window_text(window), color)
        for name, window, color in zip(thumb.names, windows, thumb.colors, strict=True)
    ]


def _bar(thumb: Thumb, box: tuple[int, int], share: float = 0.25) -> ScaleBar | None:
    """Return a scale bar in widths of the box that the picture lies in."""
    if thumb.extent is None:
        return None
    filled = thumb.size_in(box)[1] / box[1]
    return scale_bar(thumb.extent[0] / filled, thumb.extent[1], share=share)


def _notes(images: Images, read: _Read) -> tuple[str, ...]:
    """Return what is not shown, or not like the rest."""
    notes = []
    for member, found in zip(read.members, read.found, strict=True):
        if not isinstance(found, Thumb) and not member.is_absent:
            notes.append(f"{member.name} cannot be shown: {found.message}")
    absent = [member.name for member in read.members if member.is_absent]
    if absent:
        notes.append(f"no such field of view in {some(absent)}")
    hidden = len(images.members) - len(read.members)
    if hidden:
        notes.append(f"{hidden} more images are not shown")
    first = read.shown[0][1]
    odd = (
        []
        if images.kind == "series"
        else [name for name, thumb in read.shown if thumb.key != first.key]
    )
    if odd:
        notes.append(
            "of another dtype or with other channels than the first, and so with another contrast: "
            f"{some(odd)}"
        )
    return (*notes, *(f"{name}: {note}" for name, thumb in read.shown for note in thumb.notes))
