"""Writing a lazy dask array of 67 MB, in the planes a microscope gives, to sharded Zarr.

The shards are of a whole channel, so that whoever writes blocks as they come reads and writes each
shard again and again.
"""

from __future__ import annotations

import shutil
import tempfile
import warnings
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import zarr
from _processes import head, save
from table3 import image

import anyzarr
import xarray

SHAPE, CHUNKS, SHARDS = (1, 2, 64, 512, 512), (1, 1, 16, 256, 256), (1, 1, 64, 512, 512)
BLOCKS = (1, 1, 4, 512, 512)
ROUNDS = 5
TITLE = "Writing a lazy array to shards"
# What iohub and our images have by default.
CODEC: dict[str, Any] = {
    "name": "blosc",
    "configuration": {
        "cname": "zstd", "clevel": 1, "shuffle": "bitshuffle", "typesize": 2, "blocksize": 0
    },
}  # fmt: skip
CHANNELS = ["DAPI", "GFP"]


def labelled(lazy: Any) -> Any:
    """Return it with the coordinates that iohub wants."""
    coords = {name: np.arange(float(n)) for name, n in zip("tzyx", (1, *SHAPE[2:]), strict=True)}
    return xarray.DataArray(lazy, dims=list("tczyx"), coords={**coords, "c": CHANNELS})


def ours_from_dask(lazy: Any, target: str) -> None:
    anyzarr.from_dask(lazy, target, chunks=CHUNKS, shards=SHARDS, compressors=[CODEC])


def ours_from_xarray(lazy: Any, target: str) -> None:
    anyzarr.from_xarray(labelled(lazy), target, levels=1, chunks=CHUNKS, shards=SHARDS)


def _zarr_array(target: str) -> Any:
    codec = zarr.codecs.BloscCodec(**CODEC["configuration"])
    return zarr.create_array(
        target, shape=SHAPE, chunks=CHUNKS, shards=SHARDS, dtype="u2", compressors=codec
    )


def dask_to_zarr(lazy: Any, target: str) -> None:
    lazy.rechunk(SHARDS).to_zarr(_zarr_array(target))


def zarr_by_blocks(lazy: Any, target: str) -> None:
    _by_blocks(lazy, _zarr_array(target))


def _by_blocks(lazy: Any, array: Any) -> None:
    for channel in range(SHAPE[1]):
        for z in range(0, SHAPE[2], BLOCKS[2]):
            part = (slice(0, 1), slice(channel, channel + 1), slice(z, z + BLOCKS[2]))
            array[part] = lazy[part].compute()


def _iohub(target: str) -> Any:
    from iohub import open_ome_zarr

    position = open_ome_zarr(target, layout="fov", mode="w", channel_names=CHANNELS, version="0.5")
    ratio = tuple(s // c for s, c in zip(SHARDS, CHUNKS, strict=True))
    return position, position.create_zeros("0", SHAPE, "u2", chunks=CHUNKS, shards_ratio=ratio)


def iohub_write_xarray(lazy: Any, target: str) -> None:
    position, _ = _iohub(target)
    position.write_xarray(labelled(lazy))
    position.close()


def iohub_by_blocks(lazy: Any, target: str) -> None:
    position, array = _iohub(target)
    _by_blocks(lazy, array)
    position.close()


CANDIDATES = {
    "anyzarr from_dask": (ours_from_dask, ""),
    "anyzarr from_xarray": (ours_from_xarray, "0"),
    "dask to_zarr, rechunked to shards by hand": (dask_to_zarr, ""),
    "zarr-python, block by block": (zarr_by_blocks, ""),
    "iohub write_xarray (all in memory)": (iohub_write_xarray, "0"),
    "iohub, block by block": (iohub_by_blocks, "0"),
}


def main() -> None:
    """Measure in turns, print, and save."""
    import time

    volume = image(SHAPE[2:])
    values = np.stack([volume, volume[::-1]])[None]
    lazy = da.from_array(values, chunks=BLOCKS)
    times: dict[str, list[float]] = {name: [] for name in CANDIDATES}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number in range(ROUNDS + 1):
            for name, (write, path) in CANDIDATES.items():
                target = Path(folder, "out.zarr")
                before = time.perf_counter()
                write(lazy, str(target))
                seconds = time.perf_counter() - before
                found = anyzarr.open_array(target / path if path else target)
                if not np.array_equal(found[...], values):
                    raise ValueError(f"{name} wrote other values")
                if number:  # the first is to warm up
                    times[name].append(seconds)
                shutil.rmtree(target)
    medians = {name: float(np.median(found)) for name, found in times.items()}
    ours = medians["anyzarr from_dask"]
    note = (
        f"{SHAPE} uint16, 67 MB, in blocks of {BLOCKS}, to chunks of {CHUNKS} in shards of "
        f"{SHARDS}, all with blosc, zstd at level 1 and bitshuffle."
    )
    lines = [*head(TITLE, note), "| | seconds, median | of from_dask |", "|---|---|---|"]
    lines += [f"| {name} | {s:.2f} | {s / ours:.1f} |" for name, s in medians.items()]
    rows = [{"name": name, "rounds": ROUNDS, "seconds": s} for name, s in medians.items()]
    save("streams", TITLE, lines, {"rows": rows})


if __name__ == "__main__":
    main()
