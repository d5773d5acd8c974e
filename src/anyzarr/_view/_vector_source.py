"""What is read of a vector store for a picture: a level that is small enough, or a part of one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from anyzarr._view._shapes import Shapes, shapes_of
from anyzarr.errors import SelectionError
from anyzarr.ome._axes import Axis, metres
from anyzarr.vectors import Points, ZVSelection, ZVStore
from anyzarr.vectors._grid import Bounds, Coords
from anyzarr.vectors._intersect import links_near
from anyzarr.vectors._points import select_points
from anyzarr.vectors._read_links import StoredLinks
from anyzarr.vectors._select import Vectors

__all__ = ["RESERVED", "Drawing", "Space", "auto_color", "read_drawing"]

# About so many vertices, and at most so many objects, are read for one picture.
MOST_VERTICES: Final = 2_000_000
_MOST_OBJECTS: Final = 200_000
# Of points up to so many times as many are read, block by block, and thinned.
_THINNEST: Final = 10
# So many objects or more that are left can stand for all of them.
_FEWEST_OBJECTS: Final = 500
# Fewer points are shown as dots.
_SPARSE: Final = 20_000
# Colours that are not the name of an attribute.
RESERVED: Final = ("auto", "plain", "density", "object", "direction")


@dataclass(frozen=True)
class Space:
    """The axes of a vector store.

    Attributes
    ----------
    names
        Of all columns.
    units
        Of all columns, as declared.
    x, y, z
        The columns; ``z`` is None in a plane.
    is_of_image
        Whether y runs downwards, as in images: where x is the last column.
    """

    names: tuple[str, ...]
    units: tuple[str | None, ...]
    x: int
    y: int
    z: int | None
    is_of_image: bool

    @classmethod
    def of(cls, axes: tuple[Mapping[str, Any], ...]) -> Space:
        """Return the space of axes: those named x, y and z, else the first ones in this order."""
        names = tuple(str(axis.get("name", i)) for i, axis in enumerate(axes))
        units = tuple(str(axis["unit"]) if axis.get("unit") else None for axis in axes)
        lower = [name.lower() for name in names]
        if len(names) < 2:
            raise SelectionError(
                f"vectors of {len(names)} dimension cannot be shown: a preview needs two at least",
                kind="ndim",
            )
        if "x" in lower and "y" in lower:
            x, y = lower.index("x"), lower.index("y")
            z = lower.index("z") if "z" in lower else None
        else:
            x, y, z = 0, 1, 2 if len(names) > 2 else None
        return cls(names, units, x, y, z, is_of_image=y < x)

    @property
    def lengths(self) -> npt.NDArray[np.float64]:
        """The length of one unit of each axis, in units of x."""
        found = np.array([metres(Axis("x", "space", unit)) for unit in self.units])
        return np.asarray(found / found[self.x])

    @property
    def axes(self) -> tuple[int, int, int | None]:
        """The columns of x, y and z."""
        return self.x, self.y, self.z


@dataclass(frozen=True, eq=False)
class Drawing:
    """What has been read of a vector store.

    Attributes
    ----------
    shapes
        What can be drawn.
    geometry
        ``point``, ``line``, ``polyline``, ``graph`` or ``mesh``.
    level, n_levels
        What was read, and how many levels there are.
    counts
        Numbers of vertices and objects of the level.
    sample
        What part of the level was read, in words; empty: all that was asked for.
    """

    shapes: Shapes
    geometry: str
    level: int
    n_levels: int
    counts: tuple[int, int]
    sample: str = ""


def auto_color(drawing: Drawing) -> str:
    """Return what colours tell where nobody says it."""
    if drawing.geometry in ("line", "polyline"):
        return "direction"
    if drawing.geometry == "point":
        return "density" if len(drawing.shapes.positions) >= _SPARSE else "plain"
    return "object" if np.unique(drawing.shapes.owner).size > 1 else "plain"


def read_drawing(
    store: ZVStore,
    *,
    level: int | None = None,
    color: str = "auto",
    bbox: Bounds | None = None,
    most: int = MOST_VERTICES,
) -> Drawing:
    """Return what is drawn of a store.

    The finest level of which not too much has to be read is taken; where even the coarsest is
    too large, chunks that are spread over it.

    Parameters
    ----------
    store
        The store.
    level
        The level to read; None: as above.
    color
        Whose values are needed.
    bbox
        Only what lies in this box is needed; chunks beside it are not read.
    most
        Number of vertices to read.

    Raises
    ------
    NodeNotFoundError
        There is no such level.
    SelectionError
        There is no such attribute.
    """
    wanted = store.levels if level is None else (store.levels[level],) if level < 0 else (level,)
    part, expected = _chosen(store, wanted, bbox, most)
    n_objects = 0 if part._stored.objects is None else part._stored.objects.n_objects
    counts = (part._stored.level.vertex_count, n_objects)
    part, expected, sample = _sampled(part, expected, most)
    step = -(-expected // most) if part.geometry == "point" else 1
    found = _read(part, color) if step <= 1 else _thinned(part, color, step)
    sample = " and ".join(filter(None, (sample, f"1 of {step} points" if step > 1 else "")))
    shapes = shapes_of(found)
    if color not in RESERVED and color not in shapes.columns:
        names = [*part._stored.attribute_names("all"), *shapes.columns]
        raise SelectionError(
            f"color={color!r} is none of {', '.join(RESERVED)}, and no attribute: "
            f"there are {', '.join(map(repr, names)) or 'none'}",
            kind="color",
        )
    return Drawing(shapes, part.geometry, part.number, len(store.levels), counts, sample)


def _chosen(
    store: ZVStore, levels: tuple[int, ...], bbox: Bounds | None, most: int
) -> tuple[ZVSelection, int]:
    """Return the finest of some levels that is small enough, and how many vertices that are."""
    part, expected = ZVSelection(store.root, 0), 0
    for number in levels:
        part = store[number]
        every, chosen = part._stored.cells, _cells_of(part, bbox)
        expected = part._stored.level.vertex_count * len(chosen) // max(1, len(every))
        if part.geometry == "point":
            part = part.filter(bbox=bbox)
        elif len(chosen) < len(every):
            part = part.filter(chunks=chosen.tolist())
        if expected <= most:
            break
    return part, expected


def _cells_of(part: ZVSelection, bbox: Bounds | None) -> Coords:
    """Return the chunks of all that a box shows, also of what only passes through it."""
    level = part._stored
    cells = level.select(bbox)
    if bbox is None or part.geometry == "point":
        return cells
    links = StoredLinks.open(level.root, level.number, [], settled=level.level.fragments_tile)
    return links_near(level, cells, links, bbox)


def _sampled(part: ZVSelection, expected: int, most: int) -> tuple[ZVSelection, int, str]:
    """Return a part of a selection that is small enough, its vertices, and what part it is."""
    objects, words = part._stored.objects, []
    if part.geometry == "point":
        most *= _THINNEST
    elif objects is not None and (step := _step_of_objects(objects.n_objects, expected, most)) > 1:
        part = part.filter(object_ids=objects.ids[::step].tolist())
        words.append(f"1 of {step:,} objects")
        expected //= step
    if expected > most:
        cells = part._stored.select(part.bbox, part.chunks)
        # Along each axis every so many-th: all sides of the whole are shown as densely.
        step = -(-expected // most)
        picked = cells[cells.sum(axis=1) % step == 0]
        picked = picked if len(picked) else cells[::step]
        part = part.filter(chunks=picked.tolist())
        words.append(f"{len(picked):,} of {len(cells):,} chunks")
        expected = expected * len(picked) // len(cells)
    return part, expected, " and ".join(words)


def _step_of_objects(n_objects: int, expected: int, most: int) -> int:
    """Return of how many objects one is shown.

    Some of many objects look like all of them, and chunks that are left out are holes. Objects lie
    in all chunks, though, so that far too many vertices are made fewer by chunks.
    """
    step = -(-n_objects // _MOST_OBJECTS)
    if most < expected <= most * _THINNEST:
        by_size = -(-expected // most)
        step = max(step, by_size) if n_objects // by_size >= _FEWEST_OBJECTS else step
    return step


def _thinned(part: ZVSelection, color: str, step: int) -> Points:
    """Return every so many-th of some points, read block by block."""
    cells = part._stored.select(part.bbox, part.chunks)
    blocks = []
    for run in np.array_split(cells, min(step, len(cells))):
        found = _points(part, color, run)
        ids = None if found.object_ids is None else found.object_ids[::step]
        columns = {name: column[::step] for name, column in found.vertex_attributes.items()}
        blocks.append(Points(found.positions[::step], columns, ids))
    owners = [block.object_ids for block in blocks if block.object_ids is not None]
    return Points(
        np.concatenate([block.positions for block in blocks]),
        {
            name: np.concatenate([block.vertex_attributes[name] for block in blocks])
            for name in blocks[0].vertex_attributes
        },
        np.concatenate(owners) if owners else None,
    )


def _read(part: ZVSelection, color: str) -> Vectors:
    if part.geometry == "point":
        return _points(part, color, part.chunks)
    return part.compute(_columns(part, color))


def _points(part: ZVSelection, color: str, chunks: Iterable[Sequence[int]] | None) -> Points:
    return select_points(
        part._stored,
        bbox=part.bbox,
        chunks=chunks,
        attribute_names=_columns(part, color),
        with_object_ids=color == "object",
    )


def _columns(part: ZVSelection, color: str) -> tuple[str, ...]:
    """Return the vertex attributes that colours need."""
    is_stored = color not in RESERVED and color in part._stored.attribute_names("all")
    return (color,) if is_stored else ()
