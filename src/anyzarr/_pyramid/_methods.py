"""The downsampling methods: what each does to which elements, and where their centres are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from anyzarr.errors import UnsupportedError

__all__ = ["METHODS", "Method", "method_of"]


@dataclass(frozen=True, slots=True)
class Method:
    """A way to make one element of a window.

    Attributes
    ----------
    name
        As given by the user and written as the ``type`` of a multiscale image.
    kernel
        Name of what computes it.
    centred
        Whether an element of the result lies in the middle of its window.
    kinds
        Kinds of dtypes it works on, as numpy's ``dtype.kind``; None: all.
    description
        What it does, for the metadata.
    """

    name: str
    kernel: str
    centred: bool
    kinds: str | None
    description: str

    def require(self, dtype: np.dtype[Any]) -> None:
        """Check that it works on elements of this dtype.

        Raises
        ------
        UnsupportedError
            It does not.
        """
        largest = 16 if dtype.kind == "c" else 8
        if self.kinds is None or (dtype.kind in self.kinds and dtype.itemsize <= largest):
            return
        able = sorted(m.name for m in METHODS.values() if m.kinds is None or dtype.kind in m.kinds)
        raise UnsupportedError(
            f"downsampling by {self.name!r} is not defined for elements of dtype {dtype}; of the "
            f"methods, these are: {', '.join(able)}"
        )


_NUMBERS, _ORDERED = "biufc", "biuf"
METHODS = {
    method.name: method
    for method in (
        Method("mean", "mean", True, _NUMBERS, "mean of each window, ties rounded to even"),
        Method("median", "median", True, _ORDERED, "median of each window, ties rounded to even"),
        Method("mode", "mode", True, _ORDERED, "most frequent element of each window, the "
               "smallest of several"),
        Method("min", "min", True, _ORDERED, "smallest element of each window"),
        Method("max", "max", True, _ORDERED, "largest element of each window"),
        Method("stride", "stride", False, None, "first element of each window"),
        Method("nearest", "stride", False, None, "first element of each window"),
        Method("gaussian", "gaussian", True, _NUMBERS, "mean weighted by a Gaussian of a third "
               "of the factor, ties rounded to even"),
    )
}  # fmt: skip
"""The downsampling methods, by name."""


def method_of(name: str) -> Method:
    """Return the method with this name.

    Raises
    ------
    UnsupportedError
        There is none.

    Examples
    --------
    >>> from anyzarr._pyramid import method_of
    >>> method_of("stride").centred
    False
    """
    try:
        return METHODS[name]
    except KeyError:
        known = ", ".join(sorted(METHODS))
        raise UnsupportedError(
            f"no downsampling method is called {name!r}; the methods are {known}"
        ) from None
