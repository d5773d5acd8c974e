"""Images made of tiles: one array whose chunks are the tiles of a grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr._nodes import Group
from anyzarr.abc import Store
from anyzarr.errors import MetadataError, SelectionError
from anyzarr.metadata import ArrayMetadata
from anyzarr.ome._array import ImageArray
from anyzarr.ome._axes import Axis
from anyzarr.ome._position import Position

__all__ = ["TiledImageArray", "TiledPosition"]


class TiledImageArray(ImageArray):
    """An array read and written by tiles, which are its chunks along the last two axes.

    Given by :class:`TiledPosition`.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        _, arguments = super().__reduce__()
        return _rebuild, arguments

    @property
    def rows(self) -> int:
        """Number of rows of tiles."""
        return -(-self.shape[-2] // self.tile_shape[-2])

    @property
    def columns(self) -> int:
        """Number of columns of tiles."""
        return -(-self.shape[-1] // self.tile_shape[-1])

    @property
    def tiles(self) -> tuple[int, int]:
        """Rows and columns of the grid of tiles."""
        return self.rows, self.columns

    @property
    def tile_shape(self) -> tuple[int, ...]:
        """The shape of a tile: that of a chunk.

        Raises
        ------
        MetadataError
            The array has chunks of unequal lengths.
        """
        sharding = self.metadata.sharding
        chunks = self.metadata.grid.chunk_shape if sharding is None else sharding.subchunk_shape
        if chunks is None or self.ndim < 2:
            raise MetadataError(f"{self.url} has no chunks of one shape to be taken for tiles")
        return chunks

    def get_tile_slice(
        self, row: int, column: int, pre_dims: Sequence[int | slice | None] | None = None
    ) -> tuple[slice, ...]:
        """Return the selection of a tile.

        Parameters
        ----------
        row, column
            Of the grid, from 0; negative ones count from the end.
        pre_dims
            What to take along the axes before the last two, one entry each: a number, a slice,
            or None for all. By default all of all.

        Raises
        ------
        SelectionError
            There is no such tile.
        """
        places = [_place(row, self.rows, "row"), _place(column, self.columns, "column")]
        before = [slice(None)] * (self.ndim - 2) if pre_dims is None else list(pre_dims)
        if len(before) != self.ndim - 2:
            raise SelectionError(
                f"pre_dims has {len(before)} entries, and there are {self.ndim - 2} axes before "
                "the last two; give one for each"
            )
        lengths = self.tile_shape[-2:]
        tile = [slice(p * n, (p + 1) * n) for p, n in zip(places, lengths, strict=True)]
        return (*(_as_slice(entry) for entry in before), *tile)

    def get_tile(
        self, row: int, column: int, pre_dims: Sequence[int | slice | None] | None = None
    ) -> npt.NDArray[Any]:
        """Return a tile, of as many dimensions as the array; see :meth:`get_tile_slice`."""
        return self.read(self.get_tile_slice(row, column, pre_dims))

    def write_tile(
        self,
        data: npt.ArrayLike,
        row: int,
        column: int,
        pre_dims: Sequence[int | slice | None] | None = None,
    ) -> None:
        """Write a tile; ``data`` is broadcast. See :meth:`get_tile_slice`."""
        self[self.get_tile_slice(row, column, pre_dims)] = data


def _rebuild(
    metadata: ArrayMetadata,
    store: Store,
    path: str,
    engine: str | None,
    axes: tuple[Axis, ...],
    group: Group | None,
) -> TiledImageArray:
    return TiledImageArray(metadata, store, path, engine, axes=axes, group=group)


def _place(index: int, n: int, what: str) -> int:
    if isinstance(index, bool) or not isinstance(index, int | np.integer):
        raise TypeError(f"the {what} of a tile is a whole number, not {index!r}")
    if not -n <= index < n:
        raise SelectionError(f"there is no {what} {index} of tiles: there are {n}")
    return int(index) % n


def _as_slice(entry: int | slice | None) -> slice:
    if entry is None:
        return slice(None)
    if isinstance(entry, slice):
        return entry
    return slice(entry, entry + 1 if entry != -1 else None)


class TiledPosition(Position):
    """A field of view of one image whose chunks are tiles.

    Made by ``open_ome_zarr(..., layout="tiled")``. The layout is no part of the specification:
    other readers see an image.

    Examples
    --------
    >>> import anyzarr, numpy as np
    >>> with anyzarr.open_ome_zarr({}, layout="tiled", mode="w", axes="cyx") as position:
    ...     tiles = position.make_tiles("0", (2, 3), (1, 32, 32), "uint8")
    ...     tiles.write_tile(np.full((1, 32, 32), 7, "uint8"), row=1, column=2)
    >>> tiles.tiles, tiles.shape, int(tiles.get_tile(1, 2).min())
    ((2, 3), (1, 64, 96), 7)
    """

    def make_tiles(
        self,
        name: str,
        grid_shape: tuple[int, int],
        tile_shape: Sequence[int],
        dtype: npt.DTypeLike,
        *,
        chunk_dims: int = 2,
        scale: Sequence[float] | None = None,
        translation: Sequence[float] | None = None,
        compressor: Any = None,
        fill_value: Any = 0,
    ) -> TiledImageArray:
        """Create an image of tiles, without data. Each tile is one object, and writes are whole.

        Parameters
        ----------
        name
            Path of its array below the group.
        grid_shape
            Rows and columns of tiles.
        tile_shape
            Elements of a tile, along all axes.
        dtype
            Of the array.
        chunk_dims
            Along how many of the last axes a chunk is as long as a tile; it is 1 along others.
        scale, translation, compressor, fill_value
            As for :meth:`Image.create_image <anyzarr.ome.Image.create_image>`.
        """
        rows, columns = grid_shape
        *before, height, width = (int(n) for n in tile_shape)
        shape = (*before, int(rows) * height, int(columns) * width)
        n_ones = max(0, len(shape) - chunk_dims)
        chunks = (1,) * n_ones + tuple(int(n) for n in tile_shape[n_ones:])
        self.create_image(
            name,
            shape=shape,
            dtype=dtype,
            chunks=chunks,
            shards=False,
            scale=scale,
            translation=translation,
            compressor=compressor,
            fill_value=fill_value,
        )
        return self.data

    @property
    def data(self) -> TiledImageArray:
        """The array of level 0, by tiles."""
        array = super().data
        assert isinstance(array, TiledImageArray)  # they are made below
        return array

    def _bound(
        self, document: Mapping[str, Any], path: str, axes: Sequence[Axis]
    ) -> TiledImageArray:
        array = super()._bound(document, path, axes)
        return TiledImageArray(
            array.metadata, array.store, path, self._engine, axes=axes, group=self._group
        )
