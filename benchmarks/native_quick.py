"""The native engine beside zarrista and tensorstore on one workload, in one process, in turns.

    python benchmarks/native_quick.py [--repeat N]

2048 x 2048 uint16, subchunks of 64 x 64 in shards of 512 x 512, zstd 3. Times are medians in
milliseconds; the last column is the best peer's time divided by ours.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorstore as ts
import zarrista
from zarrista.store import FilesystemStore

from anyzarr.abc import Box
from anyzarr.engines._native import NativeEngine
from anyzarr.metadata import array_document, encode_documents, parse_array
from anyzarr.stores import LocalStore

SIDE, SHARD, CHUNK = 2048, 512, 64


def noisy() -> np.ndarray:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:SIDE, :SIDE] / 300
    image = 2000 + 800 * np.sin(y) * np.cos(x) + rng.normal(0, 40, (SIDE, SIDE))
    return image.astype("uint16")


def compressible() -> np.ndarray:
    return np.arange(SIDE * SIDE, dtype="uint32").reshape(SIDE, SIDE).astype("uint16")


class Peers:
    def __init__(self, folder: Path, values: np.ndarray) -> None:
        document = array_document(
            shape=values.shape,
            dtype="uint16",
            chunks=(CHUNK, CHUNK),
            shards=(SHARD, SHARD),
            compressors=[{"name": "zstd", "configuration": {"level": 3, "checksum": False}}],
        )
        self.metadata = parse_array(document)
        self.values = values
        self.folders = {}
        for name in ("native", "zarrista", "tensorstore"):
            target = folder / name
            target.mkdir()
            for key, data in encode_documents(document, "").items():
                (target / key).write_bytes(data)
            self.folders[name] = target
        self.native = NativeEngine().open(self.metadata, LocalStore(self.folders["native"]), "")
        self.zarrista = zarrista.Array.open(FilesystemStore(str(self.folders["zarrista"])), "/")
        self.ts = self.open_tensorstore()

    def open_tensorstore(self) -> Any:
        path = str(self.folders["tensorstore"])
        spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": path}}
        return ts.open(
            spec, open=True, context=ts.Context({"cache_pool": {"total_bytes_limit": 0}})
        ).result()

    def read(self, slices: tuple[slice, ...]) -> dict[str, Callable[[], Any]]:
        box = Box(*(tuple(getattr(s, n) for s in slices) for n in ("start", "stop")), (1, 1))
        return {
            "native": lambda: self._native_read(box),
            "zarrista": lambda: np.asarray(self.zarrista.retrieve_array_subset(slices).to_numpy()),
            "tensorstore": lambda: self.ts[slices].read().result(),
        }

    def _native_read(self, box: Box) -> np.ndarray:
        out = np.empty(box.shape, "uint16")
        self.native.read(box, out)
        return out

    def write(self, slices: tuple[slice, ...], value: np.ndarray) -> dict[str, Callable[[], Any]]:
        box = Box(*(tuple(getattr(s, n) for s in slices) for n in ("start", "stop")), (1, 1))
        return {
            "native": lambda: self.native.write(box, value),
            "zarrista": lambda: self.zarrista.store_array_subset(slices, value),
            "tensorstore": lambda: self.ts[slices].write(value).result(),
        }


def measure(tasks: dict[str, Callable[[], Any]], repeat: int) -> dict[str, float]:
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(repeat + 2):
        for name, task in tasks.items():
            begin = time.perf_counter()
            task()
            times[name].append((time.perf_counter() - begin) * 1e3)
    return {name: statistics.median(t[2:]) for name, t in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=15)
    repeat = parser.parse_args().repeat
    folder = Path(tempfile.mkdtemp())
    try:
        for label, values in (("noisy", noisy()), ("compressible", compressible())):
            (folder / label).mkdir()
            peers = Peers(folder / label, values)
            whole = (slice(0, SIDE), slice(0, SIDE))
            part = (slice(700, 710), slice(700, 710))
            rows = {
                "full write": peers.write(whole, values),
                "full read": peers.read(whole),
                "one subchunk": peers.read((slice(640, 704), slice(640, 704))),
                "one row": peers.read((slice(777, 778), slice(0, SIDE))),
                "10 x 10 update": peers.write(part, values[part].copy() + 1),
            }
            print(f"{label:16}{'native':>12}{'zarrista':>12}{'tensorstore':>12}{'ratio':>8}")
            for row, tasks in rows.items():
                found = measure(tasks, repeat)
                best = min(found["zarrista"], found["tensorstore"])
                numbers = "".join(
                    f"{found[n]:12.3f}" for n in ("native", "zarrista", "tensorstore")
                )
                print(f"{row:16}{numbers}{best / found['native']:8.2f}")
                if "read" in row:
                    results = [task() for task in tasks.values()]
                    assert all(np.array_equal(r, values) for r in results)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
