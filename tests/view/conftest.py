"""Stores to be looked at, and the pixels of what is drawn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import anyzarr

Shown = tuple[np.ndarray, Any]


@pytest.fixture
def show(tmp_path: Path) -> Callable[..., Shown]:
    """Write a preview; return its pixels, and what it says of itself."""

    def call(location: Any, **options: Any) -> Shown:
        shown = anyzarr.preview(location, tmp_path / "out.png", **options)
        with Image.open(tmp_path / "out.png") as sheet:
            pixels = np.asarray(sheet.convert("RGB"))
        assert pixels.shape == (shown.height, shown.width, 3)
        return pixels, shown

    return call


def pixels_of(value: int, n_channels: int = 1, size: tuple[int, int] = (64, 64)) -> np.ndarray:
    """A square of ``value`` on 0, in the first channel."""
    pixels = np.zeros((n_channels, *size), "uint16")
    pixels[0, 16:48, 16:48] = value
    return pixels
