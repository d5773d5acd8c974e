"""Large shards go to their file while they are encoded: the same bytes, all or nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anyzarr
from anyzarr import config
from anyzarr.errors import StoreError

pytest.importorskip("anyzarr_native")

SHAPE = (16, 512, 1024)  # 16 MiB, several runs of subchunks


def values() -> Any:
    found = np.random.default_rng(0).integers(0, 4000, SHAPE).astype("u2")
    found[2:9] = 0  # runs of nothing
    found[:, 64:256] = 0
    return found


def created(location: Path, index_location: str) -> anyzarr.Array:
    codec = {
        "name": "sharding_indexed",
        "configuration": {
            "chunk_shape": [1, 64, 64],
            "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}, {
                "name": "zstd", "configuration": {"level": 1, "checksum": False}}],
            "index_codecs": [{"name": "bytes", "configuration": {"endian": "little"}},
                             {"name": "crc32c"}],
            "index_location": index_location,
        },
    }  # fmt: skip
    document = {
        "zarr_format": 3, "node_type": "array", "shape": list(SHAPE), "data_type": "uint16",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(SHAPE)}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": 0, "codecs": [codec],
    }  # fmt: skip
    store = anyzarr.stores.LocalStore(location)
    anyzarr.crud.create_new_array(document, store)
    return anyzarr.open_array(location, mode="r+", engine="native")


@pytest.mark.parametrize("index_location", ["start", "end"])
def test_the_same_file_with_any_number_of_threads(tmp_path: Path, index_location: str) -> None:
    data = values()
    files = []
    for threads in (1, 2, 5):
        location = tmp_path / str(threads)
        array = created(location, index_location)
        with config.set(concurrency=threads):
            array[...] = data
        np.testing.assert_array_equal(array[...], data)
        assert [p.name for p in (location / "c/0/0").iterdir()] == ["0"]
        files.append((location / "c/0/0/0").read_bytes())
        with config.set(concurrency=threads):
            array[3:5, 100:200] = 7  # in part
            changed = data.copy()
            changed[3:5, 100:200] = 7
            np.testing.assert_array_equal(array[...], changed)
            array[...] = 0
        assert not (location / "c").exists()
    assert files[0] == files[1] == files[2]


@pytest.mark.parametrize("threads", [1, 3])
def test_what_cannot_be_completed_leaves_nothing(tmp_path: Path, threads: int) -> None:
    array = created(tmp_path / "a", "end")
    (tmp_path / "a/c/0/0/0").mkdir(parents=True)  # a directory stands where the shard is to be
    (tmp_path / "a/c/0/0/0/other").touch()
    with pytest.raises(StoreError), config.set(concurrency=threads):
        array[...] = values()
    assert [p.name for p in (tmp_path / "a/c/0/0").iterdir()] == ["0"]
