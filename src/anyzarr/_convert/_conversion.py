"""What :func:`anyzarr.convert` does, by what the source is and what the target is to be."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from anyzarr import _atomic, crud
from anyzarr._convert._changes import ChangedSource, Changes
from anyzarr._convert._destination import Destination
from anyzarr._convert._image import ImageOptions
from anyzarr._convert._images import ImageConversion, RunOptions, Written
from anyzarr._convert._job import SourceRef
from anyzarr._convert._layout import Layout, lay_out
from anyzarr._convert._merge import MergeConversion, are_hierarchies
from anyzarr._convert._refusals import (
    refuse_for_zarr,
    refuse_remote_images,
    refuse_sharing,
    require_apart,
)
from anyzarr._convert._report import ConversionReport, Kind
from anyzarr._convert._store_source import StoreRef, bdv_xml_beside, name_of
from anyzarr._convert._taken_over import TakenOver
from anyzarr._convert._target import ARCHIVE_SUFFIXES, Location, local_path
from anyzarr._convert._vectors import (
    VectorConversion,
    VectorOptions,
    refuse_for_vectors,
    vector_conversion,
)
from anyzarr._progress import ProgressCallback, Tracker
from anyzarr.abc import Store
from anyzarr.engines import canonical_name, get_engine
from anyzarr.errors import MetadataError, NodeNotFoundError, UnsupportedError
from anyzarr.ome import require_writable_version
from anyzarr.readers import (
    SourceImage,
    is_image_name,
    is_n5,
    reader_for,
    require_known,
)
from anyzarr.vectors.formats import format_of_name

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
    vectors
        What is for vectors alone.
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
    vectors: VectorOptions
    progress: ProgressCallback | None

    def check(self) -> None:
        """Refuse what can be refused before anything is read."""
        if self.options.version is not None:
            require_writable_version(self.options.version)
        if self.options.zarr_format not in {None, 2, 3}:
            raise MetadataError(f"zarr_format={self.options.zarr_format!r} must be 2 or 3")
        path = local_path(self.target.value)
        if path is not None and is_image_name(path.name) and format_of_name(path.name) is None:
            raise UnsupportedError(
                f"{str(self.target)!r} is the name of an image file, and only OME-Zarr is written; "
                "give a target that ends in .zarr or .ozx"
            )
        refuse_remote_images(self.source)
        require_apart(self.source, self.target, path)
        if path is not None and self._destination.makes_archive:
            _atomic.require_free(path, overwrite=self.overwrite)

    @property
    def _destination(self) -> Destination:
        return Destination(self.target, self.overwrite, self.run_options.resume, self.progress)

    def run(self) -> ConversionReport:
        """Do it."""
        if isinstance(self.source.value, list | tuple) and are_hierarchies(self.source.value):
            return self._merge(self.source.value)
        conversion = vector_conversion(self.source, self.target, self.vectors)
        if conversion is not None:
            return self._convert_vectors(conversion)
        self.vectors.require_none(self.source)
        path = local_path(self.source.value)
        ref = self._image_source()
        if ref is not None:
            return self._convert_images(ref)
        if path is not None and self.source.backend is None:
            if not path.exists():
                raise NodeNotFoundError(f"there is nothing at {str(path)!r}: check the path")
            require_known(path, ARCHIVE_SUFFIXES)
        store = self.source.open("r")
        stored = self._store_source(store)
        if stored is not None:
            return self._convert_images(stored)
        self._refuse_image_options()
        return TakenOver(
            self.source, store, self._destination, self.options, self.run_options, self.dry_run
        ).run()

    def _merge(self, values: Sequence[Any]) -> ConversionReport:
        options = self.options
        self._refuse_image_options()
        refuse_sharing(self.run_options, self.source)
        refuse_for_zarr(
            self.source,
            chunks=options.chunks, shards=options.shards, compressor=options.compressor,
            version=options.version, zarr_format=options.zarr_format,
            resume=self.run_options.resume or None, verify=self.run_options.verify or None,
        )  # fmt: skip
        sources = tuple(replace(self.source, value=value) for value in values)
        for source in sources:
            replace(self, source=source).check()
        merge = MergeConversion(sources, Tracker(self.progress))
        if self.dry_run:
            n_positions, plan = merge.plan(self.run_options.workers)
            report = self._report("plan", plan.stored_bytes, plan.n_objects)
            return replace(report, layout="plate", n_images=n_positions, plan=plan)
        delivered = self._destination.deliver(merge.write)
        report = self._report("merge", delivered.size_bytes, delivered.n_objects)
        warnings = delivered.warnings
        return replace(report, layout="plate", n_images=delivered.written, warnings=warnings)

    def _convert_vectors(self, conversion: VectorConversion) -> ConversionReport:
        options, run = self.options, self.run_options
        asked = {
            "chunks": options.chunks, "version": options.version, "engine": options.engine,
            "zarr_format": options.zarr_format, "plate": self.plate,
            "levels": None if options.levels == "auto" else options.levels,
            "method": None if options.method == "mean" else options.method,
            "series": self.series, "axes": self.axes, "cluster": run.cluster,
            **{n: True for n in self.changes.names if n not in {"scale", "dtype"}},
            "resume": run.resume or None, "verify": run.verify or None,
            "processes": run.processes or None, "dry_run": self.dry_run or None,
        }  # fmt: skip
        refuse_for_vectors([name for name, value in asked.items() if value is not None])
        job = replace(
            conversion,
            overwrite=self.overwrite,
            options=self.vectors,
            changes=self.changes,
            images=options,
            progress=self.progress,
        )
        return job.run(self._destination)

    def images(self) -> tuple[list[tuple[int, SourceImage]], str]:
        """Return the images of the source that are not about the others, and the source's name.

        Raises
        ------
        UnsupportedError
            It is no image file.
        """
        ref = self._image_source() or self._store_source(self.source.open("r"), split=True)
        if ref is None:
            refuse_for_zarr(self.source, split=True)
            raise AssertionError  # it is refused
        with closing(ref.open()) as source:
            layout = lay_out(source, None, ref.name)
            return [(placed.index, placed.image) for placed in layout.images], ref.stem

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
        if isinstance(self.source.value, list | tuple):
            return self._several(self.source.value)
        path = local_path(self.source.value)
        if path is None or self.source.backend is not None or self.source.zarr_format:
            return None
        if self.plate is not None:
            return SourceRef("files", path.absolute(), self.axes, self.changes, self.plate)
        kind = reader_for(path)
        if kind is None:
            return None
        return SourceRef(kind.name, path.absolute(), self.axes, self.changes)

    def _several(self, values: Sequence[Any]) -> SourceRef:
        """Return how to open several files as one source."""
        paths = [local_path(value) for value in values]
        found = tuple(path.absolute() for path in paths if path is not None)
        if not found or len(found) < len(paths):
            raise UnsupportedError(
                f"{self.source}: several sources must be paths of files and folders here; convert "
                "the others one by one"
            )
        folder = Path(os.path.commonpath([path.parent for path in found]))
        return SourceRef("files", folder, self.axes, self.changes, self.plate, found)

    def _store_source(self, store: Store, *, split: bool = False) -> StoreRef | None:
        """Return how to open the images in a store; None: it is to be taken over as Zarr."""
        name, engine = name_of(self.source), self.options.engine
        if is_n5(store):
            xml = bdv_xml_beside(self.source)
            return StoreRef("n5", store, name, self.axes, self.changes, engine, xml)
        if not (split or self._wants_image(store)):
            return None
        return StoreRef("zarr", store, name, self.axes, self.changes, engine)

    def _wants_image(self, store: Store) -> bool:
        """Return whether an image is to be made of Zarr: what is asked for is for images alone."""
        levels, changes = self.options.levels != "auto", bool(self.changes.names)
        asked = levels or changes or self.series is not None
        if self.axes is None and not asked and not self.options.version and not self.options.name:
            return False
        try:
            document = crud.read_metadata(store)
        except NodeNotFoundError:
            return False
        return asked or "shape" in document or self.axes is not None

    def _refuse_image_options(self) -> None:
        levels = None if self.options.levels == "auto" else self.options.levels
        refuse_for_zarr(
            self.source, name=self.options.name, series=self.series, axes=self.axes, levels=levels
        )
        refuse_for_zarr(self.source, plate=self.plate)
        refuse_for_zarr(self.source, **dict.fromkeys(self.changes.names, True))

    def _convert_images(self, ref: SourceRef | StoreRef) -> ConversionReport:
        with closing(ref.open()) as source:
            layout = lay_out(source, self.series, ref.name)
            if isinstance(source, ChangedSource):
                for placed in layout.images:
                    source.require(placed.index)
            images = ImageConversion(
                ref,
                source,
                layout,
                self.options.of_format(),
                self.run_options,
                ref.stem,
                Tracker(self.progress),
            )
            if self.dry_run:
                return self._planned(images)
            delivered = self._destination.deliver(images.write)
        report = self._report("image", delivered.size_bytes, delivered.n_objects)
        warnings = (*layout.all_warnings, *delivered.warnings)
        return replace(report, warnings=warnings, **_facts(layout, delivered.written))

    def _planned(self, images: ImageConversion) -> ConversionReport:
        first, plan = images.plan()
        report = self._report("plan", plan.stored_bytes, plan.n_objects)
        written = Written(first, plan=plan)
        return replace(
            report, warnings=images.layout.all_warnings, **_facts(images.layout, written)
        )

    def _report(self, kind: Kind, size_bytes: int, n_objects: int) -> ConversionReport:
        return ConversionReport(
            str(self.source), str(self.target), kind, 0.0, size_bytes, n_objects
        )


def engine_name(engine: str | None) -> str | None:
    """Return the canonical name of an engine; None: to be chosen for each array."""
    if engine is None or canonical_name(engine) == "auto":
        return None
    return get_engine(engine).name


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
