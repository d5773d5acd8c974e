"""The shard index: layout, checksums, and entries that cannot be."""

from __future__ import annotations

import google_crc32c
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyzarr.abc import ByteRange
from anyzarr.engines import _crc32c
from anyzarr.engines._crc32c import crc32c, crc32c_python
from anyzarr.engines._shard_index import EMPTY, ShardIndex, ShardLayout
from anyzarr.errors import CorruptDataError
from anyzarr.metadata import CodecSpec
from anyzarr.metadata._model import ShardingSpec


@given(st.binary(max_size=200))
def test_our_checksum_is_googles(data: bytes) -> None:
    assert crc32c_python(data) == google_crc32c.value(data) == crc32c(data)


def test_checksums_work_without_a_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "google_crc32c", None)
    _crc32c._implementation.cache_clear()
    try:
        assert crc32c(b"123456789") == 0xE3069283
        assert _crc32c._implementation() is crc32c_python
    finally:
        _crc32c._implementation.cache_clear()


def layout(location: str = "end", endian: str = "little", n: int = 1) -> ShardLayout:
    return ShardLayout((2, 3), location, endian, n)


@pytest.mark.parametrize("location", ["start", "end"])
@pytest.mark.parametrize("endian", ["little", "big"])
@pytest.mark.parametrize("n_checksums", [0, 1, 2])
def test_assembled_shards_are_found_again(location: str, endian: str, n_checksums: int) -> None:
    shards = layout(location, endian, n_checksums)
    stored = {(1, 2): b"last", (0, 0): b"first", (0, 2): b""}
    shard = shards.assemble(stored)
    index = shards.decode(shards.find(shard))
    for coords in np.ndindex(2, 3):
        span = index.range_of(coords)
        found = None if span is None else shard[slice(*span)]
        assert found == stored.get(coords)
    assert shards.assemble(dict(reversed(stored.items()))) == shard
    start, stop = shards.byte_range.resolve(len(shard))
    assert stop - start == shards.size_bytes


def test_where_the_index_is_without_knowing_the_size() -> None:
    assert layout("start").byte_range == ByteRange(0, 100)
    assert layout("end").byte_range == ByteRange(-100)


@pytest.mark.parametrize("cut", [0, 1, 50, 99])
def test_a_short_index_is_corrupt(cut: int) -> None:
    data = layout().encode(np.zeros((2, 3, 2), np.uint64))
    with pytest.raises(CorruptDataError) as raised:
        layout().decode(data[:cut])
    assert raised.value.kind == "corrupt_data"


def test_a_wrong_checksum_is_corrupt() -> None:
    data = bytearray(layout().encode(np.zeros((2, 3, 2), np.uint64)))
    data[5] ^= 1
    with pytest.raises(CorruptDataError):
        layout().decode(bytes(data))


@pytest.mark.parametrize("entry", [(EMPTY, 0), (0, EMPTY), (2**63, 1), (EMPTY - 1, 8)])
def test_entries_no_object_can_have_are_corrupt(entry: tuple[int, int]) -> None:
    entries = np.full((1, 2), EMPTY, np.uint64)
    entries[0] = entry
    with pytest.raises(CorruptDataError):
        ShardIndex(entries).range_of((0,))


def test_an_index_with_other_codecs_is_left_to_the_engine() -> None:
    spec = ShardingSpec((1,), (), (CodecSpec("transpose", {"order": [1, 0]}), CodecSpec("bytes")))
    assert ShardLayout.of((2,), spec) is None
    assert ShardLayout.of((2,), ShardingSpec((1,), (), (CodecSpec("bytes"),))) is not None
