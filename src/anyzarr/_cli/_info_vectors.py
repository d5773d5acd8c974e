"""How ``anyzarr info`` tells a vector store."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from anyzarr._cli._console import pairs, table
from anyzarr._cli._info_nodes import stored_rows, title, where

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from anyzarr._info import VectorsInfo
    from anyzarr.vectors import StoreInfo

__all__ = ["store"]


def store(facts: VectorsInfo) -> Iterable[RenderableType]:
    """Return what to print of a vector store."""
    yield title(facts.store.name, "vector store")
    yield pairs(_rows(facts))
    yield from ("", _levels(facts.store))


def _rows(facts: VectorsInfo) -> list[tuple[str, str]]:
    told = facts.store
    low, high = told.bounds
    units = [f" {unit}" if unit else "" for unit in told.units]
    spans = zip(told.axes, low, high, units, strict=True)
    rows = [
        ("path", where(facts)),
        ("format", f"zarr vectors {told.zv_version}, Zarr v{facts.zarr_format}"),
        ("geometry", ", ".join(told.geometry_types) or "none yet"),
        ("bounds", ", ".join(f"{name} {a:g} to {b:g}{unit}" for name, a, b, unit in spans)),
        ("chunks", _edges(told.chunk_shape)),
    ]
    if told.bin_shape != told.chunk_shape:
        rows.append(("bins", _edges(told.bin_shape)))
    if told.format_capabilities:
        rows.append(("needs", ", ".join(told.format_capabilities)))
    return [*rows, *stored_rows(facts.stored, None), ("backend", facts.backend)]


def _levels(told: StoreInfo) -> Table:
    drawn = table(
        "level",
        "vertices",
        "objects",
        "links",
        "chunks",
        "chunk shape",
        "dtype",
        "attributes",
        "linked to",
    )
    for level in told.levels:
        of_others = {"objects": level.object_attributes, "links": level.link_attributes}
        told_names = [
            f"of {what}: {', '.join(names)}" for what, names in of_others.items() if names
        ]
        names = "; ".join(filter(None, (", ".join(level.attributes), *told_names)))
        counts = (level.vertex_count, level.object_count, level.link_count, level.chunk_count)
        drawn.add_row(
            str(level.level),
            *(f"{n:,}" for n in counts),
            _edges(level.chunk_shape),
            level.dtype,
            names,
            ", ".join(map(str, level.linked_levels)),
        )
    return drawn


def _edges(lengths: tuple[float, ...]) -> str:
    return " × ".join(f"{length:g}" for length in lengths)
