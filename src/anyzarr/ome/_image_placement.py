"""Where an image lies: scales, translations, units, and coordinates of points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr import crud
from anyzarr._nodes import Array
from anyzarr.errors import MetadataError
from anyzarr.metadata import parse_array
from anyzarr.ome._axes import check_axes
from anyzarr.ome._coordinates import (
    check_steps,
    from_intrinsic,
    to_intrinsic,
    with_own_steps,
    with_shared_steps,
)
from anyzarr.ome._image_levels import ImageLevels
from anyzarr.ome._multiscale import Multiscale
from anyzarr.stores import join

__all__ = ["ImagePlacement"]


class ImagePlacement(ImageLevels):
    """An image node that knows and changes where it lies."""

    @property
    def scale(self) -> list[float]:
        """Physical size of an element of level 0, per axis, in the unit of the axis."""
        return self.get_effective_scale(0)

    @property
    def translation(self) -> list[float]:
        """Place of the centre of the first element of level 0, per axis."""
        return self.get_effective_translation(0)

    def get_effective_scale(self, level: int | str = 0) -> list[float]:
        """Return the scale of a level with that of the whole image applied.

        Parameters
        ----------
        level
            Its number, or the path of its array.

        Raises
        ------
        UnsupportedError
            The level is transformed by more than scales and translations.
        """
        return list(self._multiscale.effective_placement(self._index_of(level))[0])

    def get_effective_translation(self, level: int | str = 0) -> list[float]:
        """Return the translation of a level with the transformations of the image applied."""
        return list(self._multiscale.effective_placement(self._index_of(level))[1])

    def set_scale(
        self,
        axis: str | Mapping[str, float] | Sequence[float],
        value: float | None = None,
        unit: str | None = None,
    ) -> None:
        """Set the physical size of an element of level 0; the other levels follow.

        Parameters
        ----------
        axis
            The name of an axis; or sizes by axis name; or one size per axis.
        value
            The size, where ``axis`` is a name.
        unit
            What it is counted in, where ``axis`` is a name; None leaves the unit as it is.

        Raises
        ------
        MetadataError
            There is no such axis, a size is not above zero, or the unit is not in UDUNITS-2.

        Examples
        --------
        >>> import anyzarr, numpy as np
        >>> with anyzarr.open_ome_zarr({}, mode="w", axes="zyx") as image:
        ...     array = image.create_image("0", np.zeros((2, 600, 600), "uint8"))
        ...     image.compute_pyramid(factors=[(1, 2, 2)])
        ...     image.set_scale("z", 2.0, "micrometer")
        ...     image.set_scale({"y": 0.5, "x": 0.5})
        ...     image.get_effective_scale(1)
        [2.0, 1.0, 1.0]
        """
        sizes = self._sizes(axis, value)
        if unit is not None and not isinstance(axis, str):
            raise MetadataError("give a unit with one axis, or set units with set_unit(axis, unit)")

        def change(multiscale: Multiscale) -> Multiscale:
            rescaled = _rescaled(multiscale, sizes)
            if unit is None or not isinstance(axis, str):
                return rescaled
            return self._with_unit(rescaled, axis, unit)

        self._change_image(change)

    def set_unit(self, axis: str, unit: str | None) -> None:
        """Set what the scale counts along an axis, as in ``"micrometer"``; None: not known.

        Raises
        ------
        MetadataError
            There is no such axis, or the unit is not in UDUNITS-2.
        """
        self._change_image(lambda multiscale: self._with_unit(multiscale, axis, unit))

    def set_transform(self, level: int | str, transformations: Sequence[Mapping[str, Any]]) -> None:
        """Replace the transformations of a level, or of the whole image.

        Parameters
        ----------
        level
            A level's number or path; or ``"*"``: the whole image.
        transformations
            As in the metadata. Of a level: a ``scale``, and a ``translation`` after it if need
            be. Of the whole image until 0.5: the same, applied to every level after its own. In
            0.6: any, from the coordinate system of the levels to one that ``output`` names,
            which is added with the same axes if it is not there.

        Raises
        ------
        MetadataError
            They are not what the version allows, or do not fit the axes.
        """
        steps = check_steps(transformations)
        if level == "*":
            self._change_image(lambda multiscale: with_shared_steps(multiscale, steps))
        else:
            path = self._multiscale.datasets[self._index_of(level)].path
            self._change_image(lambda multiscale: with_own_steps(multiscale, path, steps))

    def to_world(
        self, points: npt.ArrayLike, level: int | str = 0, *, system: str | None = None
    ) -> npt.NDArray[np.float64]:
        """Return the physical coordinates of points given in elements of a level.

        Parameters
        ----------
        points
            ``(..., n_axes)``, in the order of the axes. Whole numbers are centres of elements.
        level
            The level whose elements they count.
        system
            Of 0.6: the name of the coordinate system; None: the one the levels are placed in.

        Raises
        ------
        UnsupportedError
            A transformation on the way is not affine; the message names it.
        MetadataError
            The points do not fit the axes, or no transformation leads to the system.

        Examples
        --------
        >>> import anyzarr, numpy as np
        >>> with anyzarr.open_ome_zarr({}, mode="w", axes="yx") as image:
        ...     data = np.zeros((4, 4), "uint8")
        ...     array = image.create_image("0", data, scale=(0.5, 0.5), translation=(10, 0))
        >>> image.to_world([[0, 0], [2, 3]]).tolist()
        [[10.0, 0.0], [11.0, 1.5]]
        """
        index = self._index_of(level)
        return to_intrinsic(self._multiscale, index, self._parameters, system)(points)

    def to_index(
        self, points: npt.ArrayLike, level: int | str = 0, *, system: str | None = None
    ) -> npt.NDArray[np.float64]:
        """Return where points given in physical coordinates lie in a level: the inverse.

        Raises
        ------
        UnsupportedError
            A transformation on the way is not affine or has no inverse; the message names it.
        """
        index = self._index_of(level)
        return from_intrinsic(self._multiscale, index, self._parameters, system)(points)

    # -- inside --------------------------------------------------------------------------

    def _parameters(self, path: str) -> npt.NDArray[Any]:
        """Read the array that holds the numbers of a transformation."""
        where = join(self.path, path)
        metadata = parse_array(crud.read_metadata(self.store, where))
        return Array(metadata, self.store, where, self._engine).read()

    def _sizes(
        self, axis: str | Mapping[str, float] | Sequence[float], value: float | None
    ) -> dict[int, float]:
        if isinstance(axis, str):
            if not isinstance(value, int | float | np.number):
                raise MetadataError(
                    f"set_scale({axis!r}, {value!r}) does not say how large an element is; write "
                    "set_scale('z', 0.5), set_scale({'z': 0.5}) or one size per axis"
                )
            return self._checked({self.get_axis_index(axis): value})
        if value is not None:
            raise MetadataError("give a value with the name of one axis only")
        if isinstance(axis, Mapping):
            return self._checked({self.get_axis_index(k): v for k, v in axis.items()})
        if len(axis) != len(self.axes):
            names = ", ".join(self.axis_names)
            raise MetadataError(f"{len(axis)} sizes do not fit the axes {names}; give one for each")
        return self._checked(dict(enumerate(axis)))

    def _checked(self, sizes: dict[int, float]) -> dict[int, float]:
        for index, size in sizes.items():
            if not (np.isfinite(size) and size > 0):
                raise MetadataError(
                    f"the scale {size!r} of axis {self.axis_names[index]!r} must be above zero"
                )
        return {index: float(size) for index, size in sizes.items()}

    def _with_unit(self, multiscale: Multiscale, axis: str, unit: str | None) -> Multiscale:
        index = self.get_axis_index(axis)
        axes = list(multiscale.axes)
        axes[index] = replace(axes[index], unit=unit)
        check_axes(axes)
        return multiscale.with_axes(axes)


def _rescaled(multiscale: Multiscale, sizes: Mapping[int, float]) -> Multiscale:
    """Return it with level 0 of these sizes; ratios and offsets between levels stay."""
    own = [multiscale.placement(i) for i in range(len(multiscale.datasets))]
    effective = multiscale.effective_placement(0)[0]
    datasets = []
    for dataset, (scale, shift) in zip(multiscale.datasets, own, strict=True):
        scales, shifts = list(scale), list(shift)
        for axis, size in sizes.items():
            shared = effective[axis] / own[0][0][axis]
            wanted = size / shared
            scales[axis] = wanted * (scale[axis] / own[0][0][axis])
            first = own[0][1][axis]
            shifts[axis] = first + (shift[axis] - first) * (wanted / own[0][0][axis])
        datasets.append(dataset.placed(scales, shifts, system=multiscale.system))
    return replace(multiscale, datasets=tuple(datasets))
