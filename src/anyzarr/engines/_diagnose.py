"""Name the corrupt chunk after an engine's own I/O has failed.

Third-party engines read many chunks in one call and seldom say which one failed. The region is
then read again chunk by chunk, each through the engine's codec, until one fails.
"""

from __future__ import annotations

import os
import re
from typing import Any

import numpy as np

from anyzarr._os_errors import error_number, remedy
from anyzarr.abc import Box, Engine, Store
from anyzarr.engines._byte_layer import ByteLayerIO
from anyzarr.engines._cells import cells_of
from anyzarr.engines._choose import cached_codec
from anyzarr.engines._codec_edge import store_name
from anyzarr.errors import AnyzarrError, StoreError
from anyzarr.metadata import ArrayMetadata

__all__ = ["diagnose"]


def diagnose(
    error: BaseException,
    *,
    engine: Engine,
    metadata: ArrayMetadata,
    store: Store,
    path: str,
    box: Box,
    action: str = "read",
) -> AnyzarrError:
    """Return the error to raise in place of what an engine's own I/O raised.

    Parameters
    ----------
    error
        What the engine raised.
    box
        The region that was read, or written with existing chunks read first.
    action
        ``read`` or ``write``, for the message.

    Returns
    -------
    AnyzarrError
        A ``CorruptDataError`` naming the first chunk that cannot be decoded; else the error the
        store raises by itself; else, if every chunk reads well, a ``StoreError`` with the
        engine's words.
    """
    if isinstance(error, AnyzarrError):
        return error
    by_bytes = ByteLayerIO(
        metadata, store, path, codec_of=lambda m: cached_codec(engine, m), engine_name=engine.name
    )
    try:
        _read_all(by_bytes, metadata, box)
    except AnyzarrError as found:
        return found
    text = " ".join(str(error).split()) or type(error).__name__
    key, number = _key_in(text, store), error_number(text)
    what = f"{os.strerror(number)}; {remedy(number)} ({text})" if number else text
    return StoreError(
        f"the engine {engine.name!r} could not {action} {key or path or 'the array'!r} in "
        f"{store_name(store)}: {what}",
        store=store_name(store),
        path=path,
        key=key,
        engine=engine.name,
    )


def _key_in(text: str, store: Store) -> str | None:
    """Return the key of the first file of a local store that is named in quotes."""
    root = store.capabilities.local_root
    found = root and re.search(f'"{re.escape(root)}/([^"]+)"', text)
    return found[1].removesuffix(".__lock") if found else None


def _read_all(io: ByteLayerIO, metadata: ArrayMetadata, box: Box) -> None:
    for cell in cells_of(box, metadata.grid):
        extent = metadata.grid.extent_of(cell.coords)
        part = Box(
            tuple(e.start + w.start for e, w in zip(extent, cell.within, strict=True)),
            tuple(e.start + w.stop for e, w in zip(extent, cell.within, strict=True)),
            box.step,
        )
        scratch: np.ndarray[Any, Any] = np.empty(part.shape, metadata.dtype)
        io.read(part, scratch)
