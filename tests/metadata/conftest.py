"""Documents that the tests change."""

from __future__ import annotations

import copy

import pytest

V3 = {
    "zarr_format": 3,
    "node_type": "array",
    "shape": [10, 20],
    "data_type": "uint16",
    "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [5, 10]}},
    "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
    "fill_value": 7,
    "codecs": [
        {
            "name": "sharding_indexed",
            "configuration": {
                "chunk_shape": [5, 2],
                "codecs": [
                    {"name": "bytes", "configuration": {"endian": "little"}},
                    {"name": "zstd", "configuration": {"level": 1, "checksum": False}},
                ],
                "index_codecs": [
                    {"name": "bytes", "configuration": {"endian": "little"}},
                    {"name": "crc32c"},
                ],
                "index_location": "start",
            },
        }
    ],
    "attributes": {"a": [1, {"b": None}], "ü": "µm"},
    "dimension_names": ["y", None],
}
V2 = {
    "zarr_format": 2,
    "shape": [10, 20],
    "chunks": [5, 10],
    "dtype": ">i4",
    "compressor": {"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1, "blocksize": 0},
    "fill_value": -1,
    "order": "F",
    "filters": [{"id": "delta", "dtype": ">i4", "astype": ">i4"}],
    "dimension_separator": "/",
    "attributes": {"a": 1},
}


@pytest.fixture
def v3():
    return copy.deepcopy(V3)


@pytest.fixture
def v2():
    return copy.deepcopy(V2)
