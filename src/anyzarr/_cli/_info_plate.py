"""How ``anyzarr info`` tells plates, wells and series of images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from anyzarr._cli import _format as fmt
from anyzarr._cli._console import pairs, table
from anyzarr._cli._info_image import image_rows, image_tables
from anyzarr._cli._info_nodes import reading, stored_rows, title, where
from anyzarr._cli._plate_map import plate_map

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

    from anyzarr._info import ImageInfo, PlateInfo, PositionInfo, SeriesInfo, WellInfo

__all__ = ["collection", "plate"]

_NAMES_SHOWN = 20


def plate(facts: PlateInfo, width: int) -> Iterable[RenderableType]:
    """Return what to print of a plate on so many columns of text."""
    grid = f"{fmt.count(len(facts.rows), 'row')} × {fmt.count(len(facts.columns), 'column')}"
    n_places = len(facts.rows) * len(facts.columns)
    rows = [
        ("path", where(facts)),
        ("format", f"OME-Zarr {facts.version}, Zarr v{facts.zarr_format}"),
        ("wells", f"{len(facts.wells):,} of {n_places:,} filled ({grid})"),
        ("fields", _fields(facts)),
        ("acquisitions", ", ".join(facts.acquisitions)),
    ]
    yield title(facts.name, "OME-Zarr plate")
    yield pairs([*rows, *_ending(facts)])
    if facts.wells:
        yield from ("", plate_map(facts, width))
    yield from _images(facts, facts.image)


def collection(facts: WellInfo | SeriesInfo) -> Iterable[RenderableType]:
    """Return what to print of a well or of a series of images."""
    rows = [
        ("path", where(facts)),
        ("format", f"OME-Zarr {facts.version}, Zarr v{facts.zarr_format}"),
        ("images", _names(facts.images)),
    ]
    if facts.kind == "series":
        known = {True: "yes", False: "no", None: "unknown"}
        rows.append(("OME-XML", known[getattr(facts, "has_ome_xml", None)]))
    kind = "OME-Zarr well" if facts.kind == "well" else "series of OME-Zarr images"
    yield title(facts.name, kind)
    yield pairs([*rows, *_ending(facts)])
    yield from _images(facts, facts.image)


def _ending(facts: PlateInfo | WellInfo | SeriesInfo) -> list[tuple[str, str]]:
    backend = [] if facts.image is not None else [("backend", facts.backend)]
    notes = [("note", note) for note in facts.notes]
    return [*stored_rows(facts.stored, None), *_survey(facts.positions), *backend, *notes]


def _fields(facts: PlateInfo) -> str:
    counts = [well.n_fields for well in facts.wells if well.n_fields is not None]
    if not counts:
        return f"up to {facts.field_count} per well" if facts.field_count else ""
    each = f"{min(counts)}" if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"
    return f"{sum(counts):,}, {each} per well"


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_NAMES_SHOWN])
    more = f", … {len(names) - _NAMES_SHOWN:,} more" if len(names) > _NAMES_SHOWN else ""
    return f"{len(names):,}: {shown}{more}" if names else "none"


def _survey(positions: Sequence[PositionInfo] | None) -> list[tuple[str, str]]:
    """Return the rows that say how many images are not like the first."""
    if positions is None:
        return []
    broken = sum(p.error is not None for p in positions)
    empty = sum(p.error is None and p.shape is None for p in positions)
    differing = Counter(word for p in positions for word in p.differs)
    told = [f"{n:,} in {word}" for word, n in differing.items()]
    return [
        ("unreadable", f"{broken:,} of {len(positions):,}" if broken else ""),
        ("without data", f"{empty:,} of {len(positions):,}" if empty else ""),
        ("differing", ", ".join(told)),
    ]


def _images(
    facts: PlateInfo | WellInfo | SeriesInfo, first: ImageInfo | None
) -> Iterable[RenderableType]:
    from rich.text import Text

    if first is not None:
        relative = first.path[len(facts.path) :].strip("/")
        yield from ("", Text.assemble((relative, "bold"), "  ", ("first image", "cyan")))
        yield pairs([*image_rows(first), *reading(first)])
        yield from image_tables(first)
    if facts.positions:
        yield from ("", _positions(facts.positions))


def _positions(positions: Iterable[PositionInfo]) -> Table:
    from rich.text import Text

    drawn = table("position", "shape", "dtype", "channels", "levels", "")
    for position in positions:
        shape = "–" if position.shape is None else fmt.extent(position.shape)
        drawn.add_row(
            Text(position.path),
            shape,
            position.dtype or "–",
            Text(", ".join(position.channels) or "–"),
            str(position.n_levels or "–"),
            _remark(position),
        )
    return drawn


def _remark(position: PositionInfo) -> Text:
    from rich.text import Text

    if position.error is not None:
        return Text(f"cannot be read: {position.error}", style="red")
    if position.shape is None:
        return Text("no data yet", style="yellow")
    differs = ", ".join(position.differs)
    return Text(f"differs in {differs}" if differs else "", style="yellow")
