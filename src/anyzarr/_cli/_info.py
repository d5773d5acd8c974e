"""``anyzarr info LOCATION``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from anyzarr._cli import _format as fmt
from anyzarr._cli._console import pairs, print_json, stdout, table
from anyzarr._cli._options import JsonFlag, OpenOptions

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from anyzarr._info import ArrayInfo, ChannelInfo, GroupInfo, ImageInfo, StoredSize

__all__ = ["info"]

_MEMBERS_SHOWN = 40
_ATTRIBUTE_WIDTH = 100


def info(
    location: str,
    path: str = "",
    /,
    *,
    verbose: Annotated[bool, Parameter(name=["--verbose", "-v"])] = False,
    json: JsonFlag = False,
    opening: OpenOptions = OpenOptions(),  # noqa: B008 - immutable
) -> None:
    """Show what is at a location: an image, an array or a group.

    Parameters
    ----------
    location
        Path or URL.
    path
        Path of a node within it.
    verbose
        Count what is stored too (lists everything below the node).
    json
        Print JSON.
    """
    import anyzarr._info as library

    facts = library.info(location, path=path, stored=verbose, **opening.keywords())
    if json:
        print_json(facts.to_dict())
        return
    parts: Iterable[RenderableType]
    if isinstance(facts, library.ImageInfo):
        parts = _image(facts)
    elif isinstance(facts, library.ArrayInfo):
        parts = _array(facts)
    else:
        parts = _group(facts)
    console = stdout()
    for part in parts:
        console.print(part)


def _image(facts: ImageInfo) -> Iterable[RenderableType]:
    rows = [
        ("path", _where(facts)),
        ("format", f"OME-Zarr {facts.version}, Zarr v{facts.zarr_format}"),
        ("axes", ", ".join(f"{axis.name} {axis.size}" for axis in facts.axes)),
        ("scale", _scale(facts)),
        ("dtype", _with_bytes(facts.dtype, facts.n_bytes)),
        ("codecs", " → ".join(facts.codecs)),
        *_reading(facts),
    ]
    if facts.labels:
        rows.append(("labels", ", ".join(facts.labels)))
    yield _title(facts.name, "OME-Zarr image")
    yield pairs(rows)
    yield from ("", _levels(facts))
    if facts.channels:
        yield from ("", _channels(facts.channels))


def _array(facts: ArrayInfo) -> Iterable[RenderableType]:
    rows = [
        ("path", _where(facts)),
        ("format", f"Zarr v{facts.zarr_format}"),
        ("shape", _shape(facts)),
        ("dtype", _with_bytes(facts.dtype, facts.n_bytes)),
        ("fill value", str(facts.fill_value)),
        ("chunks", "irregular" if facts.chunks is None else fmt.extent(facts.chunks)),
    ]
    if facts.shards is not None:
        rows.append(("shards", fmt.extent(facts.shards)))
    rows += [
        ("objects", fmt.count(facts.n_chunks, "shard" if facts.shards else "chunk")),
        ("codecs", " → ".join(facts.codecs)),
        *_stored(facts.stored, facts.n_bytes),
        *_reading(facts),
    ]
    yield _title(_name(facts), "array")
    yield pairs([*rows, *_attributes(facts)])


def _group(facts: GroupInfo) -> Iterable[RenderableType]:
    rows = [
        ("path", _where(facts)),
        ("format", f"Zarr v{facts.zarr_format}"),
        ("members", str(len(facts.members))),
        *_stored(facts.stored, None),
        ("backend", facts.backend),
        ("note", facts.note or ""),
    ]
    yield _title(_name(facts), "group")
    yield pairs([*rows, *_attributes(facts)])
    if facts.members:
        yield from ("", _members(facts))


def _title(name: str, kind: str) -> RenderableType:
    from rich.text import Text

    return Text.assemble((name, "bold"), "  ", (kind, "cyan"))


def _levels(facts: ImageInfo) -> Table:
    drawn = table("level", "shape", "chunks")
    sharded = any(level.shards for level in facts.levels)
    counted = any(level.stored for level in facts.levels)
    for name in [*(["shards"] if sharded else []), *(["stored"] if counted else [])]:
        drawn.add_column(name)
    for level in facts.levels:
        cells = [level.path, fmt.extent(level.shape), fmt.extent(level.chunks or ())]
        if sharded:
            cells.append(fmt.extent(level.shards) if level.shards else "–")
        if counted:
            cells.append(_amount(level.stored, "shard" if level.shards else "chunk"))
        drawn.add_row(*cells)
    return drawn


def _channels(channels: Iterable[ChannelInfo]) -> Table:
    from rich.text import Text

    drawn = table("channel", "name", "color", "window")
    for index, channel in enumerate(channels):
        color = Text("–")
        if channel.color:
            color = Text.assemble(("■ ", f"#{channel.color}"), channel.color)
        window = "–"
        if channel.window:
            window = " – ".join(fmt.number(value) for value in channel.window)
        drawn.add_row(str(index), Text(channel.name), color, window)
    return drawn


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


def _where(facts: ImageInfo | ArrayInfo | GroupInfo) -> str:
    return f"{facts.location.rstrip('/')}/{facts.path}" if facts.path else facts.location


def _name(facts: ArrayInfo | GroupInfo) -> str:
    return _where(facts).rstrip("/").rpartition("/")[2] or facts.location


def _shape(facts: ArrayInfo) -> str:
    names = facts.dimension_names
    if names is None or not any(names):
        return fmt.extent(facts.shape)
    pairs = zip(names, facts.shape, strict=True)
    return ", ".join(f"{name or '–'} {n}" for name, n in pairs)


def _scale(facts: ImageInfo) -> str:
    return ", ".join(
        f"{axis.name} {fmt.number(axis.scale)} {axis.unit or ''}".rstrip()
        for axis in facts.axes
        if axis.scale is not None and (axis.type in {"space", "time"} or axis.unit)
    )


def _with_bytes(dtype: str, n_bytes: int | None) -> str:
    return dtype if n_bytes is None else f"{dtype}, {fmt.size(n_bytes)} in memory"


def _reading(facts: ImageInfo | ArrayInfo) -> list[tuple[str, str]]:
    if facts.engine is None:
        engine = f"none: {facts.engine_reason}"
    else:
        engine = f"{facts.engine} ({'own I/O' if facts.io == 'own' else facts.io})"
    return [("engine", engine), ("backend", facts.backend)]


def _stored(stored: StoredSize | None, n_bytes: int | None) -> list[tuple[str, str]]:
    if stored is None:
        return []
    text = _amount(stored, "object")
    if n_bytes and stored.n_bytes:
        text += f" ({n_bytes / stored.n_bytes:.2f} times smaller than in memory)"
    return [("stored", text)]


def _amount(stored: StoredSize | None, what: str) -> str:
    if stored is None:
        return "–"
    return f"{fmt.count(stored.n_chunks, what)}, {fmt.size(stored.n_bytes)}"


def _attributes(facts: ArrayInfo | GroupInfo) -> list[tuple[str, str]]:
    return [(f"@ {key}", _shortened(value)) for key, value in facts.attributes.items()]


def _shortened(value: Any) -> str:
    import json

    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _ATTRIBUTE_WIDTH else f"{text[: _ATTRIBUTE_WIDTH - 1]}…"
