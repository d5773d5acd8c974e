"""A conversion of images as a value: what any process needs in order to do any part of it."""

from __future__ import annotations

import math
import os
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy.typing as npt

from anyzarr._convert._changes import Changes, changed
from anyzarr._convert._fingerprint import fingerprint_of
from anyzarr._nodes import Array
from anyzarr._pyramid import Region, Work, plan_work
from anyzarr.abc import Store
from anyzarr.metadata import parse_array
from anyzarr.readers import ImageSource, open_plate, open_several, reader_named, stem_of

__all__ = [
    "ImageJob",
    "Job",
    "OpenJob",
    "Pixels",
    "Reference",
    "SourceRef",
    "Task",
    "opened_here",
]

_CELL_BYTES = 1 << 30
_SMALLEST_CELL_BYTES = 16 << 20
_CELLS_PER_WORKER = 4


class Task(NamedTuple):
    """One cell of one piece of the work on one image; doing it again gives the same.

    Attributes
    ----------
    image
        Position in :attr:`Job.images`.
    piece, cell
        Numbers of the piece of work, and of the cell in it.
    """

    image: int
    piece: int
    cell: int

    def __str__(self) -> str:
        return f"{self.image}.{self.piece}.{self.cell}"

    @classmethod
    def parse(cls, text: str) -> Task:
        """Return the task of a printed one."""
        image, piece, cell = (int(part) for part in text.split("."))
        return cls(image, piece, cell)


class Pixels(Protocol):
    """What elements are read from, from several threads."""

    def read(self, index: int, region: Region) -> npt.NDArray[Any]:
        """Return the elements of a region of an image or array."""
        ...


class Reference(Protocol):
    """How to open a source again, in another process or on another host."""

    def to_document(self) -> dict[str, Any]:
        """Return what a resumed conversion must have in common with the interrupted one."""
        ...

    def open(self) -> Pixels:
        """Open it."""
        ...


@dataclass(frozen=True, slots=True)
class SourceRef:
    """How to open a source again, in another process or on another host.

    Attributes
    ----------
    reader
        Name of the reader.
    path
        Of the file or folder.
    axes
        Names of the axes, where they were given.
    changes
        What is to be different.
    plate
        As for :func:`anyzarr.readers.open_plate`, or None.
    files
        The sources, where there are several; ``path`` is the folder they have in common.
    """

    reader: str
    path: Path
    axes: str | None = None
    changes: Changes = Changes()  # noqa: RUF009 - immutable
    plate: str | None = None
    files: tuple[Path, ...] = ()

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.name

    @property
    def stem(self) -> str:
        """The name without its endings."""
        return stem_of(self.path)

    def fingerprint(self, source: ImageSource) -> list[list[Any]]:
        """Return what tells whether the source has changed."""
        return fingerprint_of(source.files)

    def to_document(self) -> dict[str, Any]:
        """Return what a resumed conversion must have in common with the interrupted one."""
        return {
            "reader": self.reader,
            "axes": self.axes,
            "plate": self.plate,
            "changes": self.changes.to_document(),
        }

    def open(self) -> ImageSource:
        """Open it."""
        if self.files:
            source = open_several(self.files, axes=self.axes, plate=self.plate)
        elif self.plate is not None:
            source = open_plate(self.path, self.plate, axes=self.axes)
        else:
            source = reader_named(self.reader).open(self.path, axes=self.axes)
        return changed(source, self.changes)


@dataclass(frozen=True, slots=True)
class ImageJob:
    """One image of a conversion.

    Attributes
    ----------
    index
        Its number in the source.
    path
        Of its group in the target.
    documents
        Of the arrays of its levels, level 0 first.
    factors
        From each level to the next.
    is_array
        Whether ``path`` is that of the one level itself.
    block
        Shape of what the source decodes at once, or None.
    """

    index: int
    path: str
    documents: tuple[Mapping[str, Any], ...]
    factors: tuple[tuple[int, ...], ...]
    is_array: bool = False
    block: tuple[int, ...] | None = None

    def level_path(self, level: int) -> str:
        """Return the path of a level."""
        if self.is_array:
            return self.path
        return f"{self.path}/{level}" if self.path else str(level)

    def arrays(self, store: Store, engine: str | None) -> list[Array]:
        """Return the arrays of its levels, without a look at what is stored."""
        return [
            Array(parse_array(document), store, self.level_path(level), engine)
            for level, document in enumerate(self.documents)
        ]


@dataclass(frozen=True, slots=True)
class Job:
    """A conversion of images: picklable, and the same work wherever it is opened.

    Attributes
    ----------
    source, store
        Where pixels come from, and go to.
    images
        In the order they are written.
    method
        How levels are made.
    engine
        What encodes chunks, or None.
    memory_bytes
        What one process may take, or None.
    workers
        How many processes share the work: it is cut into so many cells that all have some.
    token
        Tells jobs apart.
    """

    source: Reference
    store: Store
    images: tuple[ImageJob, ...]
    method: str
    engine: str | None = None
    memory_bytes: int | None = None
    workers: int = 1
    token: str = field(default_factory=lambda: uuid.uuid4().hex)

    def fingerprint(self) -> dict[str, Any]:
        """Return what a resumed conversion must have in common with the interrupted one."""
        return {
            **self.source.to_document(),
            "method": self.method,
            "images": [
                {"index": i.index, "path": i.path, "documents": list(map(dict, i.documents))}
                for i in self.images
            ],
        }


class OpenJob:
    """A job in a process that works on it.

    Parameters
    ----------
    job
        What is to be done.
    source
        Its source, if it is open already; it stays the caller's to close.
    """

    def __init__(self, job: Job, source: Pixels | None = None) -> None:
        self.job = job
        self._source = source
        self._works: dict[int, list[Work]] = {}
        self._lock = threading.Lock()

    def works(self, image: int) -> list[Work]:
        """Return the pieces of work on an image."""
        with self._lock:
            if image not in self._works:
                self._works[image] = self._plan(image)
            return self._works[image]

    @property
    def n_tasks(self) -> int:
        """How many tasks there are."""
        images = range(len(self.job.images))
        return sum(len(work.cells()) for i in images for work in self.works(i))

    def _plan(self, image: int) -> list[Work]:
        one = self.job.images[image]
        arrays = one.arrays(self.job.store, self.job.engine)

        def produce(region: Region) -> npt.NDArray[Any]:
            return self.source.read(one.index, region)

        return plan_work(
            arrays,
            one.factors,
            method=self.job.method,
            produce=produce,
            memory_bytes=self.job.memory_bytes,
            least_cells=_least_cells(arrays[0], self.job.workers),
            block=one.block,
        )

    @property
    def source(self) -> Pixels:
        """The source, opened when it is first needed."""
        if self._source is None:
            self._source = self.job.source.open()
        return self._source


def _least_cells(finest: Array, workers: int) -> int:
    """Return into how many cells an image is cut: resumable parts, and some for each worker."""
    size = math.prod(finest.shape) * finest.dtype.itemsize
    for_resuming = -(-size // _CELL_BYTES)
    for_workers = min(_CELLS_PER_WORKER * workers, -(-size // _SMALLEST_CELL_BYTES))
    return max(1, for_resuming, for_workers if workers > 1 else 1)


_opened: dict[tuple[int, str], OpenJob] = {}
_opening = threading.Lock()


def opened_here(job: Job) -> OpenJob:
    """Return the job as this process has it open; a worker keeps one at a time."""
    key = os.getpid(), job.token
    with _opening:
        if key not in _opened:
            _opened.clear()
            _opened[key] = OpenJob(job)
        return _opened[key]
