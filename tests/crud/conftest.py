"""The engines that several tests run with."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import pytest

ENGINES = [
    pytest.param(
        "native",
        marks=pytest.mark.skipif(
            find_spec("anyzarr_native") is None, reason="the native engine is not built"
        ),
    ),
    "zarr",
    "zarrs",
    "tensorstore",
    "zarrs-python",
]


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Any:
    return request.param
