"""``anyzarr tree LOCATION --debris``."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from anyzarr._cli import _format as fmt
from anyzarr._cli._console import print_hint, print_json, stdout, table

if TYPE_CHECKING:
    from anyzarr.stores import Debris

__all__ = ["show_debris"]


def show_debris(
    location: str, path: str, *, remove: bool, older_than: float | None, json: bool
) -> None:
    """List what killed writers left, and remove it if asked to."""
    from anyzarr.stores import find_debris, remove_debris
    from anyzarr.stores._debris import MIN_AGE_SECONDS

    place = f"{location.rstrip('/')}/{path.strip('/')}" if path.strip("/") else location
    min_age = MIN_AGE_SECONDS if older_than is None else older_than
    found = find_debris(place)
    removed = remove_debris(found, min_age_seconds=min_age) if remove else []
    gone = {item.path for item in removed}
    if json:
        entries = [
            {**item.to_dict(), "kept": item.why_kept(min_age), "removed": item.path in gone}
            for item in found
        ]
        print_json({"debris": entries})
        return
    if found:
        _print_table(found, gone, min_age)
    stdout().print(_summary(found, removed), markup=False)
    if not remove and any(item.why_kept(min_age) is None for item in found):
        print_hint("add --remove to remove what is left over")


def _print_table(found: Sequence[Debris], gone: Collection[str], min_age: float) -> None:
    from rich.text import Text

    made = table("path", "by", "what", "size", "unchanged for", "state")
    for item in found:
        state = "removed" if item.path in gone else item.why_kept(min_age) or "left over"
        made.add_row(
            Text(item.path),
            item.writer,
            item.what,
            fmt.size(item.size_bytes),
            fmt.duration(item.age_seconds),
            state,
        )
    stdout().print(made)


def _summary(found: Sequence[Debris], removed: Sequence[Debris]) -> str:
    if not found:
        return "nothing is left over"
    total = f"{fmt.count(len(found), 'leftover')}, {fmt.size(_bytes(found))}"
    return f"{total}; removed {len(removed)}, {fmt.size(_bytes(removed))}" if removed else total


def _bytes(items: Sequence[Debris]) -> int:
    return sum(item.size_bytes for item in items)
