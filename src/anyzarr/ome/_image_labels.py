"""The label images of an image: listed, created, found where others put them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from anyzarr import crud
from anyzarr._nodes import Group
from anyzarr.crud._nodes import normalize_path
from anyzarr.crud._regions import require_writable
from anyzarr.errors import MetadataError, NodeExistsError, NodeNotFoundError
from anyzarr.metadata import group_document, parse_group
from anyzarr.ome._axes import Axis, axes_of
from anyzarr.ome._image_levels import ImageLevels
from anyzarr.ome._label_model import LabelMetadata, colors_of, properties_of
from anyzarr.ome._versions import family
from anyzarr.stores import join

if TYPE_CHECKING:
    from anyzarr.ome._labels import Labels

__all__ = ["ImageLabels"]

_FOLDER = "labels"


class ImageLabels(ImageLevels):
    """An image node that knows and makes its label images."""

    @property
    def label_names(self) -> list[str]:
        """The names of the label images, as the metadata lists them.

        The list of ``labels/`` first, then what the image's own metadata lists (some writers put
        it there). Where neither lists any, the groups in ``labels/``.
        """
        group = self._labels_group()
        if group is None:
            return []
        listed = [*_listed(group.metadata.attributes), *_listed(self._group.metadata.attributes)]
        names = [name.removeprefix(f"{_FOLDER}/") for name in listed]
        return list(dict.fromkeys(names)) if names else [name for name, _ in group.groups()]

    def labels(self) -> Iterator[tuple[str, Labels]]:
        """Iterate over name and :class:`~anyzarr.ome.Labels` of each label image."""
        return ((name, self.get_label(name)) for name in self.label_names)

    def get_label(self, name: str) -> Labels:
        """Return a label image.

        Raises
        ------
        NodeNotFoundError
            There is none of this name (also a ``KeyError``).
        """
        path = join(self.path, f"{_FOLDER}/{name}")
        try:
            document = crud.read_metadata(self.store, path)
        except NodeNotFoundError:
            names = ", ".join(map(repr, self.label_names)) or "none"
            raise NodeNotFoundError(
                f"the image at {self.url!r} has no label image {name!r}; it has {names}",
                path=path,
            ) from None
        return self._label(Group(parse_group(document), self.store, path, self._engine))

    def create_label(
        self,
        name: str,
        data: Any = None,
        *,
        colors: Mapping[int, str | Sequence[int]] | None = None,
        properties: Mapping[int, Mapping[str, Any]] | Iterable[Mapping[str, Any]] | None = None,
        source: str | None = None,
        axes: str | Iterable[str | Axis | Mapping[str, Any]] | None = None,
        method: str = "mode",
        overwrite: bool = False,
        **options: Any,
    ) -> Labels:
        """Create a label image, with as many levels as this image has.

        Parameters
        ----------
        name
            Its name within ``labels/``.
        data
            Whole numbers, of the shape of the image or of the image without its channel axis
            (or of its axes of space alone); or None, with ``shape`` and ``dtype``.
        colors
            By label value: red, green, blue (and opacity) from 0 to 255, or hexadecimal digits.
        properties
            By label value; or documents with a ``label-value``.
        source
            Path from the label image to the image; None: where it lies.
        axes
            As for :meth:`create_image`; None: those of the image that the shape fits.
        method
            How the levels are made: ``mode`` (the smallest of several) or ``nearest``.
        overwrite
            Whether a label image of this name is replaced.
        **options
            As for :meth:`create_image`: ``shape``, ``dtype``, ``chunks``, ``shards``,
            ``compressor``, ``scale``, ``translation``. Scale and translation are those of the
            image unless given.

        Returns
        -------
        Labels
            The label image.

        Raises
        ------
        NodeExistsError
            There is one of this name.
        MetadataError
            The data is not of whole numbers, or does not fit the image.

        Examples
        --------
        >>> import anyzarr, numpy as np
        >>> with anyzarr.open_ome_zarr({}, mode="w", axes="cyx") as image:
        ...     array = image.create_image("0", np.zeros((2, 600, 600), "uint16"))
        ...     image.compute_pyramid()
        ...     cells = image.create_label("cells", np.ones((600, 600), "uint32"))
        >>> [level.shape for level in cells.levels], image.label_names
        ([(600, 600), (300, 300), (150, 150)], ['cells'])
        """
        values = data if data is None or hasattr(data, "dtype") else np.asarray(data)
        shape = options.get("shape") if values is None else values.shape
        dtype = options.get("dtype") if values is None else values.dtype
        if shape is None or dtype is None or np.dtype(dtype).kind not in "iu":
            raise MetadataError(
                f"labels are whole numbers, not {dtype}; give data of an integer dtype, as in "
                "data.astype('uint32'), or shape and dtype"
            )
        name = normalize_path(name)
        fitting = self._fitting_axes(len(shape)) if axes is None else axes_of(axes)
        stated = LabelMetadata(
            colors_of(colors or {}),
            properties_of(properties or {}),
            source if source is not None else "../" * (2 + name.count("/")),
        )
        label = self._new_label(name, stated, overwrite=overwrite)
        try:
            options = {**self._placed_like(axes_of(fitting), shape), **options}
            label.create_image("0", values, axes=fitting, **options)
            factors = self._factors_between_levels(label.axis_names)
            if factors:
                label.compute_pyramid(method=method, factors=factors)
        except BaseException:
            crud.delete_node(self.store, label.path)
            raise
        self._list_label(name)
        return label

    def delete_label(self, name: str) -> None:
        """Delete a label image: from the list, then all of it.

        Raises
        ------
        NodeNotFoundError
            There is none of this name.
        """
        label = self.get_label(name)
        require_writable(self.store, self.path)
        self._list_label(name, listed=False)
        crud.delete_node(self.store, label.path)

    # -- inside --------------------------------------------------------------------------

    def _labels_group(self) -> Group | None:
        group = self._group.get(_FOLDER)
        return group if isinstance(group, Group) else None

    def _label(self, group: Group) -> Labels:
        from anyzarr.ome._labels import Labels  # a label image is an image, which has labels

        return Labels(group, version=self.version, engine=self._engine)

    def _new_label(self, name: str, stated: LabelMetadata, *, overwrite: bool) -> Labels:
        """Return the group of a new label image, empty but for what it says about labels."""
        version = family(self.metadata.version)
        self.metadata.to_attributes()  # refuses a version that is not written
        if "image-label" in _ome_of(self._group.metadata.attributes):
            raise MetadataError(
                f"{self.url!r} is a label image, and labels have none themselves; add {name!r} to "
                "the image it belongs to"
            )
        folder = self._group.require_group(_FOLDER)
        path = join(folder.path, name)
        if not overwrite and name in folder:
            raise NodeExistsError(
                f"the image at {self.url!r} has a label image {name!r} already; choose another "
                "name, or replace it with overwrite=True",
                path=path,
            )
        document = stated.to_document()
        attributes: dict[str, Any] = {"ome": {"version": version, "image-label": document}}
        if version == "0.4":
            attributes = {"image-label": {"version": "0.4", **document}}
        zarr_format = self._group.zarr_format
        new = group_document(zarr_format=zarr_format, attributes=attributes)
        for depth in range(1, name.count("/") + 1):
            folder.require_group("/".join(name.split("/")[:depth]))
        (crud.create_overwrite_group if overwrite else crud.create_new_group)(new, self.store, path)
        return self._label(Group(parse_group(new), self.store, path, self._engine))

    def _list_label(self, name: str, *, listed: bool = True) -> None:
        version = family(self.metadata.version)

        def change(stored: dict[str, Any]) -> dict[str, Any]:
            names = [n for n in _listed(stored) if n != name] + [name] * listed
            if version == "0.4":
                return {**stored, "labels": names}
            nested = stored.get("ome")
            kept = nested if isinstance(nested, Mapping) else {}
            return {**stored, "ome": {"version": version, **kept, "labels": names}}

        group = self._group.require_group(_FOLDER)
        group._change_attributes(change)

    def _levels_changed(self) -> None:
        """Give label images as many levels as the image has."""
        for _, label in self.labels():
            if len(label) == len(self):
                continue
            factors = self._factors_between_levels(label.axis_names)
            if factors:
                label.compute_pyramid(factors=factors)
            else:
                label.delete_pyramid()

    def _fitting_axes(self, ndim: int) -> tuple[Axis, ...]:
        plain = tuple(axis for axis in self.axes if axis.type != "channel")
        spatial = tuple(axis for axis in self.axes if axis.type == "space")
        for axes in (plain, self.axes, spatial, spatial[-2:]):
            if len(axes) == ndim:
                return axes
        names = ", ".join(map(repr, self.axis_names))
        raise MetadataError(
            f"labels of {ndim} dimensions do not fit the axes {names} of the image; give them one "
            "dimension per axis, the channel axis left out"
        )

    def _placed_like(self, axes: Sequence[Axis], shape: Sequence[int]) -> dict[str, list[float]]:
        """Return scale and translation such that the labels cover the image."""
        scale, shift = self._multiscale.placement(0)
        scales, shifts = [], []
        for axis, n in zip(axes, shape, strict=False):
            if axis.name not in self.axis_names:
                scales.append(1.0)
                shifts.append(0.0)
                continue
            index = self.axis_names.index(axis.name)
            ratio = self.data.shape[index] / n if n else 1.0
            scales.append(scale[index] * ratio)
            shifts.append(shift[index] + scale[index] * (ratio - 1) / 2)
        return {"scale": scales, "translation": shifts}

    def _factors_between_levels(self, axis_names: Sequence[str]) -> list[list[int]]:
        """Return how much smaller each level of the image is than the one before, per axis."""
        shapes = [level.shape for level in self.levels]
        result = []
        for before, after in itertools.pairwise(shapes):
            by_name = dict(zip(self.axis_names, zip(before, after, strict=True), strict=True))
            pairs = [by_name.get(name, (1, 1)) for name in axis_names]
            result.append([max(1, -(-a // b)) if b else 1 for a, b in pairs])
        return result


def _ome_of(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    nested = attributes.get("ome")
    return nested if isinstance(nested, Mapping) else attributes


def _listed(attributes: Mapping[str, Any]) -> list[str]:
    """Return the names of labels that a group's attributes list."""
    names = _ome_of(attributes).get("labels")
    return [str(n) for n in names] if isinstance(names, list) else []
