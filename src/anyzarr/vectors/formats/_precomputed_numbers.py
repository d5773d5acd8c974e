"""Numbers in the types that Neuroglancer has, of 32 bits at most, and which of them are rounded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["as_float32", "is_rounded", "told_of_rounding"]


def as_float32(numbers: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Return the nearest numbers of 32 bits, infinite where there are none so large."""
    with np.errstate(over="ignore"):
        return numbers.astype(np.float32)


def is_rounded(given: npt.NDArray[Any], written: npt.NDArray[Any]) -> bool:
    """Return whether numbers of 64 bits are not what is written of them.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.vectors.formats._precomputed_numbers import as_float32, is_rounded
    >>> [is_rounded(x, as_float32(x)) for x in (np.array([0.5, np.nan]), np.array([0.1]))]
    [False, True]
    """
    if given.dtype.kind not in "iuf" or given.dtype.itemsize < 8 or written.dtype == given.dtype:
        return False
    with np.errstate(invalid="ignore"):
        differs = written.astype(given.dtype) != given
    if given.dtype.kind == "f":
        differs &= ~np.isnan(given)
    elif written.dtype.kind == "f":
        # The largest integers become a number that no integer of their type is.
        differs |= written >= float(np.iinfo(given.dtype).max)
    return bool(differs.any())


def told_of_rounding(names: Sequence[str]) -> list[str]:
    """Return the warning for what was rounded; none where nothing was."""
    if not names:
        return []
    listed = ", ".join(names)
    return [f"rounded the 64-bit numbers of {listed} to float32: precomputed has no wider type"]
