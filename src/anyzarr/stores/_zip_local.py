"""Archives that are local files, for those who read members as ranges of the file."""

from __future__ import annotations

import bisect
import functools
from collections.abc import Callable
from dataclasses import dataclass

from anyzarr.stores._keys import is_document_key
from anyzarr.stores._zip_entries import DEFLATED, STORED, Directory, Entry
from anyzarr.stores._zip_source import OpenFile

__all__ = ["LocalArchive", "is_plain"]


@dataclass(frozen=True, eq=False)
class LocalArchive:
    """An archive that is a local file.

    Attributes
    ----------
    path
        Of the file when it was opened. It may have been replaced since; ``open`` tells.
    load
        Returns what the archive holds.
    open
        Returns the file, the same until the store is closed.
    """

    path: str
    load: Callable[[], Directory]
    open: Callable[[], OpenFile]

    @property
    def directory(self) -> Directory:
        """What the archive holds."""
        return self.load()

    def why_no_ranges(self, prefix: str) -> str | None:
        """Return why the chunks below a prefix are not all ranges of the file, or None."""
        index = bisect.bisect_left(self._others, prefix)
        if index == len(self._others) or not self._others[index].startswith(prefix):
            return None
        entry = self.directory.entries[self._others[index]]
        how = "encrypted" if entry.is_encrypted else "compressed"
        how = "deflated" if entry.method == DEFLATED and not entry.is_encrypted else how
        return f"the archive's member {entry.name!r} is {how}, not stored as it is"

    @functools.cached_property
    def _others(self) -> list[str]:
        """The keys of chunks that are no ranges of the file, sorted."""
        return sorted(
            key
            for key, entry in self.directory.entries.items()
            if not is_plain(entry) and not is_document_key(key)
        )


def is_plain(entry: Entry) -> bool:
    """Return whether a member's bytes are in the archive as they are."""
    return entry.method == STORED and not entry.is_encrypted
