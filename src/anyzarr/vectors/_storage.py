"""How the arrays of a level are stored: codecs, and cells per shard."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from anyzarr.errors import MetadataError
from anyzarr.vectors._grid import CellGrid

__all__ = ["ShardShape", "Storage", "shard_shape_for"]

ShardShape: TypeAlias = int | tuple[int, ...] | Literal["auto"] | None

_MOST_SHARD_CELLS = 32_768
_MOST_SHARD_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Storage:
    """How the arrays of a level are stored.

    Attributes
    ----------
    compressor
        Codecs after ``vlen-bytes``, as :func:`anyzarr.create_array` takes them; None: none.
    shard_shape
        Cells per shard and dimension, one number for all of them; ``"auto"``: shards of up to
        32,768 cells and about 64 MiB; None: every cell is an object of its own.
    """

    compressor: Any = None
    shard_shape: ShardShape = "auto"

    def shards(self, grid: CellGrid, cell_bytes: float) -> tuple[int, ...] | None:
        """Return the shape of the shards of an array whose cells hold about so many bytes."""
        shape = self.shard_shape
        if shape is None:
            return None
        if shape == "auto":
            return shard_shape_for(grid.shape, cell_bytes)
        lengths = (shape,) * grid.ndim if isinstance(shape, int) else tuple(shape)
        if len(lengths) != grid.ndim or any(length < 1 for length in lengths):
            raise MetadataError(
                f"the shard shape {shape!r} is not valid: give one number of cells, at least 1, "
                f"or {grid.ndim} of them",
                kind="shard_shape",
            )
        return lengths


def shard_shape_for(shape: tuple[int, ...], cell_bytes: float) -> tuple[int, ...]:
    """Return a shard shape that makes few objects of which none is large.

    Examples
    --------
    >>> from anyzarr.vectors._storage import shard_shape_for
    >>> shard_shape_for((10, 10, 10), 12_000)
    (10, 10, 10)
    >>> shard_shape_for((100, 100, 100), 12_000)
    (13, 13, 25)
    """
    lengths = list(shape)
    most = max(1.0, min(_MOST_SHARD_CELLS, _MOST_SHARD_BYTES / max(cell_bytes, 1.0)))
    while math.prod(lengths) > most:
        axis = lengths.index(max(lengths))
        lengths[axis] = -(-lengths[axis] // 2)
    return tuple(lengths)
