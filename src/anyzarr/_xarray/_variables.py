"""Arrays of a hierarchy as xarray's lazily indexed variables, by the conventions of xarray."""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from xarray.backends.common import AbstractDataStore, BackendArray
from xarray.core import indexing

from anyzarr._nodes import Array, Group
from xarray import Variable

__all__ = ["DIMENSIONS", "GroupStore", "variable_of"]

DIMENSIONS: Final = "_ARRAY_DIMENSIONS"
_FILL: Final = "_FillValue"


class _Lazy(BackendArray):
    """An array that xarray reads from when it needs values."""

    def __init__(self, array: Array) -> None:
        self._array = array
        self.shape = array.shape
        self.dtype = array.dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> npt.NDArray[Any]:
        method = self._array.__getitem__
        if isinstance(key, indexing.OuterIndexer):
            method = self._array.oindex.__getitem__
        elif isinstance(key, indexing.VectorizedIndexer):
            method = self._array.vindex.__getitem__
        result: npt.NDArray[Any] = indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.VECTORIZED, method
        )
        return result


def variable_of(name: str, array: Array, *, use_fill: bool | None = None) -> Variable:
    """Return an array as a variable.

    Parameters
    ----------
    name
        Of the array, for the names of dimensions that have none.
    array
        The array.
    use_fill
        Whether the fill value marks missing values; None: in Zarr v2 only, as xarray has it.
    """
    attributes = dict(array.metadata.attributes)
    named = attributes.pop(DIMENSIONS, None) or array.metadata.dimension_names or ()
    dims = [
        n if isinstance(n, str) and n else f"{name}_dim_{i}"
        for i, n in enumerate([*named, *[None] * (len(array.shape) - len(named))])
    ]
    units = array.metadata.subchunk_grid.chunk_shape
    encoding: dict[str, Any] = {}
    if units is not None:
        stored = array.metadata.grid.chunk_shape or units
        encoding = {"chunks": units, "preferred_chunks": dict(zip(dims, stored, strict=True))}
    is_v2 = array.metadata.zarr_format == 2
    if (is_v2 if use_fill is None else use_fill) and array.metadata.fill_value is not None:
        attributes[_FILL] = array.metadata.fill_value
    elif _FILL in attributes:
        attributes[_FILL] = _fill_of(attributes[_FILL], array.dtype)
    lazy = indexing.LazilyIndexedArray(_Lazy(array))
    return Variable(dims, lazy, attributes, encoding)


def _fill_of(value: Any, dtype: np.dtype[Any]) -> Any:
    """Return a fill value that xarray wrote as an attribute: floats are bytes in base 64."""
    if dtype.kind == "f" and isinstance(value, str):
        return struct.unpack("<d", base64.standard_b64decode(value))[0]
    if dtype.kind == "c" and isinstance(value, list):
        real, imaginary = (struct.unpack("<d", base64.standard_b64decode(v))[0] for v in value)
        return complex(real, imaginary)
    return value


class GroupStore(AbstractDataStore):
    """A group, its arrays as variables.

    Parameters
    ----------
    group
        The group; or an array, which is then the only variable.
    use_fill
        See :func:`variable_of`.
    """

    def __init__(self, group: Group | Array, use_fill: bool | None) -> None:
        self._group = group
        self._use_fill = use_fill

    def get_variables(self) -> Mapping[str, Variable]:
        """Return the arrays directly in the group, by name."""
        if isinstance(self._group, Array):
            arrays = [(self._group.name or "data", self._group)]
        else:
            arrays = list(self._group.arrays())
        return {name: variable_of(name, a, use_fill=self._use_fill) for name, a in arrays}

    def get_attrs(self) -> Mapping[str, Any]:
        """Return the user attributes of the group."""
        if isinstance(self._group, Array):
            return {}
        return dict(self._group.attrs)

    def get_dimensions(self) -> Mapping[str, int]:
        """Return the sizes of all dimensions."""
        return {
            str(dim): n
            for variable in self.get_variables().values()
            for dim, n in variable.sizes.items()
        }
