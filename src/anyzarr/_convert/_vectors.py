"""Conversion between vector stores and files of points, paths, skeletons and meshes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from anyzarr._convert._changes import Changes
from anyzarr._convert._destination import Destination
from anyzarr._convert._file_source import SourceFile, find_file
from anyzarr._convert._file_target import file_target, format_of_target
from anyzarr._convert._fingerprint import (
    fingerprint_of,
    fingerprint_of_store,
    require_same,
    require_unchanged,
)
from anyzarr._convert._image import ImageOptions
from anyzarr._convert._journal import Notes
from anyzarr._convert._report import ConversionReport
from anyzarr._convert._target import Location
from anyzarr._progress import ProgressCallback, Tracker
from anyzarr._url import parse_location
from anyzarr.abc import Store
from anyzarr.errors import MetadataError, UnsupportedError
from anyzarr.vectors.formats import (
    FormatOptions,
    StoredSource,
    StoreOptions,
    VectorFacts,
    VectorFormat,
    VectorSource,
    Written,
    write_store,
)

__all__ = [
    "VectorConversion",
    "VectorOptions",
    "refuse_for_vectors",
    "vector_conversion",
]


@dataclass(frozen=True, slots=True)
class VectorOptions:
    """What a caller says of a conversion of vectors alone, as given; None: not said.

    Attributes
    ----------
    columns
        Of a table: the column of a role.
    chunk_shape, bin_shape
        Edge lengths of a chunk of the new store, and of the bins in it.
    preserve_order
        Whether the row of each vertex is kept.
    """

    columns: Mapping[str, str] | None = None
    chunk_shape: Sequence[float] | None = None
    bin_shape: Sequence[float] | None = None
    preserve_order: bool | None = None

    @property
    def given(self) -> list[str]:
        """Names of what was said."""
        names = ("columns", "chunk_shape", "bin_shape", "preserve_order")
        return [name for name in names if getattr(self, name) is not None]

    def require_none(self, source: Location) -> None:
        """Refuse what was said where no vectors are converted.

        Raises
        ------
        UnsupportedError
            There is such a thing.
        """
        if self.given:
            raise UnsupportedError(
                f"{', '.join(self.given)}: this is for vectors that come from or go to a file, and "
                f"neither {source} nor the target is one; leave it out"
            )


@dataclass(frozen=True, slots=True)
class VectorConversion:
    """A conversion to a vector store, or from one, or from file to file.

    Attributes
    ----------
    source, target
        The locations.
    reads
        The file that is the source; None: a vector store.
    writes
        Format of the target; None: a vector store.
    overwrite
        Whether what is at the target may be replaced.
    options, changes, images
        What was said of it: of vectors alone; scale and type; compressor, shards and name.
    progress
        Told how far it is.
    """

    source: Location
    target: Location
    reads: SourceFile | None
    writes: VectorFormat | None
    overwrite: bool = False
    options: VectorOptions = field(default_factory=VectorOptions)
    changes: Changes = field(default_factory=Changes)
    images: ImageOptions = field(default_factory=ImageOptions)
    progress: ProgressCallback | None = None

    def run(self, destination: Destination) -> ConversionReport:
        """Do it; the destination is for a store that is written."""
        if self.writes is None:
            with self._opened() as (source, require_same):
                return self._to_store(source, require_same, destination)
        return self._to_file(self.writes)

    @contextmanager
    def _opened(self) -> Iterator[tuple[VectorSource, Callable[[], None]]]:
        """Yield the source, and what refuses it where it is not any more what it was."""
        if self.reads is None:
            self._refuse([*self.options.given, *self.changes.names], "files that become a store")
            store = self.source.open("r")
            before = fingerprint_of_store(store)
            with closing(StoredSource(store)) as source:
                yield source, lambda: require_unchanged(store, before)
            return
        kind = self.reads.kind
        if kind.open is None:
            raise UnsupportedError(
                f"{kind.name} is written and not read, so {str(self.source)!r} cannot be a source"
            )
        with self.reads.fetched(Tracker(self.progress)) as path:
            require_same = _files_stay(path)
            with closing(kind.open(path, self._format_options())) as source:
                yield source, require_same

    def _advance(self, facts: VectorFacts) -> Callable[[int], None]:
        """Return what is told how many vertices are done."""
        row_bytes = facts.dtype.itemsize * len(facts.axes)
        tracker = Tracker(self.progress)
        tracker.start("vectors", facts.vertex_count * row_bytes)
        return lambda n: tracker.advance(n * row_bytes)

    def _format_options(self) -> FormatOptions:
        changes = self.changes
        return FormatOptions(dict(self.options.columns or {}), changes.scale, changes.dtype)

    def _refuse(self, asked: Sequence[str], what: str) -> None:
        if asked:
            raise UnsupportedError(
                f"{', '.join(asked)}: this is for {what}, and {self.source} is taken to "
                f"{self.target} as it is; leave it out"
            )

    def _to_store(
        self, source: VectorSource, require_same: Callable[[], None], destination: Destination
    ) -> ConversionReport:
        facts, images = source.facts, self.images
        advance, bins = self._advance(facts), self.options.bin_shape
        options = StoreOptions(
            chunk_shape=self.options.chunk_shape,
            bin_shape=None if bins is None else tuple(bins),
            shard_shape=_shard_shape(images.shards),
            compressor=images.compressor,
            dtype=self.changes.dtype,
            name=images.name or _stem(self.source),
            preserve_order=bool(self.options.preserve_order),
        )

        def write(store: Store, *, notes: Notes) -> Written:
            written = write_store(source, store, options, advance)
            require_same()
            return written

        done = destination.deliver(write)
        report = self._report(facts, done.size_bytes, done.n_objects)
        return replace(
            report,
            object_count=done.written.object_count,
            warnings=(*facts.warnings, *done.warnings),
        )

    def _to_file(self, kind: VectorFormat) -> ConversionReport:
        self._refuse_store_options()
        if kind.write is None:
            raise UnsupportedError(f"{kind.name} is read and not written; choose another format")
        with file_target(
            self.target, kind, overwrite=self.overwrite, tracker=Tracker(self.progress)
        ) as staging:
            with self._opened() as (source, require_same):
                facts = source.facts
                kind.require(facts)
                advance = self._advance(facts)
                warnings = kind.write(source, staging, self._format_options(), advance)
                require_same()
            size, n = _size(staging)
        return replace(self._report(facts, size, n), warnings=(*facts.warnings, *warnings))

    def _refuse_store_options(self) -> None:
        images = self.images
        of_stores = ("chunk_shape", "bin_shape", "preserve_order")
        asked: list[str] = [name for name in of_stores if name in self.options.given]
        asked += [n for n in ("compressor", "shards", "name") if getattr(images, n) is not None]
        asked += ["dtype"] if self.changes.dtype is not None else []
        self._refuse(asked, "a vector store that is written")

    def _report(self, facts: VectorFacts, size_bytes: int, n_stored: int) -> ConversionReport:
        return ConversionReport(
            str(self.source), str(self.target), "vectors", 0.0, size_bytes, n_stored,
            axes=tuple(str(axis["name"]) for axis in facts.axes), dtype=str(facts.dtype),
            geometry_type=facts.geometry_type, vertex_count=facts.vertex_count,
        )  # fmt: skip


def vector_conversion(
    source: Location, target: Location, options: VectorOptions
) -> VectorConversion | None:
    """Return how vectors get from one location to another; None where neither is such a file."""
    reads = find_file(source, is_told=options.columns is not None)
    writes = format_of_target(target)
    if reads is None and writes is None:
        return None
    return VectorConversion(source, target, reads, writes)


def _shard_shape(shards: Any) -> Any:
    if isinstance(shards, Mapping):
        raise MetadataError(
            f"shards={dict(shards)!r}: for vectors, give one number of chunks per axis, in order"
        )
    if shards is None or shards == "auto":
        return "auto"
    return None if shards is False else tuple(shards)


def _stem(location: Location) -> str | None:
    if not isinstance(location.value, str | os.PathLike):
        return None
    return parse_location(location.value).object_name.partition(".")[0] or None


def _files_stay(path: Path) -> Callable[[], None]:
    """Return what refuses a file, or a folder of files, that is not any more what it is now."""

    def files() -> list[Path]:
        return [p for p in path.rglob("*") if p.is_file()] if path.is_dir() else [path]

    before = fingerprint_of(files())
    return lambda: require_same(before, fingerprint_of(files()), [path], path.name)


def _size(path: Path) -> tuple[int, int]:
    """Return bytes and number of the files of a target."""
    if path.is_file():
        return path.stat().st_size, 1
    sizes = [file.stat().st_size for file in path.rglob("*") if file.is_file()]
    return sum(sizes), len(sizes)


def refuse_for_vectors(asked: Sequence[str]) -> None:
    """Refuse what is for images, where vectors are converted.

    Raises
    ------
    UnsupportedError
        There is such a thing.
    """
    if asked:
        raise UnsupportedError(
            f"{', '.join(asked)}: this is for images, and vectors are converted here; leave it out"
        )
