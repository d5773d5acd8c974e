"""Conversion from any source to any target; what they are is worked out from the locations."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from anyzarr import _atomic
from anyzarr._convert._copy import copy_contents
from anyzarr._convert._image import ImageOptions, WrittenImage, write_image
from anyzarr._convert._layout import Layout, lay_out
from anyzarr._convert._report import ConversionReport, Kind
from anyzarr._convert._source import (
    ImageSource,
    ReaderKind,
    is_image_name,
    reader_for,
    require_known,
)
from anyzarr._convert._target import (
    ARCHIVE_SUFFIXES,
    Location,
    hierarchy_target,
    local_base,
    local_path,
)
from anyzarr._convert._upgrade import PlannedUpgrade, changes_ome, planned_upgrade
from anyzarr._ozx import Packed, arrange, require_root
from anyzarr._progress import ProgressCallback, Tracker
from anyzarr._url import parse_location
from anyzarr.abc import Store
from anyzarr.engines import canonical_name, get_engine
from anyzarr.errors import MetadataError, NodeExistsError, UnsupportedError
from anyzarr.ome import require_writable_version
from anyzarr.stores import StagedArchive

__all__ = ["convert"]

_NOTHING: Mapping[str, Any] = {}
_MOST_WARNINGS = 12


def convert(
    source: Any,
    target: Any,
    *,
    overwrite: bool = False,
    chunks: Sequence[int] | None = None,
    shards: Sequence[int] | Literal["auto", False] | None = None,
    compressor: Any = None,
    levels: int | Literal["auto"] = "auto",
    method: str = "mean",
    name: str | None = None,
    series: int | None = None,
    axes: str | None = None,
    version: str | None = None,
    engine: str | None = None,
    progress: ProgressCallback | None = None,
    source_backend: str | None = None,
    source_options: Mapping[str, Any] = _NOTHING,
    backend: str | None = None,
    **backend_kwargs: Any,
) -> ConversionReport:
    """Convert an image to OME-Zarr, or a Zarr hierarchy from one place or form to another.

    An image file (TIFF) becomes OME-Zarr with a pyramid; a hierarchy written to a name that
    ends in ``.ozx`` is packed, an ``.ozx`` written to another name is unpacked, and anything
    else is copied byte for byte. OME-Zarr for which a version, chunks, shards or a compressor is
    asked for is brought to them on the way, values equal bit for bit. The target appears when it
    is complete, or not at all.

    Parameters
    ----------
    source, target
        Paths, URLs, live stores or dicts of bytes.
    overwrite
        Whether a target that exists is replaced, once the new one is complete.
    chunks, shards, compressor
        How the pixels of an image are stored; by default about 1 MB per chunk, shards of at
        most 128 MiB (``"auto"``), blosc with zstd. ``shards=False``: none. As for
        :meth:`anyzarr.ome.Image.create_image`. OME-Zarr keeps what is not given.
    levels, method
        Of an image's pyramid: how many levels, the full resolution included (``auto``: until
        the largest spatial axis is 256 or less), and how they are made.
    name
        The name the metadata gives the image; by default the file's, or its own.
    series
        Which image of a file that holds several, from 0. By default all of them: a plate where
        the file says which well each shows, else a series in bioformats2raw's layout.
        Thumbnails, labels and overviews of slides are left out, with a warning.
    axes
        Names of the axes of the image file that are longer than 1, in its order, where it
        does not name them: ``"zyx"``.
    version
        The OME-Zarr version to write: ``0.5``, ``0.4`` or ``0.6``; by default ``0.5`` for an
        image file, and that of OME-Zarr as it is. See :func:`anyzarr.ome.upgrade`.
    engine
        What encodes the chunks.
    progress
        Called with a :class:`~anyzarr._progress.Progress` at each step.
    source_backend, source_options, backend, **backend_kwargs
        Where the bytes of source and target live, if that is not to be worked out, and the
        options of the two backends.

    Returns
    -------
    ConversionReport
        What was done, with warnings of what was left out or guessed.

    Raises
    ------
    NodeNotFoundError
        There is no such source.
    NodeExistsError
        The target exists and ``overwrite`` is False, or is not Zarr.
    UnsupportedError
        This source cannot become this target.
    CorruptDataError
        The source is broken.

    Examples
    --------
    >>> import anyzarr, numpy as np
    >>> source, target = {}, {}
    >>> with anyzarr.open_ome_zarr(source, mode="w") as image:
    ...     array = image.create_image("0", np.ones((4, 5), "uint8"))
    >>> anyzarr.convert(source, target).kind
    'copy'
    """
    options = ImageOptions(
        chunks, shards, compressor, levels, method, name, version, _engine_name(engine)
    )
    job = _Job(
        Location(source, source_backend, source_options),
        Location(target, backend, backend_kwargs),
        overwrite,
        options,
        series,
        axes,
        progress,
    )
    job.check()
    started = time.perf_counter()
    report = job.run()
    return replace(report, seconds=time.perf_counter() - started)


@dataclass(frozen=True, slots=True)
class _Job:
    source: Location
    target: Location
    overwrite: bool
    options: ImageOptions
    series: int | None
    axes: str | None
    progress: ProgressCallback | None

    def check(self) -> None:
        """Refuse what can be refused before anything is read."""
        if self.options.version is not None:
            require_writable_version(self.options.version)
        path = local_path(self.target.value)
        if path is not None and is_image_name(path.name):
            raise UnsupportedError(
                f"{str(self.target)!r} is the name of an image file, and only OME-Zarr is written; "
                "give a target that ends in .zarr or .ozx"
            )
        self._require_apart(path)
        if self.makes_archive and path is not None:
            _atomic.require_free(path, overwrite=self.overwrite)

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

    @contextmanager
    def _archive(self) -> Iterator[StagedArchive]:
        """Yield the archive to be written; on an exception there is none."""
        store = self.target.open("w" if self.overwrite else "w-")
        assert isinstance(store, StagedArchive)
        try:
            yield store
        finally:
            store.discard()  # does nothing to one that is made

    def run(self) -> ConversionReport:
        path = local_path(self.source.value)
        reader = reader_for(path) if path is not None and self.source.backend is None else None
        if reader is not None and path is not None:
            return self._convert_images(reader, path)
        if path is not None and self.source.backend is None:
            require_known(path, ARCHIVE_SUFFIXES)
        store = self.source.open("r")
        self._refuse_image_options()
        options = self.options
        if changes_ome(store, options):
            return self._upgrade(store, planned_upgrade(store, options))
        self._refuse(chunks=options.chunks, shards=options.shards, compressor=options.compressor)
        if self.makes_archive:
            with self._archive() as archive:
                return self._packed(archive.make(store, progress=self.progress))
        return self._copy(store)

    def _refuse_image_options(self) -> None:
        levels = None if self.options.levels == "auto" else self.options.levels
        self._refuse(name=self.options.name, series=self.series, axes=self.axes, levels=levels)

    def _refuse(self, **given: Any) -> None:
        asked = [name for name, value in given.items() if value is not None]
        if asked:
            raise UnsupportedError(
                f"{self.source} is Zarr and is taken over as it is, so {', '.join(asked)} cannot "
                "be changed on the way; leave it out"
            )

    def _convert_images(self, kind: ReaderKind, path: Path) -> ConversionReport:
        with closing(kind.open(path, axes=self.axes)) as source:
            stem = path.name
            while Path(stem).suffix.lower() in {*kind.suffixes, ".ome"}:
                stem = Path(stem).stem
            layout = lay_out(source, self.series, path.name)
            tracker = Tracker(self.progress)
            if self.makes_archive:
                return self._images_to_archive(source, layout, stem, tracker)
            with hierarchy_target(self.target, overwrite=self.overwrite) as store:
                written = self._write_images(source, layout, store, stem, tracker)
                contents = arrange(store.list())
            report = self._report("image", contents.total_bytes, _count(contents))
        return replace(report, warnings=_warnings(layout), **_facts(layout, written))

    def _images_to_archive(
        self, source: ImageSource, layout: Layout, stem: str, tracker: Tracker
    ) -> ConversionReport:
        with self._archive() as archive:
            written = self._write_images(source, layout, archive, stem, tracker)
            packed = archive.make(progress=self.progress)
        report = self._report("image", packed.size_bytes, packed.n_entries)
        warnings = (*_warnings(layout), *packed.warnings)
        return replace(report, warnings=warnings, **_facts(layout, written))

    def _write_images(
        self, source: ImageSource, layout: Layout, store: Store, stem: str, tracker: Tracker
    ) -> WrittenImage:
        """Write all images and what is around them, the root last; return the first image."""
        version = self.options.version or "0.5"
        layout.write_groups(store, version, source.documents)
        written = []
        for number, placed in enumerate(layout.images, 1):
            # The name that is asked for is that of the whole, where there are several images.
            alone = layout.kind == "image"
            options = self.options if alone else replace(self.options, name=None)
            part = tracker if alone else tracker.part(f"image {number} of {len(layout.images)}")
            fallback = stem if alone else placed.path
            written.append(write_image(source, placed, store, options, part, fallback=fallback))
        layout.write_root(store, version, self.options.name or stem)
        return written[0]

    def _upgrade(self, store: Store, planned: PlannedUpgrade) -> ConversionReport:
        tracker = Tracker(self.progress)
        if self.makes_archive:
            with self._archive() as archive:
                planned.write(store, archive, tracker)
                packed = archive.make(progress=self.progress)
            report = replace(self._packed(packed), kind="upgrade")
            return replace(report, warnings=(*planned.warnings, *report.warnings))
        with hierarchy_target(self.target, overwrite=self.overwrite) as target:
            planned.write(store, target, tracker)
            contents = arrange(target.list())
        report = self._report("upgrade", contents.total_bytes, _count(contents))
        return replace(report, warnings=planned.warnings)

    def _packed(self, packed: Packed) -> ConversionReport:
        report = self._report("pack", packed.size_bytes, packed.n_entries)
        return replace(report, warnings=packed.warnings)

    def _copy(self, store: Store) -> ConversionReport:
        contents = arrange(store.list())
        require_root(store, contents)
        tracker = Tracker(self.progress)
        with hierarchy_target(self.target, overwrite=self.overwrite) as target:
            tracker.start("copying", contents.total_bytes)
            copy_contents(store, contents, target, tracker)
        report = self._report("copy", contents.total_bytes, _count(contents))
        if not contents.strays:
            return report
        left_out = f"left out {len(contents.strays)} objects that belong to no hierarchy"
        return replace(report, warnings=(left_out,))

    def _require_apart(self, target: Path | None) -> None:
        """Refuse a target that is the source, lies in it, or would replace a folder around it."""
        here = local_base(self.source.value)
        if here is None:
            here = _local_root(self.source.value)
        if here is None or target is None:
            return
        source, target = here.resolve(), target.resolve()
        if source == target:
            raise NodeExistsError(f"source and target are the same: {str(self.target)!r}")
        if target.is_relative_to(source) or source.is_relative_to(target):
            raise MetadataError(
                f"{str(source)!r} and {str(target)!r} lie one within the other; choose a target "
                "elsewhere"
            )

    def _report(self, kind: Kind, size_bytes: int, n_objects: int) -> ConversionReport:
        return ConversionReport(
            str(self.source), str(self.target), kind, 0.0, size_bytes, n_objects
        )


def _local_root(value: Any) -> Path | None:
    root = value.capabilities.local_root if isinstance(value, Store) else None
    return None if root is None else Path(root)


def _engine_name(engine: str | None) -> str | None:
    if engine is None or canonical_name(engine) == "auto":
        return None
    return get_engine(engine).name


def _count(contents: Any) -> int:
    return len(contents.documents) + len(contents.data)


def _warnings(layout: Layout) -> tuple[str, ...]:
    """Return what is to be said of a layout and its images, each sentence once."""
    several = len(layout.images) > 1
    said = [
        f"{placed.path}: {warning}" if several else warning
        for placed in layout.images
        for warning in placed.image.warnings
    ]
    if len(said) > _MOST_WARNINGS:
        more = f"… and {len(said) - _MOST_WARNINGS} more warnings about the other images"
        said = [*said[:_MOST_WARNINGS], more]
    return (*layout.warnings, *said)


def _facts(layout: Layout, written: WrittenImage) -> dict[str, Any]:
    return {
        "layout": layout.kind,
        "n_images": len(layout.images),
        "axes": tuple(axis.name for axis in written.spec.axes),
        "level_shapes": tuple(level.shape for level in written.levels),
        "dtype": str(written.spec.dtype),
        "scale": written.spec.placement[0],
    }
