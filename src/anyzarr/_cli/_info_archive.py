"""How ``anyzarr info -v`` tells an archive."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from anyzarr._cli import _format as fmt
from anyzarr._cli._console import pairs

if TYPE_CHECKING:
    from rich.console import RenderableType

    from anyzarr._info import ArchiveInfo

__all__ = ["archive"]


def archive(facts: ArchiveInfo) -> Iterable[RenderableType]:
    """Return what to print of a zip archive."""
    yield ""
    yield pairs(
        [
            ("archive", f"version {facts.version}" if facts.version else "says no version"),
            ("jsonFirst", _json_first(facts)),
            ("ZIP64", "yes" if facts.is_zip64 else "no"),
            ("entries", f"{facts.n_entries:,}, {facts.n_documents:,} of them zarr.json"),
            ("order", "as recommended" if facts.is_ordered else "not as recommended"),
            ("duplicates", f"{facts.n_duplicates:,}"),
            ("compressed", fmt.count(facts.n_compressed, "entry", "entries")),
            ("sharded", _sharded(facts)),
        ]
    )


def _json_first(facts: ArchiveInfo) -> str:
    if facts.json_first:
        return "yes" if facts.is_json_first else "claimed, but it is not so"
    return "not claimed, but it is so" if facts.is_json_first and facts.n_documents else "no"


def _sharded(facts: ArchiveInfo) -> str:
    if facts.n_arrays and facts.n_sharded == facts.n_arrays:
        return "yes"
    return f"{facts.n_sharded:,} of {fmt.count(facts.n_arrays, 'array')}"
