"""A truncated TIFF is refused, whatever of it is left; a whole one is not."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

import anyzarr
from anyzarr.errors import CorruptDataError
from anyzarr.readers._tiff_chain import check_chain

PIXELS = np.arange(3 * 60 * 80, dtype="uint16").reshape(3, 60, 80)
KINDS: dict[str, dict[str, Any]] = {
    "ome": {"ome": True, "metadata": {"axes": "CYX"}},
    "ome-tiled": {
        "ome": True, "metadata": {"axes": "CYX"}, "tile": (32, 32), "compression": "zlib",
    },
    "shaped": {"metadata": {"axes": "ZYX"}},
    "plain": {"metadata": None},
    "big": {"bigtiff": True, "metadata": None},
    "big-endian": {"byteorder": ">", "metadata": None},
    "imagej": {"imagej": True, "metadata": {"axes": "ZYX"}},
}  # fmt: skip


@pytest.fixture(params=KINDS)
def whole(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "whole.tif"
    tifffile.imwrite(path, PIXELS, photometric="minisblack", **KINDS[request.param])
    return path


def test_whole_files_are_read(whole: Path) -> None:
    check_chain(whole)
    anyzarr.convert(whole, whole.with_suffix(".zarr"))
    values = anyzarr.open_ome_zarr(whole.with_suffix(".zarr")).data[...]
    np.testing.assert_array_equal(values, PIXELS)


@pytest.mark.parametrize("share", [0.05, 0.3, 0.5, 0.7, 0.9, 0.99])
def test_truncated_files_are_refused_and_leave_nothing(whole: Path, share: float) -> None:
    data = whole.read_bytes()
    whole.write_bytes(data[: int(len(data) * share)])
    target = whole.with_suffix(".zarr")
    with pytest.raises(CorruptDataError) as caught:
        anyzarr.convert(whole, target)
    assert caught.value.kind == "corrupt_data"
    assert not target.exists()


@pytest.mark.parametrize("n_bytes", [0, 1, 2, 3, 4, 7, 8, 12, 15])
def test_headers_that_are_cut_off(whole: Path, n_bytes: int) -> None:
    whole.write_bytes(whole.read_bytes()[:n_bytes])
    with pytest.raises(CorruptDataError, match="whole copy"):
        anyzarr.convert(whole, whole.with_suffix(".zarr"))


def test_circle_of_pages_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "circle.tif"
    tifffile.imwrite(path, PIXELS[0], metadata=None)
    data = bytearray(path.read_bytes())
    first = int.from_bytes(data[4:8], "little")
    n_entries = int.from_bytes(data[first : first + 2], "little")
    link = first + 2 + 12 * n_entries
    data[link : link + 4] = data[4:8]
    path.write_bytes(data)
    with pytest.raises(CorruptDataError):
        check_chain(path)
