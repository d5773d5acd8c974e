"""One sharded image read and written through each engine, beside its own library alone.

2048×2048 uint16, 64×64 subchunks in 512×512 shards, zstd 3: noisy (about 1.5 to 1) and
compressible data.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tensorstore as ts
import zarr
import zarrista
from _measure import Row, compare, save

import anyzarr

SHAPE, CHUNKS, SHARDS = (2048, 2048), (64, 64), (512, 512)
ENGINES = [name for name in ("native", "zarrs", "tensorstore", "zarr", "zarrs-python")
           if name in anyzarr.list_engines()]  # fmt: skip


def images() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    smooth = np.arange(SHAPE[0] * SHAPE[1], dtype="uint32").reshape(SHAPE)
    noisy = 1000 + 100 * np.sin(smooth / 4096) + rng.normal(0, 60, SHAPE)
    return {"noisy": noisy.astype("uint16"), "compressible": (smooth % 65536).astype("uint16")}


def create(location: Path, data: np.ndarray) -> anyzarr.Array:
    return anyzarr.create_array(
        location, data=data, chunks=CHUNKS, shards=SHARDS, compressors="zstd:3", overwrite=True
    )


def readers(location: Path) -> dict[str, Callable[[Any], Any]]:
    tensor = ts.open(
        {"driver": "zarr3", "kvstore": {"driver": "file", "path": f"{location}/"}}, open=True
    ).result()
    plain = zarr.open_array(str(location), mode="r")
    rust = zarrista.Array.open(zarrista.store.FilesystemStore(location), "/")
    found: dict[str, Callable[[Any], Any]] = {}
    for name in ENGINES:
        found[f"anyzarr {name}"] = anyzarr.open(location, engine=name).__getitem__
    found["zarr-python"] = plain.__getitem__
    found["zarrista"] = lambda s: np.asarray(rust.retrieve_array_subset(s))
    found["tensorstore"] = lambda s: tensor[s].read().result()
    return found


def rows_for(kind: str, data: np.ndarray, folder: Path) -> list[Row]:
    location = folder / f"{kind}.zarr"
    create(location, data)
    ours = f"anyzarr {anyzarr.open(location).engine}"
    rows = []
    for job, selection in {
        "full read": np.s_[:, :],
        "one 64×64 subchunk": np.s_[64:128, 64:128],
        "one row": np.s_[1000:1001, :],
    }.items():
        calls = readers(location)
        expected = data[selection]
        for name, read in calls.items():
            assert np.array_equal(read(selection), expected), name
        rows.append(
            compare(
                f"{kind}: {job}",
                {name: partial(read, selection) for name, read in calls.items()},
                ours=ours,
            )
        )
    rows.append(compare(f"{kind}: full write", writers(location, data), ours=ours))
    return rows


def writers(location: Path, data: np.ndarray) -> dict[str, Callable[[], Any]]:
    found: dict[str, Callable[[], Any]] = {}
    for name in ENGINES:
        array = anyzarr.open(location, engine=name)
        found[f"anyzarr {name}"] = lambda a=array: a.__setitem__(..., data)
    plain = zarr.open_array(str(location), mode="r+")
    tensor = ts.open(
        {"driver": "zarr3", "kvstore": {"driver": "file", "path": f"{location}/"}}, open=True
    ).result()
    rust = zarrista.Array.open(zarrista.store.FilesystemStore(location), "/")
    found["zarr-python"] = lambda: plain.__setitem__(..., data)
    found["zarrista"] = lambda: rust.store_array_subset(..., data)
    found["tensorstore"] = lambda: tensor.write(data).result()
    return found


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        rows = [r for kind, data in images().items() for r in rows_for(kind, data, Path(folder))]
    save("read_write", "A 2048×2048 sharded image, milliseconds", rows)


if __name__ == "__main__":
    main()
