"""How ``anyzarr info`` tells images and their labels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from anyzarr._cli import _format as fmt
from anyzarr._cli._console import pairs, table
from anyzarr._cli._info_nodes import amount, reading, stored_rows, title, where, with_bytes

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from anyzarr._info import (
        ChannelInfo,
        ImageInfo,
        LabelInfo,
        LabelsInfo,
        LevelInfo,
        MultiscaleInfo,
        VectorLayerInfo,
    )

__all__ = ["image", "image_rows", "image_tables", "labels_of"]


def image(facts: ImageInfo) -> Iterable[RenderableType]:
    """Return what to print of an image."""
    rows = [
        ("path", where(facts)),
        ("format", f"OME-Zarr {facts.version}, Zarr v{facts.zarr_format}"),
        *image_rows(facts),
        *reading(facts),
    ]
    yield title(facts.name, "OME-Zarr image" if facts.label is None else "OME-Zarr label image")
    yield pairs(rows)
    yield from image_tables(facts)


def image_rows(facts: ImageInfo) -> list[tuple[str, str]]:
    """Return what is the same for all levels of an image."""
    rows = [
        ("axes", ", ".join(f"{axis.name} {axis.size}" for axis in facts.axes)),
        ("scale", _scale(facts)),
        ("dtype", with_bytes(facts.dtype, facts.n_bytes)),
        ("codecs", " → ".join(facts.codecs)),
    ]
    if facts.label is not None:
        rows.append(("labels of", facts.label.source or "its parent image"))
        if facts.label.n_colors:
            rows.append(("colors", fmt.count(facts.label.n_colors, "label") + " of its own"))
    rows += [("note", note) for note in facts.notes]
    return rows


def image_tables(facts: ImageInfo) -> Iterable[RenderableType]:
    """Return the tables of an image: levels, channels, labels, further multiscales."""
    yield from ("", _levels(facts.levels))
    if facts.channels:
        yield from ("", _channels(facts.channels))
    if facts.labels:
        yield from ("", _labels(facts.labels))
    if facts.vectors:
        yield from ("", _vectors(facts.vectors))
    for multiscale in facts.more:
        yield from ("", _multiscale(multiscale))


def labels_of(facts: LabelsInfo) -> Iterable[RenderableType]:
    """Return what to print of the list of an image's labels."""
    rows = [
        ("path", where(facts)),
        ("format", f"OME-Zarr {facts.version}, Zarr v{facts.zarr_format}"),
        *stored_rows(facts.stored, None),
        ("backend", facts.backend),
    ]
    yield title("labels", "OME-Zarr label images")
    yield pairs(rows)
    if facts.labels:
        yield from ("", _labels(facts.labels))


def _levels(levels: Sequence[LevelInfo]) -> Table:
    drawn = table("level", "shape", "chunks")
    sharded = any(level.shards for level in levels)
    counted = any(level.stored for level in levels)
    for name in [*(["shards"] if sharded else []), *(["stored"] if counted else [])]:
        drawn.add_column(name)
    for level in levels:
        cells = [level.path, fmt.extent(level.shape), fmt.extent(level.chunks or ())]
        if sharded:
            cells.append(fmt.extent(level.shards) if level.shards else "–")
        if counted:
            cells.append(amount(level.stored, "shard" if level.shards else "chunk"))
        drawn.add_row(*cells)
    return drawn


def _channels(channels: Iterable[ChannelInfo]) -> Table:
    from rich.text import Text

    drawn = table("channel", "name", "color", "window")
    for index, channel in enumerate(channels):
        color = Text("–")
        if channel.color:
            color = Text.assemble(("■ ", _style(channel.color)), channel.color)
        window = "–"
        if channel.window:
            window = " – ".join(fmt.number(value) for value in channel.window)
        drawn.add_row(str(index), Text(channel.name), color, window)
    return drawn


def _style(color: str) -> str:
    """Return a terminal style for a colour as declared; plain where it is no such thing."""
    digits = color.lstrip("#")[:6]
    plain = len(digits) != 6 or any(c not in "0123456789abcdefABCDEF" for c in digits)
    return "" if plain else f"#{digits}"


def _labels(labels: Iterable[LabelInfo]) -> Table:
    from rich.text import Text

    drawn = table("labels", "shape", "dtype", "levels", "colors")
    for label in labels:
        if label.shape is None:
            error = Text(f"cannot be read: {label.error}", style="red")
            drawn.add_row(Text(label.name), error, "", "", "")
            continue
        cells = (fmt.extent(label.shape), label.dtype or "", str(label.n_levels))
        drawn.add_row(Text(label.name), *cells, str(label.n_colors or "–"))
    return drawn


def _vectors(layers: Iterable[VectorLayerInfo]) -> Table:
    from rich.text import Text

    drawn = table("vectors", "geometry", "vertices", "levels", "axes")
    for layer in layers:
        if layer.error is not None:
            error = Text(f"cannot be read: {layer.error}", style="red")
            drawn.add_row(Text(layer.name), error, "", "", "")
            continue
        cells = (f"{layer.vertex_count:,}", str(layer.n_levels), " ".join(layer.axes))
        drawn.add_row(Text(layer.name), ", ".join(layer.geometry_types) or "none yet", *cells)
    return drawn


def _multiscale(multiscale: MultiscaleInfo) -> Table:
    from rich.text import Text

    drawn = table("further multiscale", "axes", "level", "shape")
    name = multiscale.name or "unnamed"
    for path, shape in multiscale.levels:
        extent = Text("is not there", style="red") if shape is None else Text(fmt.extent(shape))
        drawn.add_row(Text(name), " ".join(multiscale.axes), Text(path), extent)
        name = ""
    return drawn


def _scale(facts: ImageInfo) -> str:
    return ", ".join(
        f"{axis.name} {fmt.number(axis.scale)} {axis.unit or ''}".rstrip()
        for axis in facts.axes
        if axis.scale is not None and (axis.type in {"space", "time"} or axis.unit)
    )
