"""``anyzarr pyramid`` of a vector store."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from anyzarr._cli._console import stdout
from anyzarr._cli._format import count
from anyzarr._cli._options import UsageError
from anyzarr._cli._progress import progress_bar
from anyzarr.errors import MetadataError

if TYPE_CHECKING:
    from anyzarr.vectors import ZVStore

__all__ = ["delete_levels", "make_levels"]

_COARSEST_FACES = 20_000
_MOST_LEVELS = 6


def make_levels(
    location: str,
    keywords: dict[str, Any],
    *,
    levels: int | None,
    method: str | None,
    factors: Sequence[str],
    quiet: bool,
) -> None:
    """Replace the levels of detail of a vector store, and print what they are."""
    from anyzarr.vectors import build_pyramid, open_zv

    store = open_zv(location, **keywords)
    chosen = [_factor(text) for text in factors] or default_factors(store, levels)
    if levels is not None and factors and levels != len(chosen) + 1:
        raise UsageError(f"--levels {levels} with {len(chosen)} times --factors")
    with progress_bar(enabled=not quiet) as progress:
        build_pyramid(
            location, factors=chosen, method=_method(method), overwrite=True,
            progress=progress, **keywords,
        )  # fmt: skip
    if not quiet:
        _print_levels(open_zv(location, **keywords))


def delete_levels(location: str, keywords: dict[str, Any], *, quiet: bool) -> None:
    """Remove all levels but the first."""
    from anyzarr.vectors import open_zv, remove_resolution_level

    for number in reversed(open_zv(location, **keywords).levels[1:]):
        remove_resolution_level(location, number, **keywords)
    if not quiet:
        _print_levels(open_zv(location, **keywords))


def default_factors(store: ZVStore, levels: int | None) -> list[tuple[float, float]]:
    """Return how much larger bins become at each level, until they are the chunks.

    Meshes have no bins: their faces become four times fewer, until few are left.
    """
    if "mesh" in store.geometry_types:
        n_times = store[0].vertex_count / (_COARSEST_FACES / 2)
        n = max(1, math.ceil(math.log(max(n_times, 1.0), 4)))
        return _repeated(2.0, n, levels)
    ratio = min(c / b for c, b in zip(store.chunk_shape, store.bin_shape, strict=True))
    if ratio <= 1:
        raise MetadataError(
            "the bins of this store are its chunks, so that a level would have a vertex per chunk: "
            "convert with --bin-shape (or write with bin_shape=), or say how by --factors",
            kind="bin_shape",
        )
    return _repeated(1.0, 1 + round(math.log2(ratio)), levels)


def _repeated(first: float, n: int, levels: int | None) -> list[tuple[float, float]]:
    n = min(n, _MOST_LEVELS) if levels is None else levels - 1
    return [(first, 1.0), *[(2.0, 1.0)] * (n - 1)][:n]


def _factor(text: str) -> tuple[float, float]:
    coarsen, _, share = text.partition(",")
    return float(coarsen), float(share or 1)


def _method(method: str | None) -> Any:
    if method not in (None, "bins", "decimate"):
        raise UsageError(f"--method {method} is for images; of meshes it is bins or decimate")
    return method


def _print_levels(store: ZVStore) -> None:
    told = ", ".join(f"{store[number].vertex_count:,}" for number in store.levels)
    stdout().print(f"{count(len(store.levels), 'level')}: {told} vertices", markup=False)
