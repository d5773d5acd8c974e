"""The members of an archive by key, of which as much is read as is asked for."""

from __future__ import annotations

import threading

from anyzarr.errors import StoreError
from anyzarr.stores._base import describe
from anyzarr.stores._zip_directory import DirectoryReader
from anyzarr.stores._zip_entries import ArchiveComment, Directory, Entry, is_document
from anyzarr.stores._zip_source import Source

__all__ = ["Members", "unreadable"]


def unreadable(error: OSError, archive: str) -> StoreError:
    """Return the error of an archive whose bytes cannot be had."""
    reason = error.strerror or describe(error)
    return StoreError(
        f"cannot read the archive {archive}: {reason}; check the path and its permissions",
        store=archive,
    )


class Members:
    """The members of an archive.

    Where the archive says that its metadata comes first, that is read at first, and the rest when
    something else is looked for; a document too, if it is not there: nothing is taken for absent
    because an archive says of itself what is not so.

    Parameters
    ----------
    source
        The archive.
    archive
        Its printable address.
    """

    def __init__(self, source: Source, archive: str) -> None:
        self._archive = archive
        self._lock = threading.Lock()
        self._reader: DirectoryReader | None = DirectoryReader(source.read, source.size(), archive)
        self.comment: ArchiveComment = self._reader.comment
        self._documents = self._reader.documents()
        self._all = None if self._documents is not None else self._reader.read()
        if self._all is not None:
            self._reader = None

    def find(self, key: str) -> Entry | None:
        """Return the entry of a key, or None."""
        if self._all is None and self._documents is not None and key.endswith("zarr.json"):
            found = self._documents.entries.get(key)
            if found is not None:
                return found
        return self.all().entries.get(key)

    def documents_stop(self) -> int:
        """Return where the last of the ``zarr.json`` that are known ends."""
        known = self._all or self._documents
        assert known is not None
        documents = (e for e in known.entries.values() if is_document(e.name))
        return max((known.limit(entry) for entry in documents), default=0)

    def limit(self, entry: Entry) -> int:
        """Return where what follows an entry begins."""
        known = self._all or self._documents
        assert known is not None
        return known.limit(entry)

    def all(self) -> Directory:
        """Return the whole directory.

        Raises
        ------
        CorruptDataError
            It is cut short, or an entry lies.
        StoreError
            It cannot be read.
        """
        if self._all is None:
            with self._lock:
                if self._all is None:
                    assert self._reader is not None
                    try:
                        self._all = self._reader.read()
                    except OSError as error:
                        raise unreadable(error, self._archive) from error
                    self._reader = self._documents = None
        return self._all
