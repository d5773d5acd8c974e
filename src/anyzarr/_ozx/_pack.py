"""Packing a Zarr hierarchy into one archive (RFC-9, Zipped OME-Zarr)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from anyzarr import _atomic
from anyzarr._os_errors import because
from anyzarr._ozx._file import UnwritableError, cut_at, write_at, write_members
from anyzarr._ozx._members import Reader, place
from anyzarr._ozx._order import arrange
from anyzarr._ozx._parts import Checkpoint
from anyzarr._ozx._root import require_root
from anyzarr._ozx._stream import stream_members
from anyzarr._ozx._survey import Survey
from anyzarr._ozx._zip64 import Entry, check_comment, trailer
from anyzarr._progress import ProgressCallback, Tracker
from anyzarr.abc import ObjectInfo, Store
from anyzarr.errors import StoreError

__all__ = ["Packed", "Packing", "pack"]

_MOST_DIRECTORY_BYTES = 46 + 28 + 2
_END_BYTES = 56 + 20 + 22 + 65535


@dataclass(frozen=True, slots=True)
class Packed:
    """What went into an archive.

    Attributes
    ----------
    size_bytes
        The archive's size.
    n_entries, n_documents
        Entries in all, and metadata documents among them.
    warnings
        Recommendations of RFC-9 that the source does not allow to be met, and what was left
        out, one sentence each.
    """

    size_bytes: int
    n_entries: int
    n_documents: int
    warnings: tuple[str, ...]


class Packing:
    """A hierarchy on its way into an archive.

    Everything but checksums is known before anything is read: which entries, in which order, and
    where each begins. The same hierarchy always gives the same bytes.

    Parameters
    ----------
    store
        Its root is the root of the hierarchy.
    name
        The archive's name, for warnings and progress.
    progress
        Told the bytes packed.
    objects
        What a listing of the store has given; None: it is listed.

    Raises
    ------
    NodeNotFoundError
        The store has no node at its root.
    """

    def __init__(
        self,
        store: Store,
        name: str,
        *,
        progress: ProgressCallback | None = None,
        objects: Iterable[ObjectInfo] | None = None,
    ) -> None:
        self._store = store
        self._name = name
        self._contents = arrange(store.list() if objects is None else objects)
        require_root(store, self._contents)
        self._members = place(self._contents.documents, self._contents.data)
        self._survey = Survey(self._contents)
        self._tracker = Tracker(progress)
        self._reader = Reader(store, self._tracker.advance)
        self._size = 0

    @property
    def size_limit(self) -> int:
        """A number of bytes that the archive will not exceed."""
        names = sum(len(member.name) for member in self._members)
        directory = names + _MOST_DIRECTORY_BYTES * len(self._members)
        return self._members[-1].stop + directory + _END_BYTES

    @property
    def total_bytes(self) -> int:
        """Bytes of all that is packed."""
        return self._contents.total_bytes

    def to_file(self, descriptor: int, target: str, checkpoint: Checkpoint | None = None) -> None:
        """Write the archive to a file, open for writing, on several threads.

        Parameters
        ----------
        descriptor
            Of a new file, or of one that was begun.
        target
            What the archive is to be called, for errors.
        checkpoint
            What is in it already, and who is told of more; None: it is new.

        Raises
        ------
        ConflictError
            An object changed while it was being packed.
        StoreError
            The file cannot be written.
        """
        try:
            self._write(descriptor, checkpoint)
        except UnwritableError as refused:
            raise StoreError(
                f"cannot write the archive {target!r}: {because(refused.error)}", store=target
            ) from refused.error

    def _write(self, descriptor: int, checkpoint: Checkpoint | None) -> None:
        self._start()
        crcs = write_members(descriptor, self._members, self._reader, self._survey.see, checkpoint)
        position = self._members[-1].stop
        for part in self._end(crcs):
            write_at(descriptor, part, position)
            position += len(part)
        if checkpoint is not None:
            cut_at(descriptor, position)
        self._size = position

    def parts(self) -> Iterator[bytes]:
        """Yield the archive from its beginning to its end, reading each object once.

        Memory holds some MiB; of an object that is larger than 64 MiB and no local file, the
        disk holds a copy while its checksum is found out, which precedes it.
        """
        self._start()
        crcs: list[int] = []
        self._size = 0
        for part in stream_members(self._members, self._reader, self._survey.see, crcs.append):
            self._size += len(part)
            yield part
        for part in self._end(crcs):
            self._size += len(part)
            yield part

    def packed(self) -> Packed:
        """Return what went into the archive, once it is written."""
        n_documents = len(self._contents.documents)
        warnings = self._survey.warnings(self._name)
        return Packed(self._size, len(self._members), n_documents, warnings)

    def _start(self) -> None:
        self._tracker.start(f"packing {self._name}", self._contents.total_bytes)

    def _end(self, crcs: list[int]) -> Iterator[bytes]:
        comment = self._survey.comment()
        check_comment(comment)
        entries: list[Entry] = [m.entry(crc) for m, crc in zip(self._members, crcs, strict=True)]
        return trailer(entries, comment)


def pack(
    store: Store,
    target: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    progress: ProgressCallback | None = None,
) -> Packed:
    """Pack all of a store into a local archive that appears when it is complete.

    Objects are read and written on several threads, each in parts of some MiB.

    Parameters
    ----------
    store
        Its root is the root of the hierarchy.
    target
        Path of the archive, by convention ending in ``.ozx``.
    overwrite
        Whether an existing file may be replaced.
    progress
        Told the bytes packed.

    Raises
    ------
    NodeNotFoundError
        The store has no node at its root.
    NodeExistsError
        The target exists and ``overwrite`` is False.
    ConflictError
        An object changed while it was being packed.
    StoreError
        The target cannot be written, or lies within the source.
    """
    path = Path(target)
    _atomic.require_free(path, overwrite=overwrite)
    if path.is_dir():
        raise StoreError(f"{os.fspath(path)!r} is a folder and cannot become a file; remove it")
    _require_outside(path, store)
    packing = Packing(store, path.name, progress=progress)
    with _atomic.replacing(path, overwrite=overwrite) as staging, _atomic.new_file(staging) as file:
        packing.to_file(file.fileno(), os.fspath(path))
    return packing.packed()


def _require_outside(target: Path, store: Store) -> None:
    root = store.capabilities.local_root
    if root is not None and target.resolve().is_relative_to(Path(root).resolve()):
        raise StoreError(
            f"the archive {os.fspath(target)!r} would lie within the hierarchy it is made from; "
            "choose a place outside it",
            store=str(store.spec),
        )
