"""The vector stores of an image: points, lines and surfaces in its physical coordinates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from anyzarr import crud
from anyzarr._nodes import Group
from anyzarr.crud._nodes import normalize_path
from anyzarr.crud._regions import require_writable
from anyzarr.errors import MetadataError, NodeNotFoundError, UnsupportedError
from anyzarr.ome._axes import Axis, metres
from anyzarr.ome._image_placement import ImagePlacement
from anyzarr.stores import join
from anyzarr.vectors import ZVStore, is_vector_store, open_zv
from anyzarr.vectors._create import create_store_below

__all__ = ["ImageVectors", "VectorStores"]

_FOLDER: Final = "vectors"
# Chunks along the longest axis of an image, where nobody says how large a chunk is.
_CHUNKS: Final = 8


class VectorStores(Mapping[str, ZVStore]):
    """The vector stores of an image by name, each opened when it is asked for.

    Parameters
    ----------
    image
        The image.
    """

    def __init__(self, image: ImageVectors) -> None:
        self._image = image

    def __getitem__(self, name: str) -> ZVStore:
        """Return a vector store.

        Raises
        ------
        NodeNotFoundError
            There is none of this name (also a ``KeyError``).
        """
        return open_zv(self._image.get_vectors(name))

    def __iter__(self) -> Iterator[str]:
        return iter(self._image.vector_names)

    def __len__(self) -> int:
        return len(self._image.vector_names)

    def __repr__(self) -> str:
        return f"<VectorStores {', '.join(self) or 'none'} of {self._image.url}>"


class ImageVectors(ImagePlacement):
    """An image node that knows and makes its vector stores."""

    @property
    def vector_names(self) -> list[str]:
        """The names of the vector stores, as the attribute ``vectors`` of ``vectors/`` lists them.

        Where nothing is listed, the vector stores in ``vectors/``.
        """
        folder = self._group.get(_FOLDER)
        if not isinstance(folder, Group):
            return []
        listed = _listed(folder.metadata.attributes)
        if listed:
            return listed
        groups = folder.groups()
        return [name for name, node in groups if is_vector_store(node.metadata.attributes)]

    def vectors(self) -> VectorStores:
        """Return the vector stores by name, in the order in which they are listed.

        Their positions are physical coordinates of the axes of the same names: those of
        :meth:`to_world`.

        Examples
        --------
        >>> import anyzarr, numpy as np
        >>> from anyzarr.vectors import write_points
        >>> image = anyzarr.open_ome_zarr({}, mode="w", axes="zyx")
        >>> data = np.zeros((4, 64, 64), "uint8")
        >>> array = image.create_image("0", data, scale=(2.0, 0.5, 0.5))
        >>> spots = image.create_vectors("spots")
        >>> _ = write_points(spots, image.to_world([[1, 10, 20], [3, 5, 5]]))
        >>> list(image.vectors()), image.vectors()["spots"][0].compute().positions.tolist()
        (['spots'], [[2.0, 5.0, 10.0], [6.0, 2.5, 2.5]])
        """
        return VectorStores(self)

    def get_vectors(self, name: str) -> Group:
        """Return the root group of a vector store, as the functions of `anyzarr.vectors` take it.

        Raises
        ------
        NodeNotFoundError
            There is none of this name (also a ``KeyError``).
        """
        # Through the image's group, so that its consolidated metadata serves.
        found = self._group.get(f"{_FOLDER}/{name}")
        if isinstance(found, Group):
            return found
        names = ", ".join(map(repr, self.vector_names)) or "none"
        raise NodeNotFoundError(
            f"the image at {self.url!r} has no vectors {name!r}; it has {names}",
            path=join(self.path, f"{_FOLDER}/{name}"),
        )

    def create_vectors(
        self,
        name: str,
        *,
        axes: Sequence[str | Mapping[str, Any]] | None = None,
        chunk_shape: Sequence[float] | None = None,
        bounds: Sequence[Sequence[float]] | None = None,
        overwrite: bool = False,
        **options: Any,
    ) -> Group:
        """Create an empty vector store in the image's physical coordinates.

        Parameters
        ----------
        name
            Its name within ``vectors/``.
        axes
            Names of the axes in the order of columns (``"xyz"``), which have the image's units; or
            axes as OME-Zarr describes them, with units of their own. Default: those of space of
            the image.
        chunk_shape
            Edge lengths of a chunk, in physical units. Default: cubes, eight along the longest
            axis.
        bounds
            What it may hold; default: the image, to the edges of its pixels.
        overwrite
            Whether a vector store of this name is replaced.
        **options
            As for :func:`anyzarr.vectors.create_store`: ``geometry_types``, ``compressor``,
            ``bin_shape``, ``dtype``, ``shard_shape`` and others.

        Returns
        -------
        Group
            Its root, to be given to ``write_points``, ``write_polylines``, ….

        Raises
        ------
        NodeExistsError
            There is one of this name.
        UnsupportedError
            The image is of Zarr v2, or placed by more than scales and translations.
        MetadataError
            An axis is none of the image, and ``bounds`` or ``chunk_shape`` is not given.

        Examples
        --------
        >>> import anyzarr, numpy as np
        >>> image = anyzarr.open_ome_zarr({}, mode="w", axes="yx")
        >>> array = image.create_image("0", np.zeros((8, 16), "uint8"), scale=(0.5, 0.5))
        >>> image.create_vectors("tracks", geometry_types=["polyline"]).path
        'vectors/tracks'
        >>> image.vectors()["tracks"].bounds
        ((-0.25, -0.25), (3.75, 7.75))
        """
        if self._group.zarr_format != 3:
            raise UnsupportedError(
                f"{self.url!r} is of Zarr v2, and vectors are of Zarr v3; upgrade the image to "
                "OME-Zarr 0.5 first",
                kind="zarr_format",
            )
        name = normalize_path(name)
        if not name or "/" in name:
            raise MetadataError(f"{name!r} is no name of a group in {_FOLDER}/; use one segment")
        described = self._space_axes() if axes is None else [self._described(a) for a in axes]
        if bounds is None or chunk_shape is None:
            edges, corners = self._extent(described)
            bounds = corners if bounds is None else bounds
            chunk_shape = edges if chunk_shape is None else chunk_shape
        create_store_below(
            self._group.require_group(_FOLDER),
            name,
            axes=described,
            chunk_shape=chunk_shape,
            bounds=bounds,
            overwrite=overwrite,
            **options,
        )
        self._list_vectors(name)
        return self.get_vectors(name)

    def delete_vectors(self, name: str) -> None:
        """Delete a vector store: from the list, then all of it.

        Raises
        ------
        NodeNotFoundError
            There is none of this name.
        """
        group = self.get_vectors(name)
        require_writable(self.store, self.path)
        self._list_vectors(name, listed=False)
        crud.delete_node(self.store, group.path)

    # -- inside --------------------------------------------------------------------------

    def _list_vectors(self, name: str, *, listed: bool = True) -> None:
        def change(stored: dict[str, Any]) -> dict[str, Any]:
            names = [n for n in _listed(stored) if n != name] + [name] * listed
            return {**stored, "vectors": names}

        self._group.require_group(_FOLDER)._change_attributes(change)

    def _space_axes(self) -> list[dict[str, Any]]:
        return [axis.to_document() for axis in self.axes if axis.type == "space"]

    def _described(self, axis: str | Mapping[str, Any]) -> dict[str, Any]:
        """Return an axis of vectors; one that is only named has the unit of the image."""
        if not isinstance(axis, str):
            return dict(axis)
        named = {document["name"]: document for document in self._space_axes()}
        return dict(named.get(axis, {"name": axis, "type": "space"}))

    def _extent(self, axes: Sequence[Mapping[str, Any]]) -> tuple[list[float], list[list[float]]]:
        """Return edges of chunks for vectors of some axes, and the corners of the image."""
        scale, shift = map(np.array, self._multiscale.effective_placement(0))
        names, shape = self.axis_names, np.array(self.data.shape)
        if missing := [axis.get("name") for axis in axes if axis.get("name") not in names]:
            raise MetadataError(
                f"{missing[0]!r} is no axis of the image, which has {', '.join(map(repr, names))}; "
                "give bounds and chunk_shape",
                kind="axes",
            )
        index = [names.index(axis["name"]) for axis in axes]
        theirs = np.array([metres(self.axes[i]) for i in index])
        units = [axis.get("unit") or self.axes[i].unit for axis, i in zip(axes, index, strict=True)]
        ours = np.array([metres(Axis("x", "space", unit)) for unit in units])
        first, last = shift - scale / 2, shift + scale * (shape - 0.5)
        corners = np.sort(np.stack([first, last])[:, index] * (theirs / ours), axis=0)
        extent = corners[1] - corners[0]
        edges = np.minimum(extent, (extent * ours).max() / _CHUNKS / ours)
        return np.where(extent == 0, 1.0, edges).tolist(), corners.tolist()


def _listed(attributes: Mapping[str, Any]) -> list[str]:
    """Return the names of vector stores that a group's attributes list."""
    names = attributes.get("vectors")
    return [str(name) for name in names] if isinstance(names, list) else []
