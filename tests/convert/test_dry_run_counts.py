"""A dry run says how many objects a conversion then stores, exactly."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

import anyzarr
from anyzarr.stores import open_store

RNG = np.random.default_rng(0)


def pixels(*shape: int) -> np.ndarray:
    return RNG.integers(1, 4000, shape).astype("u2")


def a_stack(folder: Path) -> tuple[Any, dict[str, Any]]:
    np.save(folder / "a.npy", pixels(3, 40, 300))
    return folder / "a.npy", {"axes": "zyx"}


def an_ome_tiff(folder: Path) -> tuple[Any, dict[str, Any]]:
    tifffile.imwrite(
        folder / "a.ome.tif",
        pixels(2, 300, 280),
        metadata={"axes": "CYX"},
        photometric="minisblack",
    )
    return folder / "a.ome.tif", {"chunks": {"y": 64, "x": 64}}


def several_positions(folder: Path) -> tuple[Any, dict[str, Any]]:
    with tifffile.TiffWriter(folder / "two.ome.tif") as writer:
        writer.write(pixels(60, 50), metadata={"axes": "YX", "Name": "one"})
        writer.write(pixels(2, 60, 50), metadata={"axes": "CYX"}, photometric="minisblack")
    return folder / "two.ome.tif", {}


def apart(folder: Path) -> tuple[Any, dict[str, Any]]:
    source, _ = several_positions(folder)
    return source, {"split": "positions"}


def screen(folder: Path) -> tuple[Any, dict[str, Any]]:
    (folder / "screen").mkdir()
    for well in ("B03", "B04", "C11"):
        for c in (1, 2):
            tifffile.imwrite(folder / "screen" / f"{well}_s1_w{c}.tif", pixels(40, 30))
    return folder / "screen", {"plate": "{row}{column:02}_s{field}_w{c}.tif"}


def an_array(folder: Path) -> tuple[Any, dict[str, Any]]:
    anyzarr.create_array(folder / "a", data=pixels(6, 40, 30), chunks=(2, 20, 20))
    return folder / "a", {"axes": "zyx"}


def image_with_labels(folder: Path, version: str) -> Path:
    with anyzarr.open_ome_zarr(folder / "image", mode="w", axes="cyx", version=version) as image:
        image.create_image("0", pixels(2, 70, 60), chunks=(1, 32, 32))
        image.compute_pyramid(levels=2)
        image.create_label("spots", (pixels(70, 60) > 9).astype("u1"))
    return folder / "image"


def an_image(folder: Path) -> tuple[Any, dict[str, Any]]:
    return image_with_labels(folder, "0.4"), {}


def an_upgrade(folder: Path) -> tuple[Any, dict[str, Any]]:
    return image_with_labels(folder, "0.4"), {"version": "0.5"}


def an_upgrade_in_shards(folder: Path) -> tuple[Any, dict[str, Any]]:
    return image_with_labels(folder, "0.4"), {"version": "0.5", "shards": "auto"}


def another_codec(folder: Path) -> tuple[Any, dict[str, Any]]:
    return image_with_labels(folder, "0.5"), {"compressor": "gzip"}


def a_plate(folder: Path) -> tuple[Any, dict[str, Any]]:
    source, options = screen(folder)
    anyzarr.convert(source, folder / "plate.zarr", **options)
    return folder / "plate.zarr", {"chunks": {"y": 16, "x": 16}, "shards": False}


def other_levels(folder: Path) -> tuple[Any, dict[str, Any]]:
    source, _ = a_plate(folder)
    return source, {"levels": 2}


def a_hierarchy(folder: Path, zarr_format: Any) -> Path:
    group = anyzarr.create_group(folder / "plain", zarr_format=zarr_format, attributes={"by": "us"})
    inner = group.create_group("inner", attributes={"n": 1} if zarr_format == 2 else {})
    inner.create_array("a", data=pixels(40, 30), chunks=(10, 10), attributes={"m": 2})
    group.create_array("b", data=pixels(7), chunks=(3,))
    anyzarr.consolidate_metadata(folder / "plain")
    (folder / "plain" / "inner" / "notes.txt").write_text("beside the arrays")
    return folder / "plain"


def to_v3(folder: Path) -> tuple[Any, dict[str, Any]]:
    return a_hierarchy(folder, 2), {"zarr_format": 3}


def to_v2(folder: Path) -> tuple[Any, dict[str, Any]]:
    return a_hierarchy(folder, 3), {"zarr_format": 2}


def some_chunks(folder: Path) -> tuple[Any, dict[str, Any]]:
    return a_hierarchy(folder, 2), {"zarr_format": 3, "chunks": (20, 20), "shards": (40, 40)}


def copied(folder: Path) -> tuple[Any, dict[str, Any]]:
    return a_hierarchy(folder, 2), {}


def two_plates(folder: Path) -> tuple[Any, dict[str, Any]]:
    for name, wells in {"one": ("A/1", "A/2"), "two": ("A/3", "B/1")}.items():
        with anyzarr.open_ome_zarr(folder / name, layout="hcs", mode="w", version="0.4") as plate:
            for well in wells:
                position = plate.create_position(*well.split("/"), "0")
                position.create_image("0", pixels(1, 1, 1, 20, 20))
    return [folder / "one", folder / "two"], {}


Case = Callable[[Path], tuple[Any, dict[str, Any]]]
CASES: list[Case] = [
    a_stack, an_ome_tiff, several_positions, screen, an_array, an_image, an_upgrade,
    an_upgrade_in_shards, another_codec, a_plate, other_levels, to_v3, to_v2, some_chunks, copied,
    two_plates,
]  # fmt: skip


@pytest.mark.parametrize("target", ["out.zarr", "out.ozx"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_as_many_objects_as_are_stored(case: Case, target: str, tmp_path: Path) -> None:
    source, options = case(tmp_path)
    before = sorted(path for path in tmp_path.rglob("*"))
    planned = anyzarr.convert(source, tmp_path / target, dry_run=True, **options)
    assert sorted(path for path in tmp_path.rglob("*")) == before
    assert planned.plan is not None
    assert planned.kind == "plan"
    done = anyzarr.convert(source, tmp_path / target, **options)
    stored = sum(1 for _ in open_store(tmp_path / target, mode="r").list())
    assert (planned.n_objects, planned.plan.n_objects) == (stored, stored)
    assert done.n_objects == stored


@pytest.mark.parametrize("version", ["0.4", "0.5", "0.6"])
@pytest.mark.parametrize("case", [an_ome_tiff, several_positions, screen])
def test_in_every_version(case: Case, version: str, tmp_path: Path) -> None:
    source, options = case(tmp_path)
    planned = anyzarr.convert(source, tmp_path / "a", version=version, dry_run=True, **options)
    assert (
        planned.n_objects
        == anyzarr.convert(source, tmp_path / "a", version=version, **options).n_objects
    )


def test_images_apart(tmp_path: Path) -> None:
    source, options = apart(tmp_path)
    planned = anyzarr.convert(source, tmp_path / "out", dry_run=True, **options)
    assert not (tmp_path / "out").exists()
    done = anyzarr.convert(source, tmp_path / "out", **options)
    stored = sum(path.is_file() for path in (tmp_path / "out").rglob("*"))
    assert planned.n_objects == done.n_objects == stored


def test_what_is_copied_along_counts_in_bytes(tmp_path: Path) -> None:
    source, options = some_chunks(tmp_path)  # of two arrays, one keeps its chunks
    planned = anyzarr.convert(source, tmp_path / "out", dry_run=True, **options).plan
    assert planned is not None
    assert planned.raw_bytes == 40 * 30 * 2 + sum(
        (source / key).stat().st_size for key in ("b/0", "b/1", "b/2", "inner/notes.txt")
    )
