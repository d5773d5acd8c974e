"""The selections that square brackets alone cannot say: oindex, vindex, blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy.typing as npt

from anyzarr import crud

if TYPE_CHECKING:
    from anyzarr._nodes._array import Array

__all__ = ["BlockIndex", "OrthogonalIndex", "VectorizedIndex"]


class _Index:
    mode: ClassVar[Literal["orthogonal", "vectorized", "block"]]

    __slots__ = ("_array",)

    def __init__(self, array: Array) -> None:
        self._array = array

    def read(self, selection: Any, *, out: Any = None) -> npt.NDArray[Any]:
        """Read the selection, into ``out`` if given."""
        array = self._array
        return crud.read_region(
            array.metadata,
            array.store,
            array.path,
            selection,
            mode=self.mode,
            out=out,
            engine=array._engine_name,
        )

    def __getitem__(self, selection: Any) -> npt.NDArray[Any]:
        return self.read(selection)

    def __setitem__(self, selection: Any, value: Any) -> None:
        array = self._array
        crud.write_region(
            array.metadata,
            array.store,
            array.path,
            selection,
            value,
            mode=self.mode,
            engine=array._engine_name,
        )


class OrthogonalIndex(_Index):
    """``array.oindex[[0, 2], :, mask]``: each dimension is indexed by itself."""

    mode = "orthogonal"


class VectorizedIndex(_Index):
    """``array.vindex[[0, 2], [1, 3]]``: coordinates of points, broadcast together."""

    mode = "vectorized"


class BlockIndex(_Index):
    """``array.blocks[0, 1:3]``: whole chunks (shards), by their place in the chunk grid."""

    mode = "block"
