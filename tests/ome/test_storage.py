"""Chunks, shards and compressors where the caller does not choose."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anyzarr.ome import axes_of, default_chunks, default_shards

U2 = np.dtype("u2")


@pytest.mark.parametrize(
    ("axes", "shape", "scale", "expected"),
    [
        ("yx", (2048, 2048), (1, 1), (512, 512)),
        ("yx", (300, 2048), (1, 1), (300, 512)),
        ("tcyx", (9, 3, 2048, 2048), (1, 1, 1, 1), (1, 1, 512, 512)),
        ("zyx", (500, 500, 500), (1, 1, 1), (64, 64, 64)),
        ("zyx", (500, 500, 500), (2, 1, 1), (32, 128, 128)),
        ("zyx", (500, 2048, 2048), (4, 1, 1), (16, 256, 256)),
        ("tczyx", (5, 2, 1, 2048, 2048), (1, 1, 4, 1, 1), (1, 1, 1, 512, 512)),
        ("zyx", (3, 2048, 2048), (4, 1, 1), (3, 256, 256)),
        ("zyx", (2, 2048, 2048), (1, 1, 1), (2, 512, 512)),
    ],
)
def test_default_chunks(axes, shape, scale, expected):
    assert default_chunks(shape, axes_of(axes), scale, U2) == expected


def test_units_count_for_anisotropy():
    axes = axes_of(
        [
            {"name": "z", "type": "space", "unit": "micrometer"},
            {"name": "y", "type": "space", "unit": "nanometer"},
            {"name": "x", "type": "space", "unit": "nanometer"},
        ]
    )
    assert default_chunks((99, 999, 999), axes, (1, 100, 100), U2) == (16, 256, 256)


@pytest.mark.parametrize(
    ("axes", "shape", "chunks", "expected"),
    [
        ("yx", (300, 300), (300, 300), (300, 300)),
        ("cyx", (3, 2048, 1500), (1, 512, 512), (1, 2048, 1536)),
        ("tczyx", (9, 4, 50, 2048, 2048), (1, 1, 16, 256, 256), (1, 1, 16, 2048, 2048)),
        ("tczyx", (9, 4, 15, 2048, 2048), (1, 1, 5, 256, 256), (1, 1, 15, 2048, 2048)),
    ],
)
def test_default_shards(axes, shape, chunks, expected):
    assert default_shards(shape, chunks, axes_of(axes), U2) == expected


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_defaults_hold_their_promises(data):
    text = data.draw(st.sampled_from(["yx", "zyx", "cyx", "tyx", "czyx", "tczyx"]))
    axes = axes_of(text)
    shape = tuple(data.draw(st.integers(1, 50_000)) for _ in axes)
    scale = tuple(data.draw(st.sampled_from([0.1, 0.5, 1.0, 3.0])) for _ in axes)
    dtype = np.dtype(data.draw(st.sampled_from(["u1", "u2", "f4", "c16"])))
    chunks = default_chunks(shape, axes, scale, dtype)
    shards = default_shards(shape, chunks, axes, dtype)
    assert all(1 <= c <= n for c, n in zip(chunks, shape, strict=True))
    assert math.prod(chunks) * dtype.itemsize <= 2 << 20
    assert math.prod(shards) * dtype.itemsize <= 128 << 20
    for axis, chunk, shard, n in zip(axes, chunks, shards, shape, strict=True):
        assert shard % chunk == 0
        assert shard < n + chunk
        if axis.type != "space":
            assert chunk == shard == 1
