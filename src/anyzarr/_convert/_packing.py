"""Packing a hierarchy into a local archive, to be gone on with after an interruption."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from anyzarr import _atomic
from anyzarr._convert._execute import LONG_BYTES
from anyzarr._convert._fingerprint import fingerprint_of_objects, require_unchanged
from anyzarr._convert._job import Task
from anyzarr._convert._journal import ARCHIVE, PACKING, Journal
from anyzarr._convert._verify import Verification, verify_objects
from anyzarr._os_errors import because
from anyzarr._ozx import Checkpoint, Packed, Packing, arrange
from anyzarr._progress import ProgressCallback, Tracker
from anyzarr.abc import ObjectInfo, Store
from anyzarr.errors import ConflictError, StoreError
from anyzarr.stores import LocalStore, ZipStore

__all__ = ["PackConversion", "PackedArchive"]


@dataclass(frozen=True, slots=True)
class PackedArchive:
    """What was packed.

    Attributes
    ----------
    packed
        What went into the archive.
    n_resumed
        How many parts of it an earlier conversion had written.
    verification
        What reading back found, or None.
    """

    packed: Packed
    n_resumed: int
    verification: Verification | None


@dataclass(frozen=True, slots=True)
class PackConversion:
    """A hierarchy on its way into an archive, which is written in a folder beside its place.

    Attributes
    ----------
    source
        The hierarchy.
    listed
        All objects in it.
    target
        Path of the archive.
    overwrite, verify
        Whether what is there is replaced, and whether the archive is read back before.
    is_own
        Whether the source is what a conversion has just written. Where that is another one than
        was interrupted, packing begins anew; where any other source is, it is refused.
    progress
        Told the bytes packed, and read back.
    """

    source: Store
    listed: tuple[ObjectInfo, ...]
    target: Path
    overwrite: bool
    verify: bool
    is_own: bool
    progress: ProgressCallback | None

    def run(self, staging: LocalStore) -> PackedArchive:
        """Make the archive, and put it in place.

        Parameters
        ----------
        staging
            The folder, with what an interrupted conversion has left of it.

        Raises
        ------
        ConflictError
            The source changed meanwhile, or since the conversion that is gone on with.
        CorruptDataError
            What is read back is not what the source holds; there is no archive then.
        StoreError
            The archive cannot be written.
        """
        packing = Packing(
            self.source, self.target.name, progress=self.progress, objects=self.listed
        )
        file = Path(staging.root, ARCHIVE)
        is_long = packing.total_bytes >= LONG_BYTES
        journal = Journal(staging if is_long else None, PACKING)
        done = self._begin(journal, file)
        checkpoint = Checkpoint(done, lambda part, crcs: journal.note(Task(0, 0, part), list(crcs)))
        with _opened(file, self.target, is_new=not done) as descriptor:
            packing.to_file(descriptor, os.fspath(self.target), checkpoint if is_long else None)
        verification = self._verified(file) if self.verify else None
        self._require_unchanged()
        with _atomic.replacing(
            self.target, overwrite=self.overwrite, staging=file, keeps=lambda error: True
        ):
            pass
        return PackedArchive(packing.packed(), len(done), verification)

    def _begin(self, journal: Journal, file: Path) -> Mapping[int, Sequence[int]]:
        """Return the checksums of the parts that are in the file, by their numbers."""
        plan = {"kind": "pack", "files": self._fingerprint()}
        if not file.is_file():
            journal.forget()
        try:
            tasks = journal.begin(plan, resume=True)
        except ConflictError:
            if not self.is_own:
                raise
            journal.forget()
            tasks = journal.begin(plan, resume=True)
        found = {task.cell: journal.noted(task) for task in tasks}
        return {part: crcs for part, crcs in found.items() if isinstance(crcs, list)}

    def _fingerprint(self) -> list[list[Any]]:
        """Return what tells whether the source has changed since an interrupted conversion."""
        if not self.is_own:
            return fingerprint_of_objects(self.listed)
        contents = arrange(self.listed)
        # A conversion that is gone on with writes its documents again, and they are packed again.
        documents = [replace(item, etag=None) for item in contents.documents]
        return fingerprint_of_objects([*documents, *contents.data])

    def _verified(self, file: Path) -> Verification:
        contents = arrange(self.listed)
        pairs = [(item, item.key) for item in (*contents.documents, *contents.data)]
        return verify_objects(self.source, pairs, ZipStore(file), Tracker(self.progress))

    def _require_unchanged(self) -> None:
        if not self.is_own:
            require_unchanged(self.source, fingerprint_of_objects(self.listed))


@contextmanager
def _opened(file: Path, target: Path, *, is_new: bool) -> Iterator[int]:
    """Open the file that becomes the archive; the folder it is in is held."""
    try:
        file.parent.mkdir(exist_ok=True)
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | (os.O_TRUNC if is_new else 0), 0o666)
    except OSError as error:
        raise StoreError(
            f"cannot write the archive {os.fspath(target)!r}: {because(error)}",
            store=os.fspath(target),
        ) from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)
