"""A small array, its values, and how zarr writes it, for the tests of single engines."""

from __future__ import annotations

from typing import Any

import numpy as np

from anyzarr.abc import Box, Store
from anyzarr.engines import get_engine
from anyzarr.metadata import ArrayMetadata, array_document, parse_array

__all__ = ["array", "values", "write"]


def array(dtype: Any = "uint16", **options: Any) -> ArrayMetadata:
    options = {"shape": (7, 5), "chunks": (4, 4), "fill_value": 0, **options}
    return parse_array(array_document(dtype=dtype, **options))


def values(metadata: ArrayMetadata) -> np.ndarray[Any, Any]:
    count = np.arange(1, np.prod(metadata.shape, dtype=int) + 1)
    return count.reshape(metadata.shape).astype(metadata.dtype)


def write(metadata: ArrayMetadata, store: Store, path: str = "") -> np.ndarray[Any, Any]:
    written = values(metadata)
    get_engine("zarr").open(metadata, store, path).write(Box.full(metadata.shape), written)
    return written
