"""What the I/O of engines that reach a store by themselves has in common."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy.typing as npt

from anyzarr.abc import Box, Engine, Store
from anyzarr.engines._byte_layer import ByteLayerIO
from anyzarr.engines._chunk_access import is_remote
from anyzarr.engines._diagnose import diagnose
from anyzarr.errors import AnyzarrError, UnsupportedError
from anyzarr.metadata import ArrayMetadata

__all__ = ["OwnIO"]


class OwnIO:
    """The array an engine reads by itself, and the byte layer for the rest.

    Parameters
    ----------
    engine
        For errors, and for its codec where the byte layer steps in.
    metadata, store, path
        The array.
    by_bytes
        Does what the engine is not asked to do.
    """

    def __init__(
        self,
        engine: Engine,
        metadata: ArrayMetadata,
        store: Store,
        path: str,
        by_bytes: ByteLayerIO,
    ) -> None:
        self._engine = engine
        self._metadata = metadata
        self._store = store
        self._path = path
        self._by_bytes = by_bytes

    @contextmanager
    def _reading(self, box: Box, out: npt.NDArray[Any]) -> Iterator[None]:
        """Read again through the byte layer what an engine's own client could not read.

        Such clients give up where asking again would help, and seldom say what they were reading.
        What the byte layer raises does.
        """
        with self._explaining(box, "read"):
            try:
                yield
            except (MemoryError, AnyzarrError):
                raise
            except Exception:
                if not is_remote(self._store):
                    raise
                self._by_bytes.read(box, out)

    @contextmanager
    def _explaining(self, box: Box, action: str) -> Iterator[None]:
        """Turn whatever the engine's library raises into our errors, with key and chunk."""
        try:
            yield
        except (MemoryError, UnsupportedError):
            raise
        except Exception as error:
            raise diagnose(
                error,
                engine=self._engine,
                metadata=self._metadata,
                store=self._store,
                path=self._path,
                box=box,
                action=action,
            ) from error
