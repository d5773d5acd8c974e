"""Local zip archives as the core reads them: converted once, for as long as they are open."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from anyzarr.abc import Store
from anyzarr.errors import StoreError
from anyzarr.stores._zip import local_archive
from anyzarr.stores._zip_entries import Directory
from anyzarr.stores._zip_local import LocalArchive, is_plain
from anyzarr.stores._zip_source import OpenFile

if TYPE_CHECKING:
    from anyzarr_native import Archive

__all__ = ["ArchivedArray"]

_NO_RANGE = np.uint64(2**64 - 1)


class ArchivedArray:
    """An array whose chunks are members of a local zip archive.

    Attributes
    ----------
    archive
        The archive.
    path
        Of the array within it.
    reason
        Why the core cannot read its chunks by itself, or None.
    """

    def __init__(self, archive: LocalArchive, path: str) -> None:
        self.archive = archive
        self.path = path
        self.reason = archive.why_no_ranges(f"{path}/" if path else "")

    @classmethod
    def find(cls, store: Store, path: str) -> ArchivedArray | None:
        """Return the array at a path, if the store is a local archive or a part of one."""
        found = local_archive(store)
        if found is None:
            return None
        archive, prefix = found
        return cls(archive, f"{prefix}{path}" if path else prefix.removesuffix("/"))

    def table(self) -> Archive:
        """Return the archive as the core knows it.

        Raises
        ------
        StoreError
            The file, closed meanwhile, cannot be opened again.
        """
        try:
            file = self.archive.open()
        except OSError as error:
            raise StoreError(
                f"cannot read the archive {self.archive.path}: {error.strerror or error}; "
                "check the path and its permissions",
                store=self.archive.path,
            ) from error
        if file.kept is None:
            file.kept = _convert(self.archive, file)
        table: Archive = file.kept
        return table


def _convert(archive: LocalArchive, file: OpenFile) -> Archive:
    from anyzarr_native import Archive

    entries = archive.directory.entries
    names = {key: e.raw_name for key, e in entries.items() if e.raw_name != key.encode()}
    numbers = _numbers(archive.directory)
    return Archive(file.descriptor, archive.path, list(entries), numbers, names)


def _numbers(directory: Directory) -> np.ndarray[tuple[int, ...], np.dtype[np.uint64]]:
    """Return where each member begins, its size, where the next begins, and its CRC-32."""
    entries = directory.entries.values()
    numbers = np.empty((len(entries), 4), np.uint64)
    numbers[:, 0] = [entry.offset for entry in entries]
    numbers[:, 1] = [entry.stored_bytes for entry in entries]
    bounds = np.array(directory.boundaries, np.uint64)
    numbers[:, 2] = bounds[np.searchsorted(bounds, numbers[:, 0], side="right")]
    numbers[:, 3] = [entry.crc if is_plain(entry) else _NO_RANGE for entry in entries]
    return numbers
