"""Parts of a write: cells and documents of many arrays, those of new ones at once."""

from __future__ import annotations

from collections.abc import Sequence

from anyzarr._parallel import for_each
from anyzarr.crud._alike import put_alike, write_ragged_alike
from anyzarr.vectors._cells import arrays_at_once
from anyzarr.vectors._job import Part

__all__ = ["put_parts", "write_parts"]


def write_parts(parts: Sequence[Part]) -> None:
    """Write cells; documents are not touched, and of a new array nothing can be seen yet."""
    limit = _limit(parts)
    alike, others = _alike(parts)
    for some in alike:
        first = some[0].array
        write_ragged_alike(
            first.metadata,
            first.store,
            [(part.array.path, part.cells - first.origin, part.blobs) for part in some],
            engine=first.engine,
            limit=limit,
        )
    for_each(lambda part: part.array.write(part.cells, part.blobs), others, limit=limit)


def put_parts(parts: Sequence[Part]) -> None:
    """Store the documents, which list the cells from then on."""
    limit = _limit(parts)
    alike, others = _alike(parts)
    for some in alike:
        first = some[0].array
        attributes = {
            part.array.path: first.listing_attributes(part.cells, part.attributes) for part in some
        }
        put_alike(first.metadata, first.store, attributes, limit=limit)
    for_each(lambda part: part.listed.put(), others, limit=limit)


def _limit(parts: Sequence[Part]) -> int:
    return arrays_at_once(parts[0].array.store) if parts else 1


def _alike(parts: Sequence[Part]) -> tuple[list[list[Part]], list[Part]]:
    """Return new arrays by the document that they share, and the other parts."""
    shared: dict[int, list[Part]] = {}
    for part in parts:
        if part.array.is_new:
            shared.setdefault(id(part.array.metadata), []).append(part)
    alike = [some for some in shared.values() if len(some) > 1]
    together = {id(part) for some in alike for part in some}
    return alike, [part for part in parts if id(part) not in together]
