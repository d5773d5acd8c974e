"""Creating nodes: documents, the groups on the way, and the first data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from anyzarr import crud
from anyzarr.abc import Store
from anyzarr.crud._nodes import normalize_path
from anyzarr.crud._regions import require_writable
from anyzarr.errors import MetadataError, NodeExistsError, NodeNotFoundError
from anyzarr.metadata import (
    ArrayMetadata,
    array_document,
    group_document,
    is_array_document,
    parse_array,
)

__all__ = ["create_array_at", "create_group_at"]


def _ensure_groups(store: Store, path: str, zarr_format: Literal[2, 3], base: str) -> None:
    """Create the groups between ``base`` (which is there) and the parent of ``path``."""
    start = len(base.split("/")) if base else 0
    parts = path.split("/")[:-1]
    # Nearest first: as a rule the parent is there and nothing else needs looking at.
    missing: list[str] = []
    for depth in range(len(parts), start, -1):
        parent = "/".join(parts[:depth])
        try:
            document = crud.read_metadata(store, parent)
        except NodeNotFoundError:
            missing.append(parent)
            continue
        if is_array_document(document):
            raise NodeExistsError(
                f"{path!r} cannot be created: {parent!r} in {store.spec} is an array, and arrays "
                "hold no nodes; choose another path",
                store=str(store.spec),
                path=parent,
            )
        break
    for parent in reversed(missing):
        crud.create_new_group(group_document(zarr_format=zarr_format), store, parent)


def create_group_at(
    store: Store,
    path: str,
    *,
    zarr_format: Literal[2, 3],
    attributes: Mapping[str, Any] | None,
    overwrite: bool,
    base: str = "",
) -> dict[str, Any]:
    """Create a group with the groups above it; return its document."""
    require_writable(store, path)
    path = normalize_path(path)
    document = group_document(zarr_format=zarr_format, attributes=attributes)
    _ensure_groups(store, path, zarr_format, base)
    create = crud.create_overwrite_group if overwrite else crud.create_new_group
    create(document, store, path)
    return document


def create_array_at(
    store: Store,
    path: str,
    *,
    data: npt.ArrayLike | None = None,
    shape: int | tuple[int, ...] | None = None,
    dtype: Any = None,
    overwrite: bool = False,
    engine: str | None = None,
    base: str = "",
    **options: Any,
) -> ArrayMetadata:
    """Create an array with the groups above it, and write its data; return its metadata."""
    require_writable(store, path)
    path = normalize_path(path)
    values = None if data is None else np.asarray(data)
    shape, dtype = _shape_and_dtype(values, shape, dtype)
    meta = parse_array(array_document(shape=shape, dtype=dtype, **options))
    _ensure_groups(store, path, meta.zarr_format, base)
    create = crud.create_overwrite_array if overwrite else crud.create_new_array
    create(meta, store, path)
    if values is not None and values.size:
        crud.write_region(meta, store, path, ..., values, engine=engine)
    return meta


def _shape_and_dtype(
    values: npt.NDArray[Any] | None, shape: int | tuple[int, ...] | None, dtype: Any
) -> tuple[tuple[int, ...], Any]:
    if values is None:
        if shape is None or dtype is None:
            raise MetadataError(
                "an array needs shape and dtype, or data to take them from", kind="shape"
            )
        return (shape,) if isinstance(shape, int) else tuple(shape), dtype
    if shape is not None or dtype is not None:
        raise MetadataError(
            "give either data or shape and dtype, not both; use data.astype(...) or reshape first",
            kind="shape",
        )
    return values.shape, values.dtype
