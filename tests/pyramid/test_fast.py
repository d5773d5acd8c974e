"""The mean the pyramids use is numpy's reference to the bit, native kernels or not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from anyzarr._pyramid import _fast, _kernel
from anyzarr.testing import assert_identical

KINDS = ["?", "u1", "i2", ">u2", "u4", "i8", "u8", "f2", "f4", ">f4", "f8", "c8"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(7, 5, 9), (0, 4, 4), (1, 1, 1)])
@pytest.mark.parametrize("is_built", [True, False])
def test_mean(
    kind: str, shape: tuple[int, ...], is_built: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not is_built:
        monkeypatch.setattr(_fast, "_native", lambda: None)
    elif _fast._native() is None:
        pytest.skip("the native engine is not built")
    rng = np.random.default_rng(3)
    block: Any = (rng.normal(size=shape) * 50 + 60).astype(kind)
    for factors in [(1, 2, 2), (2, 2, 2), (3, 1, 4)]:
        for view in (block, block[::-1, :, ::-1], np.asfortranarray(block)):
            assert_identical(_fast.mean(view, factors), _kernel.mean(view, factors))
