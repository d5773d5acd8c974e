"""Delivering what is written to where it was asked for: a folder, a store, or an archive."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from anyzarr._convert._copy import pairs_of
from anyzarr._convert._fingerprint import (
    fingerprint_of_store,
    require_unchanged,
)
from anyzarr._convert._journal import Notes
from anyzarr._convert._packing import PackConversion, PackedArchive
from anyzarr._convert._staging import resumable_folder
from anyzarr._convert._target import Location, images_target, local_path
from anyzarr._convert._verify import Verification, verify_objects
from anyzarr._ozx import Contents, arrange
from anyzarr._progress import ProgressCallback, Tracker
from anyzarr._url import parse_location
from anyzarr.abc import Store
from anyzarr.errors import ConflictError, CorruptDataError
from anyzarr.stores import StagedArchive

__all__ = ["Delivered", "Destination"]

_Written = TypeVar("_Written", covariant=True)


class Writes(Protocol[_Written]):
    """Writes everything to a store, the root last; ``notes``: whether with a journal there."""

    def __call__(self, store: Store, *, notes: Notes) -> _Written: ...


@dataclass(frozen=True, slots=True)
class Delivered(Generic[_Written]):
    """What was delivered.

    Attributes
    ----------
    written
        What the writing returned.
    size_bytes, n_objects
        At the target; in an archive, entries.
    warnings
        Of the archive.
    """

    written: _Written
    size_bytes: int
    n_objects: int
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a conversion writes.

    Attributes
    ----------
    target
        The location.
    overwrite, resume
        Whether what is there is replaced, and what an interrupted conversion has left gone on with.
    progress
        Told how far an archive is.
    """

    target: Location
    overwrite: bool
    resume: bool
    progress: ProgressCallback | None

    @property
    def makes_archive(self) -> bool:
        """Whether the target is to be an archive."""
        if not isinstance(self.target.value, str | os.PathLike):
            return False
        parsed = parse_location(self.target.value)
        if parsed.is_local and os.path.isdir(parsed.base):  # noqa: PTH112
            return False
        asked = self.target.backend == "zip" or any(step.is_archive for step in parsed.adapters)
        return asked or parsed.has_archive_name

    def deliver(
        self, write: Writes[_Written], contents: Contents | None = None
    ) -> Delivered[_Written]:
        """Have everything written; it is at the target when it is complete, or not at all.

        Parameters
        ----------
        write
            Writes it.
        contents
            What it will be, where that is known; else it is listed when it is written.
        """
        if self.makes_archive:
            return self._as_archive(write)
        target = images_target(self.target, overwrite=self.overwrite, resume=self.resume)
        with target as (store, is_resumable):
            written = write(store, notes="removed" if is_resumable else "none")
            contents = contents or arrange(store.list())
        n_objects = len(contents.documents) + len(contents.data)
        return Delivered(written, contents.total_bytes, n_objects)

    def _as_archive(self, write: Writes[_Written]) -> Delivered[_Written]:
        path = local_path(self.target.value)
        if path is None:
            with self._archive() as archive:
                written = write(archive, notes="none")
                packed = archive.make(progress=self.progress)
        else:
            self._require_archive()
            with resumable_folder(path, resume=self.resume) as staging:
                written = write(staging, notes="kept")
                packing = self._packing(staging, path, verify=False, is_own=True)
                packed = packing.run(staging).packed
        return Delivered(written, packed.size_bytes, packed.n_entries, packed.warnings)

    def pack(self, source: Store, *, verify: bool) -> PackedArchive:
        """Make an archive of a hierarchy as it is; with ``verify``, read it back.

        Raises
        ------
        CorruptDataError
            What is read back is not what the source holds; the archive does not stay.
        ConflictError
            The source changed meanwhile, or since the conversion that is gone on with.
        """
        path = local_path(self.target.value)
        if path is None:
            return self._uploaded(source, verify=verify)
        self._require_archive()
        with resumable_folder(path, resume=self.resume) as staging:
            return self._packing(source, path, verify=verify, is_own=False).run(staging)

    def _packing(self, source: Store, path: Path, *, verify: bool, is_own: bool) -> PackConversion:
        return PackConversion(
            source, tuple(source.list()), path, self.overwrite, verify, is_own, self.progress
        )

    def _require_archive(self) -> None:
        """Refuse a target that cannot become an archive, before anything is written."""
        with self._archive():
            pass

    def _uploaded(self, source: Store, *, verify: bool) -> PackedArchive:
        before = fingerprint_of_store(source)
        with self._archive() as archive:
            packed = archive.make(source, progress=self.progress)
            try:
                verification = self._verified(source, archive) if verify else None
                require_unchanged(source, before)
            except (CorruptDataError, ConflictError):
                archive.withdraw()
                raise
            return PackedArchive(packed, 0, verification)

    @contextmanager
    def _archive(self) -> Iterator[StagedArchive]:
        """Yield the archive to be written; on an exception there is none."""
        store = self.target.open("w" if self.overwrite else "w-")
        assert isinstance(store, StagedArchive)
        try:
            yield store
        finally:
            store.discard()  # does nothing to one that is made

    def _verified(self, source: Store, archive: Store) -> Verification:
        pairs = pairs_of(arrange(source.list()))
        return verify_objects(source, pairs, archive, Tracker(self.progress))
