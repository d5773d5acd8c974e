"""Conversion of PNG and JPEG: written by Pillow and imagecodecs, compared with both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anyzarr
from anyzarr.errors import CorruptDataError, MetadataError, UnsupportedError
from anyzarr.ome import open_ome_zarr
from anyzarr.readers._photo import open_photo

pytest.importorskip("PIL")
imagecodecs = pytest.importorskip("imagecodecs")
from PIL import Image  # noqa: E402 - after it is known to be there

RGB = ["FF0000", "00FF00", "0000FF"]


def pixels(*shape: int, dtype: str = "u1") -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape).astype(dtype)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_png_of_bytes(tmp_path: Path, mode: str) -> None:
    values = pixels(300, 280, len(mode))[..., 0] if mode == "L" else pixels(300, 280, len(mode))
    Image.fromarray(values).save(tmp_path / "a.png", dpi=(25400, 12700))
    report = anyzarr.convert(tmp_path / "a.png", tmp_path / "a.zarr", verify=True)
    assert report.warnings == ()
    theirs = imagecodecs.png_decode((tmp_path / "a.png").read_bytes())
    with open_ome_zarr(tmp_path / "a.zarr") as image:
        expected = theirs if mode == "L" else theirs.transpose(2, 0, 1)
        np.testing.assert_array_equal(image.data[...], expected)
        np.testing.assert_allclose(image.scale[-2:], [2.0, 1.0])
        assert image.axes[-1].unit == "micrometer"
        if mode != "L":
            assert [c.color for c in image.channels][:3] == RGB
            assert image.channels[0].window.end == 255


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_png_of_16_bits(tmp_path: Path, n: int) -> None:
    values = pixels(30, 20, n, dtype="u2")
    values = values[..., 0].copy() if n == 1 else values
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(values))
    anyzarr.convert(tmp_path / "a.png", tmp_path / "a.zarr", verify=True)
    with open_ome_zarr(tmp_path / "a.zarr") as image:
        assert image.data.dtype == np.uint16
        np.testing.assert_array_equal(
            image.data[...], values if n == 1 else values.transpose(2, 0, 1)
        )


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_jpeg(tmp_path: Path, mode: str) -> None:
    Image.fromarray(pixels(300, 280, 3)).convert(mode).save(tmp_path / "a.jpg", quality=90)
    report = anyzarr.convert(tmp_path / "a.jpg", tmp_path / "a.zarr")
    assert any("CMYK" in warning for warning in report.warnings) is (mode == "CMYK")
    with open_ome_zarr(tmp_path / "a.zarr") as image:
        found = image.data[...]
    if mode == "CMYK":
        theirs = np.asarray(Image.open(tmp_path / "a.jpg").convert("RGB")).transpose(2, 0, 1)
    else:
        theirs = imagecodecs.jpeg8_decode((tmp_path / "a.jpg").read_bytes())
        theirs = theirs if mode == "L" else theirs.transpose(2, 0, 1)
    assert np.abs(found.astype(int) - theirs).max() <= 2  # decoders round each in its way


def test_palettes_bits_and_texts(tmp_path: Path) -> None:
    from PIL.PngImagePlugin import PngInfo

    colours = Image.fromarray(pixels(30, 20, 3)).quantize(16)
    text = PngInfo()
    text.add_text("Author", "a test")
    colours.save(tmp_path / "p.png", pnginfo=text)
    report = anyzarr.convert(tmp_path / "p.png", tmp_path / "p.zarr")
    assert "palette" in report.warnings[0]
    with open_ome_zarr(tmp_path / "p.zarr") as image:
        theirs = imagecodecs.png_decode((tmp_path / "p.png").read_bytes())
        np.testing.assert_array_equal(image.data[...], theirs.transpose(2, 0, 1))
        assert image.group.attrs["png"]["Author"] == "a test"
    bits = pixels(30, 20) > 128
    Image.fromarray(bits).save(tmp_path / "b.png")
    source = open_photo(tmp_path / "b.png")
    part = (slice(3, 9), slice(0, 20))
    np.testing.assert_array_equal(source.read(0, part), bits[part] * np.uint8(255))


def test_bad_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(pixels(300, 280, 3)).save(tmp_path / "a.png")
    Image.fromarray(pixels(300, 280, 3)).save(tmp_path / "a.jpg")
    (tmp_path / "deep.png").write_bytes(imagecodecs.png_encode(pixels(300, 280, 3, dtype="u2")))
    for name in ("a.png", "a.jpg", "deep.png"):
        whole = (tmp_path / name).read_bytes()
        for n in (0, 20, 200, len(whole) // 2):
            (tmp_path / f"cut_{name}").write_bytes(whole[:n])
            with pytest.raises(CorruptDataError, match=f"cut_{name}"):
                anyzarr.convert(tmp_path / f"cut_{name}", tmp_path / "b.zarr")
    with pytest.raises(MetadataError, match="axes"):
        anyzarr.convert(tmp_path / "a.png", tmp_path / "b.zarr", axes="zyx")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(UnsupportedError, match="too large"):
        anyzarr.convert(tmp_path / "a.png", tmp_path / "b.zarr")
    assert not (tmp_path / "b.zarr").exists()
