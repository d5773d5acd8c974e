"""Zarr that is taken over: copied, packed, or brought to other chunks, codecs or formats."""

from __future__ import annotations

from dataclasses import dataclass, replace

from anyzarr import crud
from anyzarr._convert._destination import Destination
from anyzarr._convert._dry_run_copy import plan_of_objects
from anyzarr._convert._execute import RunOptions
from anyzarr._convert._facts import facts_of
from anyzarr._convert._fingerprint import fingerprint_of_objects
from anyzarr._convert._hierarchy import CopyConversion, RewriteConversion, WrittenHierarchy
from anyzarr._convert._image import ImageOptions
from anyzarr._convert._refusals import refuse_sharing
from anyzarr._convert._report import ConversionReport, Kind
from anyzarr._convert._rewrite import asks_for_change, planned_rewrite
from anyzarr._convert._target import Location
from anyzarr._ozx import Contents, Packing, arrange, require_root
from anyzarr._progress import Tracker
from anyzarr.abc import Store
from anyzarr.errors import MetadataError

__all__ = ["TakenOver"]


@dataclass(frozen=True, slots=True)
class TakenOver:
    """A hierarchy on its way to another place, with no pixels made of it.

    Attributes
    ----------
    source, store
        Where it is, and opened.
    destination
        Where it goes.
    options, run_options
        How arrays are to be stored, and how the work is done.
    dry_run
        Whether to report only.
    """

    source: Location
    store: Store
    destination: Destination
    options: ImageOptions
    run_options: RunOptions
    dry_run: bool

    def run(self) -> ConversionReport:
        """Do it.

        Raises
        ------
        UnsupportedError
            What is asked for is for pixels, and none are decoded; or the other format cannot say
            what is there.
        MetadataError
            The options fit no array, or the target's location tells another format.
        """
        if asks_for_change(self.options):
            return self._rewrite()
        refuse_sharing(self.run_options, self.source)
        self._require_format()
        if self.dry_run:
            return self._planned_copy()
        return self._pack() if self.destination.makes_archive else self._copy()

    def _rewrite(self) -> ConversionReport:
        rewrite = planned_rewrite(self.store, self.options)
        conversion = RewriteConversion(
            self.store, rewrite, self.options.engine, self.run_options, self._tracker
        )
        if self.dry_run:
            plan = conversion.plan()
            report = self._report("plan", plan.stored_bytes, plan.n_objects)
            return replace(report, n_arrays=len(rewrite.arrays), plan=plan)
        report = self._delivered(conversion, rewrite.kind)
        return replace(report, n_arrays=len(rewrite.arrays), **facts_of(self.store))

    def _planned_copy(self) -> ConversionReport:
        contents = arrange(self.store.list())
        require_root(self.store, contents)
        items = [*contents.documents, *contents.data]
        plan = plan_of_objects(self.store, items, self.run_options.workers)
        if self.destination.makes_archive:
            packing = Packing(self.store, str(self.destination.target))
            plan = replace(plan, stored_bytes=packing.size_limit)
        report = self._report("plan", plan.stored_bytes, plan.n_objects)
        return replace(report, plan=plan, warnings=_left_out(contents), **facts_of(self.store))

    def _copy(self) -> ConversionReport:
        listed = list(self.store.list())
        contents = arrange(listed)
        require_root(self.store, contents)
        before = fingerprint_of_objects(listed)
        copy = CopyConversion(self.store, contents, before, self.run_options, self._tracker)
        report = replace(self._delivered(copy, "copy", contents), **facts_of(self.store))
        return replace(report, warnings=(*report.warnings, *_left_out(contents)))

    def _delivered(
        self,
        conversion: CopyConversion | RewriteConversion,
        kind: Kind,
        contents: Contents | None = None,
    ) -> ConversionReport:
        delivered = self.destination.deliver(conversion.write, contents)
        written: WrittenHierarchy = delivered.written
        return replace(
            self._report(kind, delivered.size_bytes, delivered.n_objects),
            n_resumed=written.n_resumed,
            verification=written.verification,
            warnings=delivered.warnings,
        )

    def _pack(self) -> ConversionReport:
        run = self.run_options
        with run.threads():
            done = self.destination.pack(self.store, verify=run.verify)
        packed = done.packed
        return replace(
            self._report("pack", packed.size_bytes, packed.n_entries),
            warnings=packed.warnings,
            n_resumed=done.n_resumed,
            verification=done.verification,
            **facts_of(self.store),
        )

    def _require_format(self) -> None:
        """Refuse to take over what is of another format than a location tells."""
        if self.source.zarr_format is not None:
            crud.read_metadata(self.store)  # which holds it to that
        told = self.destination.target.zarr_format
        found = None if told is None else crud.read_metadata(self.store)["zarr_format"]
        if found != told:
            raise MetadataError(
                f"{str(self.source)!r} is Zarr v{found} and is taken over as it is, and the target "
                f"says zarr{told}: leave that out there, or give zarr_format={told} to change it",
                kind="zarr_format",
            )

    @property
    def _tracker(self) -> Tracker:
        return Tracker(self.destination.progress)

    def _report(self, kind: Kind, size_bytes: int, n_objects: int) -> ConversionReport:
        target = str(self.destination.target)
        return ConversionReport(str(self.source), target, kind, 0.0, size_bytes, n_objects)


def _left_out(contents: Contents) -> tuple[str, ...]:
    n = len(contents.strays)
    return (f"left out {n} objects that belong to no hierarchy",) if n else ()
