"""Everyone who reads and writes the same array: our engines, and other libraries alone.

Each opens a location once, with its own defaults (number of threads, no cache of chunks), except
that tensorstore is told not to wait for the disk on writes, because nobody else does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import tensorstore as ts
import zarr
import zarrista
from zarr.core.buffer import default_buffer_prototype

import anyzarr

Array = np.ndarray[Any, Any]
Slices = tuple[slice, ...]
PIPELINES = {
    "zarr-python": "zarr.core.codec_pipeline.BatchedCodecPipeline",
    "zarr-python fused": "zarr.core.codec_pipeline.FusedCodecPipeline",
    "zarrs-python": "zarrs.ZarrsCodecPipeline",
}
ENGINES = tuple(
    name
    for name in ("native", "zarrs", "tensorstore", "zarr", "zarrs-python")
    if name in anyzarr.list_engines()
)


class Peer(Protocol):
    """One opened array."""

    def read(self, where: Slices) -> Array:
        """Return a region in fresh memory."""

    def read_into(self, where: Slices, out: Array) -> None:
        """Read a region into memory that is there."""

    def write(self, where: Slices, value: Array) -> None:
        """Write a region."""


class Ours:
    def __init__(self, location: Path, engine: str) -> None:
        self.array = anyzarr.open_array(location, engine=engine)

    def read(self, where: Slices) -> Array:
        return np.asarray(self.array[where])

    def read_into(self, where: Slices, out: Array) -> None:
        self.array.read(where, out=out)

    def write(self, where: Slices, value: Array) -> None:
        self.array[where] = value


class ZarrPython:
    """zarr-python with one of its pipelines, which is looked up again during each call."""

    def __init__(self, location: Path, pipeline: str) -> None:
        self.setting = {"codec_pipeline.path": PIPELINES[pipeline]}
        with zarr.config.set(self.setting):
            self.array = zarr.open_array(str(location), mode="r+")

    def read(self, where: Slices) -> Array:
        with zarr.config.set(self.setting):
            return np.asarray(self.array[where])

    def read_into(self, where: Slices, out: Array) -> None:
        buffer = default_buffer_prototype().nd_buffer.from_ndarray_like(out)
        with zarr.config.set(self.setting):
            self.array.get_basic_selection(where, out=buffer)

    def write(self, where: Slices, value: Array) -> None:
        with zarr.config.set(self.setting):
            self.array[where] = value


class Zarrista:
    def __init__(self, location: Path) -> None:
        self.array = zarrista.Array.open(zarrista.store.FilesystemStore(str(location)), "/")

    def read(self, where: Slices) -> Array:
        return np.asarray(self.array.retrieve_array_subset(where).to_numpy())

    def read_into(self, where: Slices, out: Array) -> None:
        out[...] = self.read(where)

    def write(self, where: Slices, value: Array) -> None:
        self.array.store_array_subset(where, np.ascontiguousarray(value))


class Tensorstore:
    def __init__(self, location: Path) -> None:
        self.array = ts.open(
            {"driver": "zarr3", "kvstore": {"driver": "file", "path": f"{location}/"}},
            context=ts.Context({"file_io_sync": False}),
            open=True,
        ).result()

    def read(self, where: Slices) -> Array:
        return np.asarray(self.array[where].read().result())

    def read_into(self, where: Slices, out: Array) -> None:
        ts.array(out).write(self.array[where].translate_to[0]).result()

    def write(self, where: Slices, value: Array) -> None:
        self.array[where].write(value).result()


def openers(engines: Iterable[str] = ENGINES) -> dict[str, Callable[[Path], Peer]]:
    """Return who takes part, by name, each as a function that opens a location."""
    found: dict[str, Callable[[Path], Peer]] = {}
    for engine in engines:
        found[f"anyzarr {engine}"] = partial(Ours, engine=engine)
    for pipeline in PIPELINES:
        found[pipeline] = partial(ZarrPython, pipeline=pipeline)
    found["zarrista"] = Zarrista
    found["tensorstore"] = Tensorstore
    return found


def whole(array: Array) -> Slices:
    """Return the selection of everything."""
    return tuple(slice(0, n) for n in array.shape)
