"""How an image's arrays are cut and compressed, where the caller does not say."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np

from anyzarr.errors import MetadataError
from anyzarr.ome._axes import Axis, metres

__all__ = [
    "SHARD_BYTES",
    "Lengths",
    "compressors_of",
    "default_chunks",
    "default_shards",
    "lengths_of",
]

Lengths: TypeAlias = Sequence[int] | Mapping[str, int]
"""One number per axis, or for some axes by their names."""


SHARD_BYTES = 128 << 20
"""Of a shard at most, before it is encoded."""
_MOST_CHUNK_BYTES = 2 << 20
_PLANE = (512, 512)


def default_chunks(
    shape: Sequence[int], axes: Sequence[Axis], scale: Sequence[float], dtype: np.dtype[Any]
) -> tuple[int, ...]:
    """Return chunks a viewer likes: about 1 MB of one channel at one time point.

    512 by 512 for planes; 64 cubed for volumes, flatter the longer their voxels are along z:
    (32, 128, 128) from a ratio of 1.5, (16, 256, 256) from 3.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.ome import axes_of, default_chunks
    >>> axes = axes_of("czyx")
    >>> default_chunks((2, 60, 2048, 2048), axes, (1, 2.0, 0.25, 0.25), np.dtype("uint16"))
    (1, 16, 256, 256)
    """
    spatial = [i for i, axis in enumerate(axes) if axis.type == "space"]
    sizes = [scale[i] * metres(axes[i]) for i in spatial]
    volume = len(spatial) == 3 and shape[spatial[0]] > 1
    wanted = _volume(sizes) if volume else (1,) * (len(spatial) - 2) + _PLANE
    chunk = [min(w, max(1, shape[i])) for w, i in zip(wanted, spatial, strict=True)]
    if volume:
        _widen(chunk, [shape[i] for i in spatial], dtype.itemsize)
    while math.prod(chunk) * dtype.itemsize > _MOST_CHUNK_BYTES and max(chunk) > 1:
        longest = chunk.index(max(chunk))
        chunk[longest] = -(-chunk[longest] // 2)
    result = [1] * len(shape)
    for i, length in zip(spatial, chunk, strict=True):
        result[i] = length
    return tuple(result)


def _volume(sizes: Sequence[float]) -> tuple[int, ...]:
    in_plane = min(sizes[-2:])
    ratio = sizes[0] / in_plane if in_plane > 0 else 1.0
    if ratio < 1.5:
        return (64, 64, 64)
    return (32, 128, 128) if ratio < 3 else (16, 256, 256)


def _widen(chunk: list[int], shape: Sequence[int], itemsize: int) -> None:
    """Make the chunks of a thin stack wider, so that they do not become tiny."""
    while math.prod(chunk) * itemsize * 4 <= 1 << 20 and max(chunk[-2:]) < _PLANE[0]:
        wider = [min(2 * c, n) for c, n in zip(chunk[-2:], shape[-2:], strict=True)]
        if wider == chunk[-2:]:
            return
        chunk[-2:] = wider


def default_shards(
    shape: Sequence[int],
    chunks: Sequence[int],
    axes: Sequence[Axis],
    dtype: np.dtype[Any],
    *,
    most_bytes: int = SHARD_BYTES,
) -> tuple[int, ...]:
    """Return shards of at most 128 MiB of raw data, no larger than the image needs.

    A shard spans whole chunks of one time point and one channel, and grows along x, then y,
    then z. Where an axis takes several shards they are of about equal length. ``most_bytes``
    is for those who have less memory.

    Examples
    --------
    >>> import numpy as np
    >>> from anyzarr.ome import axes_of, default_shards
    >>> default_shards((2, 2048, 2048), (1, 512, 512), axes_of("cyx"), np.dtype("uint16"))
    (1, 2048, 2048)
    """
    counts = [1] * len(shape)
    spatial = [i for i, axis in enumerate(axes) if axis.type == "space"]
    chunk_bytes = math.prod(chunks) * dtype.itemsize
    for i in reversed(spatial):
        needed = -(-max(1, shape[i]) // chunks[i])
        fits = max(1, most_bytes // (chunk_bytes * math.prod(counts)))
        n_shards = -(-needed // min(needed, fits))
        counts[i] = -(-needed // n_shards)
        if n_shards > 1:
            break
    return tuple(c * n for c, n in zip(chunks, counts, strict=True))


def lengths_of(
    what: str, given: Lengths, axes: Sequence[Axis], default: Sequence[int]
) -> tuple[int, ...]:
    """Return one number per axis: those that are given, and the default's for the others.

    Raises
    ------
    MetadataError
        A name is none of the axes'.

    Examples
    --------
    >>> from anyzarr.ome import axes_of, lengths_of
    >>> lengths_of("chunks", {"z": 16}, axes_of("zyx"), (64, 64, 64))
    (16, 64, 64)
    """
    if not isinstance(given, Mapping):
        return tuple(given)
    names = [axis.name for axis in axes]
    for name in given:
        if name not in names:
            raise MetadataError(
                f"{what} {name}={given[name]}: the image has no axis {name!r}, only "
                f"{', '.join(names)}"
            )
    return tuple(given.get(name, n) for name, n in zip(names, default, strict=True))


def compressors_of(compressor: Any, dtype: np.dtype[Any], zarr_format: Literal[2, 3]) -> Any:
    """Return the ``compressors`` of an array document.

    Parameters
    ----------
    compressor
        None: blosc with zstd at level 1, bit-shuffled for integers, byte-shuffled otherwise.
        ``"none"``: none. Anything else that :func:`anyzarr.create_array` takes.
    dtype
        Of the array.
    zarr_format
        3 gives a v3 codec, 2 a numcodecs configuration.
    """
    if compressor == "none":
        return []
    if compressor is not None:
        return compressor
    bits = dtype.kind in "iub"
    if zarr_format == 2:
        shuffle = 2 if bits else 1
        return {"id": "blosc", "cname": "zstd", "clevel": 1, "shuffle": shuffle, "blocksize": 0}
    configuration = {
        "cname": "zstd",
        "clevel": 1,
        "shuffle": "bitshuffle" if bits else "shuffle",
        "typesize": dtype.itemsize,
        "blocksize": 0,
    }
    return [{"name": "blosc", "configuration": configuration}]
