"""How ``anyzarr info`` tells arrays and groups, and what all its kinds have in common."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol

from anyzarr._cli import _format as fmt
from anyzarr._cli._console import pairs, table

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from anyzarr._info import ArrayInfo, GroupInfo, ImageInfo, StoredSize

__all__ = ["amount", "array", "group", "reading", "stored_rows", "title", "where", "with_bytes"]

_MEMBERS_SHOWN = 40
_ATTRIBUTE_WIDTH = 100


class _Located(Protocol):
    @property
    def location(self) -> str: ...
    @property
    def path(self) -> str: ...


def array(facts: ArrayInfo) -> Iterable[RenderableType]:
    """Return what to print of an array."""
    rows = [
        ("path", where(facts)),
        ("format", f"Zarr v{facts.zarr_format}"),
        ("shape", _shape(facts)),
        ("dtype", with_bytes(facts.dtype, facts.n_bytes)),
        ("fill value", str(facts.fill_value)),
        ("chunks", "irregular" if facts.chunks is None else fmt.extent(facts.chunks)),
    ]
    if facts.shards is not None:
        rows.append(("shards", fmt.extent(facts.shards)))
    rows += [
        ("objects", fmt.count(facts.n_chunks, "shard" if facts.shards else "chunk")),
        ("codecs", " → ".join(facts.codecs)),
        *stored_rows(facts.stored, facts.n_bytes),
        *reading(facts),
    ]
    yield title(_name(facts), "array")
    yield pairs([*rows, *_attributes(facts)])


def group(facts: GroupInfo) -> Iterable[RenderableType]:
    """Return what to print of a group."""
    rows = [
        ("path", where(facts)),
        ("format", f"Zarr v{facts.zarr_format}"),
        ("members", str(len(facts.members))),
        *stored_rows(facts.stored, None),
        ("backend", facts.backend),
        ("note", facts.note or ""),
    ]
    yield title(_name(facts), "group")
    yield pairs([*rows, *_attributes(facts)])
    if facts.members:
        yield from ("", _members(facts))


def title(name: str, kind: str) -> RenderableType:
    """Return the headline."""
    from rich.text import Text

    return Text.assemble((name, "bold"), "  ", (kind, "cyan"))


def where(facts: _Located) -> str:
    """Return the address of a node."""
    return f"{facts.location.rstrip('/')}/{facts.path}" if facts.path else facts.location


def with_bytes(dtype: str, n_bytes: int | None) -> str:
    """Return a dtype with the size in memory, where it is known."""
    return dtype if n_bytes is None else f"{dtype}, {fmt.size(n_bytes)} in memory"


def reading(facts: ImageInfo | ArrayInfo) -> list[tuple[str, str]]:
    """Return the rows that tell what reads it."""
    if facts.engine is None:
        engine = f"none: {facts.engine_reason}"
    else:
        engine = f"{facts.engine} ({'own I/O' if facts.io == 'own' else facts.io})"
    return [("engine", engine), ("backend", facts.backend)]


def stored_rows(stored: StoredSize | None, n_bytes: int | None) -> list[tuple[str, str]]:
    """Return the row that tells what is stored, if it was asked for."""
    if stored is None:
        return []
    text = amount(stored, "object")
    if n_bytes and stored.n_bytes:
        text += f" ({n_bytes / stored.n_bytes:.2f} times smaller than in memory)"
    return [("stored", text)]


def amount(stored: StoredSize | None, what: str) -> str:
    """Return how much is stored."""
    if stored is None:
        return "–"
    return f"{fmt.count(stored.n_chunks, what)}, {fmt.size(stored.n_bytes)}"


def _members(facts: GroupInfo) -> Table:
    from rich.text import Text

    drawn = table("member", "kind", "shape", "dtype")
    for member in facts.members[:_MEMBERS_SHOWN]:
        shape = "" if member.shape is None else fmt.extent(member.shape)
        drawn.add_row(Text(member.name), member.kind, shape, member.dtype or "")
    hidden = len(facts.members) - _MEMBERS_SHOWN
    if hidden > 0:
        drawn.add_row(f"… {hidden:,} more", "", "", "")
    return drawn


def _name(facts: ArrayInfo | GroupInfo) -> str:
    return where(facts).rstrip("/").rpartition("/")[2] or facts.location


def _shape(facts: ArrayInfo) -> str:
    names = facts.dimension_names
    if names is None or not any(names):
        return fmt.extent(facts.shape)
    named = zip(names, facts.shape, strict=True)
    return ", ".join(f"{name or '–'} {n}" for name, n in named)


def _attributes(facts: ArrayInfo | GroupInfo) -> list[tuple[str, str]]:
    return [(f"@ {key}", _shortened(value)) for key, value in facts.attributes.items()]


def _shortened(value: Any) -> str:
    import json

    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _ATTRIBUTE_WIDTH else f"{text[: _ATTRIBUTE_WIDTH - 1]}…"
