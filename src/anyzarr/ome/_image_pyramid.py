"""The pyramid of an image: its levels made, filled and named in the metadata."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from anyzarr import crud
from anyzarr._progress import ProgressCallback, Tracker
from anyzarr._pyramid import METHODS, PyramidLevel, build_pyramid, downsampled_shape, update_pyramid
from anyzarr.errors import MetadataError, NodeExistsError
from anyzarr.indexing import resolve
from anyzarr.metadata import parse_array
from anyzarr.ome._array import ImageArray
from anyzarr.ome._image_levels import ImageLevels
from anyzarr.ome._levels import (
    ImageSpec,
    level_document,
    level_path,
    multiscale_of,
    plan_pyramid,
)
from anyzarr.ome._multiscale import Dataset, Multiscale
from anyzarr.stores import join

__all__ = ["ImagePyramid"]


class ImagePyramid(ImageLevels):
    """An image node that makes smaller levels of its data."""

    def initialize_pyramid(
        self,
        levels: int | None = None,
        factors: Sequence[Sequence[int]] | None = None,
        *,
        method: str | None = None,
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
            How the levels will be computed; decides where their elements' centres are. None:
            ``mean``, of labels ``mode``.
        """
        method = method or self._default_method
        plan = self._plan(levels, method, factors)
        self._make_levels(plan)
        self._write_levels(plan, method)
        self._levels_changed()

    def compute_pyramid(
        self,
        levels: int | None = None,
        method: str | None = None,
        factors: Sequence[Sequence[int]] | None = None,
        *,
        region: Any = None,
        progress: ProgressCallback | None = None,
    ) -> None:
        """Compute all levels in one go through level 0, in bounded memory.

        Levels of the planned shapes that are there are filled; others are replaced. Label images
        that have another number of levels get as many.

        Parameters
        ----------
        levels, factors
            As for :meth:`initialize_pyramid`; not with ``region``.
        method
            ``mean``, ``median``, ``mode``, ``min``, ``max``, ``stride`` (or ``nearest``) or
            ``gaussian``: what becomes of a window of elements. None: ``mean`` (of labels
            ``mode``), and with ``region`` the one the metadata names.
        region
            The part of level 0 that has changed, as slices and integers, one per axis; of the
            levels that are there, only what depends on it is computed again. None: all.
        progress
            Told how far it is.

        Raises
        ------
        UnsupportedError
            The method is unknown or cannot work on this dtype.
        MetadataError
            With ``region``: there are no levels, or they were made in another way.
        SelectionError
            The region does not fit level 0.

        Examples
        --------
        >>> import anyzarr, numpy as np
        >>> with anyzarr.open_ome_zarr({}, mode="w", axes="yx") as image:
        ...     data = image.create_image("0", np.zeros((512, 512), "uint8"))
        ...     image.compute_pyramid(method="max")
        ...     data[40, 60] = 9
        ...     image.compute_pyramid(region=np.s_[40, 60])
        ...     int(image[1][20, 30])
        9
        """
        if region is not None:
            if levels is not None or factors is not None:
                raise MetadataError(
                    "a region is computed again in the levels that are there; leave levels and "
                    "factors out, or leave region out to compute all levels anew"
                )
            self._update_levels(region, method, Tracker(progress))
            return
        method = method or self._default_method
        plan = self._plan(levels, method, factors)
        steps = [level.factors for level in plan[1:]]
        arrays = self._make_levels(plan)
        try:
            build_pyramid(arrays, steps, method=method, tracker=Tracker(progress))
        except BaseException:
            self._drop_unnamed(arrays)
            raise
        self._write_levels(plan, method)
        self._levels_changed()

    def delete_pyramid(self) -> None:
        """Delete all levels but the first: from the metadata, then their arrays.

        Label images of this image are left with one level too.
        """
        self._drop_levels()
        self._levels_changed()

    def _update_levels(self, region: Any, method: str | None, tracker: Tracker) -> None:
        """Compute again what depends on a region of level 0."""
        recorded = self._multiscale.type
        known = recorded if recorded in METHODS else None
        if len(self) < 2 or (known is None and method is None) or (method or known) != known:
            how = f"{len(self)} levels, made by {recorded!r}"
            raise MetadataError(
                f"the image at {self.url!r} has {how}; only a pyramid made by the same method can "
                "be computed again in a region: compute all of it first"
            )
        selected = resolve(region, self.data.shape).box
        if selected is None:
            raise MetadataError("a region is a box: slices and integers, one per axis")
        box = tuple(slice(a, b) for a, b in zip(selected.start, selected.stop, strict=True))
        update_pyramid(
            self.levels, self._recorded_factors(), box, method=known or "mean", tracker=tracker
        )

    def _recorded_factors(self) -> list[tuple[int, ...]]:
        """Return the factors from each level to the next, by their scales and shapes."""
        found = []
        scales = [self._multiscale.placement(i)[0] for i in range(len(self))]
        shapes = [level.shape for level in self.levels]
        for (fine, coarse), (before, after) in zip(
            itertools.pairwise(scales), itertools.pairwise(shapes), strict=True
        ):
            step = tuple(max(1, round(b / a)) for a, b in zip(fine, coarse, strict=True))
            if after != downsampled_shape(before, step):
                raise MetadataError(
                    f"a level of shape {after} is not one of shape {before} made smaller by whole "
                    f"factors {step}, as their scales say; compute all of the pyramid"
                )
            found.append(step)
        return found

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
            arrays.append(self._create_level(level_path(first, index), document))
        return arrays

    def _create_level(self, path: str, document: dict[str, Any]) -> ImageArray:
        """Create the array of a level, or take the one that a killed process has left."""
        try:
            return self._create(path, document)
        except NodeExistsError:
            left = self._array(path)
            if left.metadata.content != parse_array(document).content:
                raise
            return left

    def _drop_unnamed(self, arrays: Sequence[ImageArray]) -> None:
        """Remove levels that the metadata does not name: not all of them is there."""
        named = {join(self.path, dataset.path) for dataset in self._multiscale.datasets}
        for array in arrays:
            if array.path not in named:
                self._arrays.pop(array.path.removeprefix(f"{self.path}/"), None)
                crud.delete_node(self.store, array.path)

    def _drop_levels(self) -> None:
        """Remove all levels but the first: from the metadata, then from the store."""
        datasets = self._multiscale.datasets
        if len(datasets) == 1:
            return
        self._change_image(lambda image: replace(image, datasets=image.datasets[:1]))
        for dataset in datasets[1:]:
            self._arrays.pop(dataset.path, None)
            crud.delete_node(self.store, join(self.path, dataset.path))

    def _write_levels(self, plan: Sequence[PyramidLevel], method: str) -> None:
        def change(before: Multiscale) -> Multiscale:
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
            return replace(
                before,
                datasets=(first, *coarser),
                type=new.type or before.type,
                metadata=new.metadata or before.metadata,
            )

        self._change_image(change)
