"""The pyramid of an image: its levels made, filled and named in the metadata."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

from anyzarr import crud
from anyzarr._progress import ProgressCallback, Tracker
from anyzarr._pyramid import PyramidLevel, downsample_into
from anyzarr.ome._array import ImageArray
from anyzarr.ome._image_levels import ImageLevels
from anyzarr.ome._levels import (
    ImageSpec,
    level_document,
    level_path,
    multiscale_of,
    plan_pyramid,
)
from anyzarr.ome._multiscale import Dataset
from anyzarr.stores import join

__all__ = ["ImagePyramid"]


class ImagePyramid(ImageLevels):
    """An image node that makes smaller levels of its data."""

    def initialize_pyramid(
        self,
        levels: int | None = None,
        factors: Sequence[Sequence[int]] | None = None,
        *,
        method: str = "mean",
    ) -> None:
        """Create the arrays of a pyramid, without data, and name them in the metadata.

        Parameters
        ----------
        levels
            How many, level 0 included; None: until the largest spatial axis is 256 or less.
        factors
            From each level to the next, one per axis; None: in-plane axes are halved, and z
            once its voxel size is within a factor of √2 of theirs.
        method
            How the levels will be computed; decides where their elements' centres are.
        """
        plan = self._plan(levels, method, factors)
        self._make_levels(plan)
        self._write_levels(plan, method)

    def compute_pyramid(
        self,
        levels: int | None = None,
        method: str = "mean",
        factors: Sequence[Sequence[int]] | None = None,
        *,
        progress: ProgressCallback | None = None,
    ) -> None:
        """Compute all levels from level 0, each from the one before, in bounded memory.

        Levels of the planned shapes that are there are filled; others are replaced.

        Parameters
        ----------
        levels, factors
            As for :meth:`initialize_pyramid`.
        method
            ``mean``: of each window, exact for integers with ties rounded to even. ``nearest``:
            the first element of each window.
        progress
            Told how far it is.

        Raises
        ------
        UnsupportedError
            The method is unknown or cannot work on this dtype.
        """
        plan = self._plan(levels, method, factors)
        arrays = self._make_levels(plan)
        tracker = Tracker(progress)
        for index, (finer, coarser) in enumerate(itertools.pairwise(arrays), 1):
            tracker.start(f"level {index}", coarser.nbytes)
            factors_ = plan[index].factors
            downsample_into(finer, coarser, factors_, method=method, tracker=tracker)
        self._write_levels(plan, method)

    def delete_pyramid(self) -> None:
        """Delete all levels but the first: from the metadata, then their arrays."""
        self._drop_levels()

    def _plan(
        self, levels: int | None, method: str, factors: Sequence[Sequence[int]] | None
    ) -> tuple[PyramidLevel, ...]:
        scale, translation = self._multiscale.placement(0)
        spec = ImageSpec(self.data.shape, self.data.dtype, self.axes, scale, translation)
        return plan_pyramid(spec, n_levels=levels, method=method, factors=factors)

    def _make_levels(self, plan: Sequence[PyramidLevel]) -> list[ImageArray]:
        """Return arrays of the planned shapes: those that are there, else new ones."""
        there = self.levels
        if [a.shape for a in there] == [level.shape for level in plan]:
            return there
        finest = there[0]
        self._drop_levels()
        first = self._multiscale.datasets[0].path
        arrays = [finest]
        for index, level in enumerate(plan[1:], 1):
            document = level_document(finest.metadata, level.shape)
            arrays.append(self._create(level_path(first, index), document))
        return arrays

    def _drop_levels(self) -> None:
        """Remove all levels but the first: from the metadata, then from the store."""
        datasets = self._multiscale.datasets
        if len(datasets) == 1:
            return
        self._write_image(replace(self._multiscale, datasets=datasets[:1]))
        for dataset in datasets[1:]:
            self._arrays.pop(dataset.path, None)
            crud.delete_node(self.store, join(self.path, dataset.path))

    def _write_levels(self, plan: Sequence[PyramidLevel], method: str) -> None:
        before = self._multiscale
        first = before.datasets[0]
        new = multiscale_of(before.axes, plan, first.path, name=None, method=method)
        paths = [dataset.path for dataset in before.datasets]
        if len(paths) != len(plan):
            paths = [level_path(first.path, index) for index in range(len(plan))]
        there = {dataset.path: dataset for dataset in before.datasets}
        coarser = [
            there.get(path, Dataset(path, ())).placed(
                level.scale, level.translation, system=before.system
            )
            for path, level in zip(paths[1:], plan[1:], strict=True)
        ]
        self._write_image(
            replace(
                before,
                datasets=(first, *coarser),
                type=new.type or before.type,
                metadata=new.metadata or before.metadata,
            )
        )
