"""The engines under test: all of them, the native one where it is built."""

from __future__ import annotations

import importlib.util

OTHERS = ["tensorstore", "zarr", "zarrs", "zarrs-python"]
HAS_NATIVE = importlib.util.find_spec("anyzarr_native") is not None
ENGINES = ["native", *OTHERS] if HAS_NATIVE else OTHERS
