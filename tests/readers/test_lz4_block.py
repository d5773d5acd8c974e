"""LZ4 streams of Java: N5 as lz4-java wrote it (data/README.md), hashes as those of LZ4 frames."""

from __future__ import annotations

import json
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import anyzarr
from anyzarr.errors import CorruptDataError
from anyzarr.ome import open_ome_zarr
from anyzarr.readers._lz4_block import decode_lz4_blocks, xxh32

imagecodecs = pytest.importorskip("imagecodecs")
DATA = Path(__file__).parents[1] / "data"
SEED = 0x9747B28C


def stored(folder: Path) -> tuple[Path, np.ndarray[Any, Any]]:
    with zipfile.ZipFile(DATA / "n5-lz4.zip") as archive:
        archive.extractall(folder)
    values = (np.arange(11 * 20 * 30).reshape(11, 20, 30) * 7919 % 60000).astype("u2")
    z, _, x = np.indices(values.shape)
    values[:6] = (x + z)[:6]  # which compresses
    return folder, values


def block(data: bytes, *, raw: bool = False, **changes: int) -> bytes:
    packed = data if raw else imagecodecs.lz4_encode(data)
    known = {"token": 0x10 if raw else 0x20, "n": len(packed), "size": len(data), **changes}
    checksum = changes.get("checksum", xxh32([data], SEED)[0] & 0xFFFFFFF)
    head = struct.pack("<8sB3I", b"LZ4Block", known["token"], known["n"], known["size"], checksum)
    return head + bytes(packed)


def decoded(data: bytes, size: int) -> bytes:
    return decode_lz4_blocks(data, size, lambda part, n: imagecodecs.lz4_decode(part, out=n))


def test_n5_of_java(tmp_path: Path) -> None:
    source, values = stored(tmp_path / "a.n5")
    anyzarr.convert(source, tmp_path / "b.zarr", axes="zyx", levels=1, verify=True)
    with open_ome_zarr(tmp_path / "b.zarr") as image:
        np.testing.assert_array_equal(image.data[...], values)


@pytest.mark.parametrize("name", ["0/0/0", "0/0/1"])  # compressed, and as they are
def test_a_flipped_bit_or_a_lost_end_is_found(tmp_path: Path, name: str) -> None:
    source, _ = stored(tmp_path / "a.n5")
    whole = (source / name).read_bytes()
    assert json.loads((source / "attributes.json").read_text())["compression"]["type"] == "lz4"
    for at in (20, 26, 30, 34, 40, len(whole) - 40):
        broken = bytearray(whole)
        broken[at] ^= 8
        (source / name).write_bytes(broken)
        with pytest.raises(CorruptDataError, match=name):
            anyzarr.convert(source, tmp_path / "b.zarr", axes="zyx")
    for n in (17, 30, 60, len(whole) - 60):
        (source / name).write_bytes(whole[:n])
        with pytest.raises(CorruptDataError, match=name):
            anyzarr.convert(source, tmp_path / "b.zarr", axes="zyx")


@given(st.binary(max_size=70), st.integers(0, 40), st.integers(1, 3))
@settings(max_examples=25)
def test_hashes_are_those_of_lz4_frames(tail: bytes, n: int, copies: int) -> None:
    data = bytes(range(50)) * n + tail
    frame = imagecodecs.lz4f_encode(data, contentchecksum=True)
    (expected,) = struct.unpack("<I", frame[-4:])
    assert xxh32([data] * copies, 0) == [expected] * copies
    assert xxh32([b"abc", data], 0) == [0x32D153FF, expected]


def test_streams_may_lack_the_last_block_and_go_on_behind_it() -> None:
    parts = [b"ab" * 500, b"c", bytes(range(256)) * 4]
    data = b"".join(block(part, raw=i == 1) for i, part in enumerate(parts))
    assert decoded(data, 5000) == b"".join(parts)
    assert decoded(data + block(b"", raw=True) + b"others", 5000) == b"".join(parts)
    assert decoded(b"", 10) == b""


@pytest.mark.parametrize(
    "data",
    [
        block(b"ab" * 500)[:12],
        block(b"ab" * 500)[:-1],
        block(b"ab" * 500, token=0x30),
        block(b"ab" * 500, size=1 << 20),
        block(b"ab" * 500, checksum=1),
        block(b"ab" * 600),  # more than the 1024 of its token
        block(b"ab" * 500) * 2,  # more than there may be
        block(b"ab" * 500, raw=True, size=999),
        b"LZ4Clock" + block(b"ab" * 500)[8:],
    ],
)
def test_what_is_no_stream_is_an_error(data: bytes) -> None:
    with pytest.raises(ValueError, match="LZ4 block"):
        decoded(data, 1500)
