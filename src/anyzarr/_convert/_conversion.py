"""What :func:`anyzarr.convert` does, by what the source is and what the target is to be."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from anyzarr import _atomic, crud
from anyzarr._convert._changes import ChangedSource, Changes
from anyzarr._convert._copy import copy_contents
from anyzarr._convert._image import ImageOptions
from anyzarr._convert._images import ImageConversion, RunOptions, Written
from anyzarr._convert._job import SourceRef
from anyzarr._convert._layout import Layout, lay_out
from anyzarr._convert._report import ConversionReport, Kind
from anyzarr._convert._staging import resumable_folder
from anyzarr._convert._target import (
    ARCHIVE_SUFFIXES,
    Location,
    hierarchy_target,
    images_target,
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
from anyzarr.readers import (
    SourceImage,
    is_image_name,
    reader_for,
    require_known,
    stem_of,
)
from anyzarr.stores import StagedArchive

__all__ = ["Conversion", "engine_name"]


@dataclass(frozen=True, slots=True)
class Conversion:
    """A conversion as it was asked for.

    Attributes
    ----------
    source, target
        Where to read, and where to write.
    overwrite
        Whether a target that exists is replaced.
    options, run_options
        How images are stored, and how the work is done.
    dry_run
        Whether to report only.
    series, axes
        Of the source: which image, and the names of its axes.
    changes
        What is to be different from the source.
    plate
        A table or pattern that says which well each file of the source shows, or None.
    progress
        Called at each step.
    """

    source: Location
    target: Location
    overwrite: bool
    options: ImageOptions
    run_options: RunOptions
    dry_run: bool
    series: int | None
    axes: str | None
    changes: Changes
    plate: str | None
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
        """Do it."""
        path = local_path(self.source.value)
        ref = self._image_source()
        if ref is not None:
            return self._convert_images(ref)
        if path is not None and self.source.backend is None:
            require_known(path, ARCHIVE_SUFFIXES)
        store = self.source.open("r")
        self._refuse_image_options()
        options = self.options
        if changes_ome(store, options):
            return self._upgrade(store, planned_upgrade(store, options))
        self._refuse(chunks=options.chunks, shards=options.shards, compressor=options.compressor)
        self._require_format(store)
        if self.makes_archive:
            with self._archive() as archive:
                return self._packed(archive.make(store, progress=self.progress))
        return self._copy(store)

    def images(self) -> tuple[list[tuple[int, SourceImage]], str]:
        """Return the images of the source that are not about the others, and the source's name.

        Raises
        ------
        UnsupportedError
            It is no image file.
        """
        ref = self._image_source()
        if ref is None:
            self._refuse(split=True)
            raise AssertionError  # it is refused
        with closing(ref.open()) as source:
            layout = lay_out(source, None, ref.path.name)
            return [(placed.index, placed.image) for placed in layout.images], stem_of(ref.path)

    def check_free(self) -> None:
        """Refuse a target that is taken, before others are written."""
        self.check()
        if self.dry_run or self.overwrite:
            return
        path = local_path(self.target.value)
        if path is not None:
            _atomic.require_free(path, overwrite=False)

    def _image_source(self) -> SourceRef | None:
        """Return how to open the source by a reader; None: it is Zarr, or nothing known."""
        path = local_path(self.source.value)
        if path is None or self.source.backend is not None or self.source.zarr_format:
            return None
        if self.plate is not None:
            return SourceRef("files", path.absolute(), self.axes, self.changes, self.plate)
        kind = reader_for(path)
        if kind is None:
            return None
        return SourceRef(kind.name, path.absolute(), self.axes, self.changes)

    def _refuse_image_options(self) -> None:
        levels = None if self.options.levels == "auto" else self.options.levels
        self._refuse(name=self.options.name, series=self.series, axes=self.axes, levels=levels)
        self._refuse(plate=self.plate)
        self._refuse(**dict.fromkeys(self.changes.names, True))
        run = self.run_options
        asked = {
            "resume": run.resume, "verify": run.verify, "processes": run.processes,
            "cluster": run.cluster is not None, "dry_run": self.dry_run,
        }  # fmt: skip
        if any(asked.values()):
            raise UnsupportedError(
                f"{', '.join(name for name, given in asked.items() if given)}: this is for images "
                f"that are converted, and {self.source} is Zarr already; leave it out"
            )

    def _refuse(self, **given: Any) -> None:
        asked = [name for name, value in given.items() if value is not None]
        if asked:
            raise UnsupportedError(
                f"{self.source} is Zarr and is taken over as it is, so {', '.join(asked)} cannot "
                "be changed on the way; leave it out"
            )

    def _convert_images(self, ref: SourceRef) -> ConversionReport:
        with closing(ref.open()) as source:
            layout = lay_out(source, self.series, ref.path.name)
            if isinstance(source, ChangedSource):
                for placed in layout.images:
                    source.require(placed.index)
            images = ImageConversion(
                ref,
                source,
                layout,
                self.options,
                self.run_options,
                stem_of(ref.path),
                Tracker(self.progress),
            )
            if self.dry_run:
                return self._planned(images)
            if self.makes_archive:
                return self._images_to_archive(images)
            target = images_target(
                self.target, overwrite=self.overwrite, resume=self.run_options.resume
            )
            with target as (store, is_resumable):
                written = images.write(store, is_resumable=is_resumable)
                contents = arrange(store.list())
            report = self._report("image", contents.total_bytes, _count(contents))
        return replace(report, warnings=layout.all_warnings, **_facts(layout, written))

    def _planned(self, images: ImageConversion) -> ConversionReport:
        first, plan = images.plan()
        report = self._report("plan", plan.stored_bytes, plan.n_objects)
        written = Written(first, plan=plan)
        return replace(
            report, warnings=images.layout.all_warnings, **_facts(images.layout, written)
        )

    def _images_to_archive(self, images: ImageConversion) -> ConversionReport:
        path = local_path(self.target.value)
        if path is None:
            with self._archive() as archive:
                written = images.write(archive, is_resumable=False)
                packed = archive.make(progress=self.progress)
        else:
            with resumable_folder(path, resume=self.run_options.resume) as store:
                written = images.write(store, is_resumable=True)
                with self._archive() as archive:
                    packed = archive.make(store, progress=self.progress)
        report = self._report("image", packed.size_bytes, packed.n_entries)
        warnings = (*images.layout.all_warnings, *packed.warnings)
        return replace(report, warnings=warnings, **_facts(images.layout, written))

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

    def _require_format(self, source: Store) -> None:
        """Refuse to take over what is of another format than the target's location tells."""
        told = self.target.zarr_format
        found = None if told is None else crud.read_metadata(source)["zarr_format"]
        if found != told:
            raise MetadataError(
                f"{str(self.source)!r} is Zarr v{found} and is taken over as it is, and the target "
                f"says zarr{told}: leave that out there, or give version= to change OME-Zarr",
                kind="zarr_format",
            )

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


def engine_name(engine: str | None) -> str | None:
    """Return the canonical name of an engine; None: to be chosen for each array."""
    if engine is None or canonical_name(engine) == "auto":
        return None
    return get_engine(engine).name


def _count(contents: Any) -> int:
    return len(contents.documents) + len(contents.data)


def _facts(layout: Layout, written: Written) -> dict[str, Any]:
    first = written.first
    return {
        "layout": layout.kind,
        "n_images": len(layout.images),
        "axes": tuple(axis.name for axis in first.spec.axes),
        "level_shapes": tuple(level.shape for level in first.levels),
        "dtype": str(first.spec.dtype),
        "scale": first.spec.placement[0],
        "n_resumed": written.n_resumed,
        "verification": written.verification,
        "plan": written.plan,
    }
