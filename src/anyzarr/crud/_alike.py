"""Many new arrays that differ in where they are and in their attributes, and in nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from anyzarr._parallel import for_each
from anyzarr.abc import AlikeArrayIO, Engine, Ragged, Store
from anyzarr.crud._nodes import put_encoded
from anyzarr.crud._ragged import check_distinct, checked_coords, write_ragged
from anyzarr.crud._regions import require_writable
from anyzarr.engines import open_array_io
from anyzarr.errors import MetadataError
from anyzarr.metadata import ArrayMetadata, encode_alike

__all__ = ["put_alike", "write_ragged_alike"]

Elements: TypeAlias = tuple[str, npt.NDArray[np.int64], Ragged]
"""Path of an array, coordinates of shape ``(n, ndim)``, elements."""


def write_ragged_alike(
    metadata: ArrayMetadata,
    store: Store,
    arrays: Sequence[Elements],
    *,
    engine: str | Engine | None = None,
    limit: int | None = None,
) -> None:
    """Write elements of variable length to arrays that nobody else knows of yet.

    So they need no locks. Elements are bytes.

    Parameters
    ----------
    metadata
        The document of all arrays; attributes do not matter.
    store
        Where they are.
    arrays
        What goes to each; paths are distinct.
    engine
        As for :func:`anyzarr.crud.write_ragged`.
    limit
        Most arrays at once, where they are not written by one call.

    Raises
    ------
    SelectionError, MetadataError, ReadOnlyError
        As for :func:`anyzarr.crud.write_ragged`; nothing was written if coordinates do not fit.
    """
    arrays = [array for array in arrays if len(array[1])]
    if not arrays:
        return
    _, io = open_array_io(metadata, store, arrays[0][0], engine)
    if not io.capabilities.alike:

        def one(array: Elements) -> None:
            path, coords, ragged = array
            write_ragged(metadata, store, path, coords, ragged, engine=engine, is_new=True)

        for_each(one, arrays, limit=limit)
        return
    require_writable(store, arrays[0][0])
    counts = [len(coords) for _, coords, _ in arrays]
    coords = checked_coords(np.concatenate([coords for _, coords, _ in arrays]), metadata)
    number = np.repeat(np.arange(len(arrays)), counts)
    check_distinct(np.column_stack([number, coords]), (len(arrays), *metadata.shape))
    ragged = Ragged.concatenate([ragged for _, _, ragged in arrays])
    if len(ragged) != len(coords):
        raise MetadataError(
            f"{len(ragged)} elements cannot be written to {len(coords)} coordinates; "
            "give one element for each"
        )
    bounds = np.cumsum([0, *counts]).tolist()
    cast(AlikeArrayIO, io).write_alike([path for path, _, _ in arrays], bounds, coords, ragged)


def put_alike(
    metadata: ArrayMetadata,
    store: Store,
    attributes: Mapping[str, Mapping[str, Any]],
    *,
    limit: int | None = None,
) -> None:
    """Store documents of new arrays, by path their attributes; nothing above is looked at.

    Parameters
    ----------
    metadata
        What the documents have in common, of v3.
    store
        Where to.
    attributes
        Of each array.
    limit
        Most documents at once.
    """
    encoded = encode_alike(metadata.document, attributes.values())
    put_encoded(store, metadata.document, dict(zip(attributes, encoded, strict=True)), limit=limit)
