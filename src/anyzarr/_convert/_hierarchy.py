"""Zarr to Zarr: a hierarchy copied as it is, or with arrays cut and coded anew."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy.typing as npt

from anyzarr import crud
from anyzarr._convert._copy import Pair, copy_contents, copy_objects, pairs_of
from anyzarr._convert._dry_run import ConversionPlan, plan_of
from anyzarr._convert._dry_run_copy import plan_of_objects
from anyzarr._convert._execute import LONG_BYTES, RunOptions, job_of, run_job
from anyzarr._convert._fingerprint import fingerprint_of_store, require_unchanged
from anyzarr._convert._job import ImageJob, Job, OpenJob, Task
from anyzarr._convert._journal import JOURNAL, Journal, Notes
from anyzarr._convert._rewrite import Rewrite
from anyzarr._convert._verify import Verification, verify, verify_objects
from anyzarr._nodes import Array
from anyzarr._ozx import Contents, is_stray
from anyzarr._progress import Tracker
from anyzarr._pyramid import Region, default_memory
from anyzarr.abc import Store
from anyzarr.metadata import parse_array
from anyzarr.ome._upgrade_copy import new_key, other_keys
from anyzarr.stores import MemoryStore

__all__ = ["CopyConversion", "RewriteConversion", "WrittenHierarchy"]


@dataclass(frozen=True, slots=True)
class WrittenHierarchy:
    """What was written: how many parts were done before, and what reading back found."""

    n_resumed: int = 0
    verification: Verification | None = None


@dataclass(frozen=True, slots=True)
class CopyConversion:
    """A hierarchy that is copied byte for byte.

    Attributes
    ----------
    source, contents
        What is copied.
    before
        The fingerprint of the source, by the listing that the contents are of.
    run_options
        How the work is done.
    tracker
        Told the bytes that are done.
    """

    source: Store
    contents: Contents
    before: list[list[Any]]
    run_options: RunOptions
    tracker: Tracker

    def write(self, store: Store, *, notes: Notes) -> WrittenHierarchy:
        """Copy everything, the root's metadata last; ``notes``: whether to keep a journal there.

        Raises
        ------
        ConflictError
            The source changed meanwhile, or since the conversion that is gone on with.
        CorruptDataError
            What was written is not what was read.
        """
        total = self.contents.total_bytes
        journal = Journal(store if notes != "none" and total >= LONG_BYTES else None)
        done = journal.begin({"kind": "copy", "files": self.before}, resume=self.run_options.resume)
        self.tracker.start("copying", total)
        with self.run_options.threads():
            copy_contents(
                self.source, self.contents, store, self.tracker,
                done={task.cell for task in done}, on_batch=_marking(journal, 0),
            )  # fmt: skip
            verification = self._verified(store)
        require_unchanged(self.source, self.before)
        if notes != "kept":
            store.delete_prefix(JOURNAL)
        return WrittenHierarchy(len(done), verification)

    def _verified(self, store: Store) -> Verification | None:
        if not self.run_options.verify:
            return None
        return verify_objects(self.source, pairs_of(self.contents), store, self.tracker)


@dataclass(frozen=True, slots=True)
class StoredArrays:
    """Arrays as a source of pixels, in any process.

    Attributes
    ----------
    store
        Where they are.
    arrays
        Path and document of each.
    engine
        What decodes, or None.
    """

    store: Store
    arrays: tuple[tuple[str, Mapping[str, Any]], ...]
    engine: str | None = None

    def to_document(self) -> dict[str, Any]:
        """Return what a resumed conversion must have in common with the interrupted one."""
        return {"arrays": [[path, dict(document)] for path, document in self.arrays]}

    def open(self) -> OpenArrays:
        """Open them."""
        return OpenArrays(
            [Array(parse_array(doc), self.store, path, self.engine) for path, doc in self.arrays]
        )


class OpenArrays:
    """Stored arrays, opened."""

    def __init__(self, arrays: Sequence[Array]) -> None:
        self._arrays = arrays

    def read(self, index: int, region: Region) -> npt.NDArray[Any]:
        """Return the elements of a region of an array."""
        values: npt.NDArray[Any] = self._arrays[index][region]
        return values


@dataclass(frozen=True, slots=True)
class RewriteConversion:
    """A hierarchy of which arrays are cut and coded anew, or that becomes of another format.

    Chunks that stay as they are stored are copied as bytes; the others go through the same work as
    the pixels of images do.

    Attributes
    ----------
    source, rewrite
        What is there, and what it becomes.
    engine
        What decodes and encodes, or None.
    run_options, tracker
        How the work is done, and what is told of it.
    """

    source: Store
    rewrite: Rewrite
    engine: str | None
    run_options: RunOptions
    tracker: Tracker

    def _ref(self) -> StoredArrays:
        before = ((node.path, dict(node.before or {})) for node in self.rewrite.recoded)
        return StoredArrays(self.source, tuple(before), self.engine)

    def _images(self) -> list[ImageJob]:
        return [
            ImageJob(number, node.path, (dict(node.after),), (), is_array=True)
            for number, node in enumerate(self.rewrite.recoded)
        ]

    def plan(self) -> ConversionPlan:
        """Return what would be done; nothing is written.

        Where no array is encoded anew, it is what copying takes.
        """
        run = self.run_options
        copied = [item for item, _ in self._copied()]
        copying = plan_of_objects(self.source, copied, run.workers)
        arrays = [_PlannedArray(one) for one in self._images()]
        n_documents = self._n_documents()
        if not arrays:
            return replace(copying, n_objects=copying.n_objects + n_documents)
        recoding = plan_of(
            arrays,
            self._ref().open(),
            n_documents=n_documents,
            memory_bytes=run.memory_bytes_each or default_memory(),
            workers=run.workers,
        )
        return recoding + copying

    def _n_documents(self) -> int:
        """Return how many objects there would be beside chunks, by writing them to memory."""
        store = MemoryStore()
        self._write_inner_arrays(store)
        self._write_groups(store)
        return sum(1 for _ in store.list())

    def write(self, store: Store, *, notes: Notes) -> WrittenHierarchy:
        """Write everything, the root last; ``notes``: whether to keep a journal there.

        Raises
        ------
        ConflictError
            The source changed meanwhile, or since the conversion that is gone on with.
        CorruptDataError
            The source is broken, or what was written is not what was read.
        """
        before = fingerprint_of_store(self.source)
        ref, run = self._ref(), self.run_options
        job = job_of(ref, store, self._images(), run, method="mean", engine=self.engine)
        opened = OpenJob(job, ref.open())
        pairs = sorted(self._copied(), key=lambda pair: pair[1])
        n_bytes = sum(item.size for item, _ in pairs) + _size_of(job)
        journal = Journal(store if notes != "none" and n_bytes >= LONG_BYTES else None)
        plan = {"kind": "rewrite", "nodes": self._fingerprint(), "files": before}
        done = journal.begin(plan, resume=self.run_options.resume)
        self._write_inner_arrays(store)
        self._copy(pairs, store, done, journal)
        run_job(opened, self.run_options, done, journal.mark, lambda _: None, self.tracker)
        verification = self._verified(opened, pairs, store)
        require_unchanged(self.source, before)
        if notes != "kept":
            store.delete_prefix(JOURNAL)
        self._write_groups(store)
        return WrittenHierarchy(len(done), verification)

    def _fingerprint(self) -> list[list[Any]]:
        nodes = (*self.rewrite.groups, *self.rewrite.arrays)
        return [[node.path, json.dumps(node.after, sort_keys=True)] for node in nodes]

    def _copied(self) -> Iterator[Pair]:
        """Yield the chunks that stay as they are, and what lies in groups and is no node."""
        for node in self.rewrite.copied:
            before, after = parse_array(node.before or {}), parse_array(node.after)
            prefix = f"{node.path}/" if node.path else ""
            for item in self.source.list(prefix):
                key = new_key(item.key, prefix, node.path, before, after)
                if key is not None and not is_stray(item.key):
                    yield item, key
        if not self.source.capabilities.listable:
            return
        paths = {node.path for node in (*self.rewrite.groups, *self.rewrite.arrays)}
        for group in self.rewrite.groups:
            for key in other_keys(self.source, group.path, paths):
                item_or_none = None if is_stray(key) else self.source.head(key)
                if item_or_none is not None:
                    yield item_or_none, key

    def _write_inner_arrays(self, store: Store) -> None:
        for node in self.rewrite.arrays:
            if node.path:
                crud.write_metadata(dict(node.after), store, node.path)

    def _copy(
        self, pairs: Sequence[Pair], store: Store, done: frozenset[Task], journal: Journal
    ) -> None:
        if not pairs:
            return
        number = len(self.rewrite.recoded)
        self.tracker.start("copying", sum(item.size for item, _ in pairs))
        with self.run_options.threads():
            copy_objects(
                self.source, pairs, store, self.tracker,
                done={task.cell for task in done if task.image == number},
                on_batch=_marking(journal, number),
            )  # fmt: skip

    def _verified(
        self, opened: OpenJob, pairs: Sequence[Pair], store: Store
    ) -> Verification | None:
        if not self.run_options.verify:
            return None
        with self.run_options.threads():
            of_objects = verify_objects(self.source, pairs, store, self.tracker)
            return verify(opened, self.tracker) + of_objects

    def _write_groups(self, store: Store) -> None:
        """Write the groups from the leaves up, and what makes the whole one: the root."""
        for node in reversed(self.rewrite.groups):
            crud.write_metadata(dict(node.after), store, node.path)
        for node in self.rewrite.arrays:
            if not node.path:
                crud.write_metadata(dict(node.after), store)
        if self.rewrite.is_consolidated:
            crud.consolidate_metadata(store)


@dataclass(frozen=True, slots=True)
class _PlannedArray:
    job: ImageJob


def _marking(journal: Journal, number: int) -> Callable[[int], None]:
    return lambda batch: journal.mark(Task(number, 0, batch))


def _size_of(job: Job) -> int:
    return sum(one.arrays(job.store, job.engine)[0].nbytes for one in job.images)
