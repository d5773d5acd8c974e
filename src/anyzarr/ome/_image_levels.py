"""The arrays of an image: its levels, in their order, one handle each."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from anyzarr import crud
from anyzarr._url import redact
from anyzarr.errors import MetadataError, NodeNotFoundError, UnsupportedError
from anyzarr.ome._array import ImageArray
from anyzarr.ome._axes import Axis
from anyzarr.ome._image_node import ImageNode
from anyzarr.ome._model import ImageMetadata
from anyzarr.ome._multiscale import Multiscale
from anyzarr.stores import join

__all__ = ["ImageLevels"]

Self = TypeVar("Self", bound="ImageLevels")


class ImageLevels(ImageNode):
    """An image node that gives its arrays."""

    _default_method = "mean"

    @property
    def data(self) -> ImageArray:
        """The array of level 0, the highest resolution, whatever its path and place."""
        return self._array(self._multiscale.datasets[0].path)

    @property
    def levels(self) -> list[ImageArray]:
        """The arrays of all levels, largest first.

        Raises
        ------
        NodeNotFoundError
            The metadata names a level that is not there.
        """
        return [self._array(dataset.path) for dataset in self._multiscale.datasets]

    def images(self) -> Iterator[tuple[str, ImageArray]]:
        """Iterate over path and array of every level of every image in the group."""
        if not self.has_data:
            return
        paths = [d.path for m in self.metadata.multiscales for d in m.datasets]
        for path in dict.fromkeys(paths):
            yield path, self._array(path)

    def multiscale(self: Self, which: int | str) -> Self:
        """Return another image of the same group: several multiscales may lie in one.

        Parameters
        ----------
        which
            Its number in the metadata, or its name. 0 is the image that readers show.

        Raises
        ------
        NodeNotFoundError
            There is none.
        """
        names = [m.name for m in self.metadata.multiscales]
        if isinstance(which, str):
            number = names.index(which) if which in names else len(names)
        else:
            number = which
        if not 0 <= number < len(names):
            raise NodeNotFoundError(
                f"the group at {self.url!r} has no image {which!r}; it has {len(names)}, called "
                f"{', '.join(map(repr, names))}",
                path=self.path,
            )
        other = copy.copy(self)
        other._which, other._sorted = number, None
        return other

    def __getitem__(self, level: int | str) -> ImageArray:
        """Return the array of a level, by number or path; a path may be of any image here."""
        if isinstance(level, str) and level in self._all_paths:
            return self._array(level)
        return self._array(self._multiscale.datasets[self._index_of(level)].path)

    def __len__(self) -> int:
        """Return the number of levels."""
        return len(self._stated.datasets) if self.has_data else 0

    def to_dask(self, level: int | str = 0) -> Any:
        """Return a level as a dask array."""
        return self[level].to_dask()

    def __repr__(self) -> str:
        if not self.has_data:
            return f"<{type(self).__name__} {redact(self.url)} without data>"
        sizes = zip(self.axis_names, self.data.shape, strict=True)
        listed = " ".join(f"{name}={n}" for name, n in sizes)
        kind, where = type(self).__name__, redact(self.url)
        return f"<{kind} {where} {listed} {self.data.dtype} levels={len(self)}>"

    # -- inside --------------------------------------------------------------------------

    @property
    def _multiscale(self) -> Multiscale:
        """The image with its levels largest first, in whatever order the metadata has them."""
        stated = self._stated
        if self._sorted is None or self._sorted[0] is not stated:
            self._sorted = stated, self._largest_first(stated)
        return self._sorted[1]

    def _largest_first(self, stated: Multiscale) -> Multiscale:
        n = len(stated.datasets)
        try:
            sizes = [math.prod(map(abs, stated.placement(i)[0])) for i in range(n)]
        except (UnsupportedError, MetadataError):
            sizes = []
        if n == 1 or (sizes and all(a < b for a, b in itertools.pairwise(sizes))):
            return stated
        # The metadata does not tell the order: the arrays do.
        elements = [self._handle(dataset.path, stated).size for dataset in stated.datasets]
        order = sorted(range(n), key=lambda i: -elements[i])
        return replace(stated, datasets=tuple(stated.datasets[i] for i in order))

    def _change_image(self, change: Callable[[Multiscale], Multiscale]) -> None:
        """Change this image of the group, starting from what is stored, in one write.

        ``change`` is given it with its levels largest first, and may be called again.
        """

        def changed(metadata: ImageMetadata) -> ImageMetadata:
            images = list(metadata.multiscales)
            images[self._which] = change(self._largest_first(images[self._which]))
            return replace(metadata, multiscales=tuple(images))

        self._update(changed)

    def _levels_changed(self) -> None:
        """Bring along what is to have as many levels as the image."""

    def _index_of(self, level: int | str) -> int:
        paths = [dataset.path for dataset in self._multiscale.datasets]
        if isinstance(level, str):
            if level in paths:
                return paths.index(level)
        elif -len(paths) <= level < len(paths):
            return level % len(paths)
        raise NodeNotFoundError(
            f"the image at {self.url!r} has no level {level!r}; it has {len(paths)}: "
            f"{', '.join(map(repr, paths))}",
            path=self.path,
        )

    def _array(self, name: str) -> ImageArray:
        # One handle per level, so that what changes a shape through it shows everywhere.
        if name not in self._arrays:
            holders = (
                m for m in self.metadata.multiscales if any(d.path == name for d in m.datasets)
            )
            self._arrays[name] = self._handle(name, next(holders, self._stated))
        return self._arrays[name]

    def _create(
        self, name: str, document: Mapping[str, Any], axes: Sequence[Axis] | None = None
    ) -> ImageArray:
        path = join(self.path, name)
        self._require_groups(name)
        crud.create_new_array(document, self.store, path)
        self._arrays[name] = self._bound(document, path, self.axes if axes is None else axes)
        return self._arrays[name]

    def _require_groups(self, name: str) -> None:
        parts = name.split("/")[:-1]
        for depth in range(len(parts)):
            self._group.require_group("/".join(parts[: depth + 1]))
