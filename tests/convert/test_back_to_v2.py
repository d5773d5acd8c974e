"""OME-Zarr 0.5 and 0.6 become 0.4, which is Zarr v2: for the tools that read nothing newer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr

import anyzarr
from anyzarr.errors import MetadataError, UnsupportedError

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(1, 4000, (2, 70, 300)).astype("u2")
NEWER = ["0.5", "0.6"]


@pytest.fixture
def image(tmp_path: Path) -> Path:
    metadata = {"axes": "CYX", "PhysicalSizeX": 0.5, "Channel": {"Name": ["DAPI", "GFP"]}}
    options: dict[str, Any] = {"ome": True, "photometric": "minisblack", "metadata": metadata}
    tifffile.imwrite(tmp_path / "a.ome.tif", PIXELS, **options)
    return tmp_path / "a.ome.tif"


@pytest.fixture
def two(tmp_path: Path) -> Path:
    with tifffile.TiffWriter(tmp_path / "two.ome.tif") as writer:
        writer.write(PIXELS[0], metadata={"axes": "YX", "Name": "one"})
        writer.write(PIXELS, metadata={"axes": "CYX"}, photometric="minisblack")
    return tmp_path / "two.ome.tif"


@pytest.fixture
def screen(tmp_path: Path) -> Path:
    (tmp_path / "screen").mkdir()
    for well in ("A01", "B02"):
        for c in (1, 2):
            tifffile.imwrite(tmp_path / "screen" / f"{well}_s1_w{c}.tif", PIXELS[c - 1])
    return tmp_path / "screen"


def documents(folder: Path) -> dict[str, Any]:
    """Return the documents of a folder by their paths, but attributes where there are none."""
    found = {
        path.relative_to(folder).as_posix(): json.loads(path.read_text())
        for path in folder.rglob(".z*")
    }
    return {path: document for path, document in found.items() if document}


@pytest.mark.parametrize("version", NEWER)
@pytest.mark.parametrize("kind", ["image", "two", "screen"])
def test_the_same_as_written_so_at_once(
    kind: str, version: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    source = request.getfixturevalue(kind)
    chunks = {"y": 64, "x": 128}
    anyzarr.convert(source, tmp_path / "old", version="0.4", chunks=chunks)
    anyzarr.convert(source, tmp_path / "new", version=version, chunks=chunks)
    options: dict[str, Any] = {"zarr_format": 2} if kind == "two" else {"version": "0.4"}
    report = anyzarr.convert(tmp_path / "new", tmp_path / "back", verify=True, **options)
    assert report.kind == "rewrite"
    assert documents(tmp_path / "back") == documents(tmp_path / "old")
    assert anyzarr.validate(tmp_path / "back").errors == ()
    for path, document in documents(tmp_path / "old").items():
        if "shape" in document:
            ours, theirs = (
                zarr.open_array(tmp_path / name / Path(path).parent, mode="r")[...]
                for name in ("back", "old")
            )
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("options", [{}, {"compressor": "zlib", "chunks": {"x": 50}}])
@pytest.mark.parametrize("shards", [(1, 96, 300), False])
def test_labels_and_what_else_is_there(shards: Any, options: Any, tmp_path: Path) -> None:
    labels = (PIXELS[0] > 2000).astype("u1")
    with anyzarr.open_ome_zarr(tmp_path / "a", mode="w", axes="cyx") as image:
        image.create_image("0", PIXELS, chunks=(1, 32, 100), shards=shards)
        image.create_label("spots", labels, chunks=(32, 100), shards=False)
    root = anyzarr.open_group(tmp_path / "a", mode="r+")
    root.attrs["lab"] = "ours"
    table = root.create_array(
        "table", data=np.arange(6.0).reshape(2, 3), dimension_names=["a", "b"]
    )
    table.attrs["n"] = 1
    anyzarr.convert(tmp_path / "a", tmp_path / "b", version="0.4", verify=True, **options)
    with anyzarr.open_ome_zarr(tmp_path / "b") as back:
        assert (back.version, back.data.zarr_format) == ("0.4", 2)
        np.testing.assert_array_equal(back.data[...], PIXELS)
        np.testing.assert_array_equal(back.get_label("spots").data[...], labels)
    assert anyzarr.validate(tmp_path / "b").errors == ()
    found = anyzarr.open_group(tmp_path / "b")
    assert found.attrs["lab"] == "ours"
    assert dict(found["table"].attrs) == {"n": 1, "_ARRAY_DIMENSIONS": ["a", "b"]}
    again = anyzarr.convert(tmp_path / "b", tmp_path / "c", version="0.5", verify=True)
    assert again.kind == "upgrade"
    assert anyzarr.open_ome_zarr(tmp_path / "c").channel_names == image.channel_names


def test_chunks_that_stay_are_copied(tmp_path: Path) -> None:
    with anyzarr.open_ome_zarr(tmp_path / "a", mode="w", axes="cyx") as image:
        image.create_image("0", PIXELS, chunks=(1, 32, 100), shards=False)
    anyzarr.convert(tmp_path / "a", tmp_path / "b", version="0.4")
    assert (tmp_path / "b/0/1/2/1").read_bytes() == (tmp_path / "a/0/c/1/2/1").read_bytes()


def test_what_0_4_cannot_say(image: Path, tmp_path: Path) -> None:
    anyzarr.convert(image, tmp_path / "a")
    with pytest.raises(MetadataError, match="zarr_format=2"):
        anyzarr.convert(tmp_path / "a", tmp_path / "b", zarr_format=2, version="0.5")
    with pytest.raises(UnsupportedError, match="shards"):
        anyzarr.convert(tmp_path / "a", tmp_path / "b", version="0.4", shards="auto")
    with pytest.raises(UnsupportedError, match=r"anyzarr\.convert"):
        anyzarr.ome.upgrade(tmp_path / "a", version="0.4", metadata_only=True)
    document = json.loads((tmp_path / "a/0/zarr.json").read_text())
    document["codecs"][0]["configuration"]["codecs"].append({"name": "crc32c"})
    document["codecs"][0]["configuration"]["codecs"].insert(0, {"name": "numcodecs.delta"})
    (tmp_path / "a/0/zarr.json").write_text(json.dumps(document))
    with pytest.raises(anyzarr.AnyzarrError):
        anyzarr.convert(tmp_path / "a", tmp_path / "b", version="0.4")
    assert not (tmp_path / "b").exists()
