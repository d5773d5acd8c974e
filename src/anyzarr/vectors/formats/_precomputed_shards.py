"""Files that hold many small objects by number: neuroglancer_uint64_sharded_v1."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from anyzarr.abc import Ragged
from anyzarr.vectors._blobs import starts_of

__all__ = ["write_shards"]

_SHARD_BYTES: Final = 256 << 20
_PER_MINISHARD: Final = 1024


def write_shards(folder: Path, ids: npt.NDArray[np.uint64], blobs: Ragged) -> dict[str, Any]:
    """Write objects to files of a new folder.

    Parameters
    ----------
    folder
        Made here.
    ids
        A distinct number for each object.
    blobs
        The objects.

    Returns
    -------
    dict
        What says where each is: the value of ``"sharding"``.
    """
    n_bytes = len(blobs.data)
    shard_bits = max(0, math.ceil(math.log2(max(1.0, n_bytes / _SHARD_BYTES))))
    per_shard = len(ids) / 2**shard_bits
    minishard_bits = max(0, math.ceil(math.log2(max(1.0, per_shard / _PER_MINISHARD))))
    minishard = ids & np.uint64(2**minishard_bits - 1)
    shard = (ids >> np.uint64(minishard_bits)) & np.uint64(2**shard_bits - 1)
    order = np.lexsort((ids, minishard, shard))
    bounds = np.searchsorted(shard[order], np.arange(2**shard_bits + 1, dtype=np.uint64))
    folder.mkdir()
    for number in range(2**shard_bits):
        rows = order[bounds[number] : bounds[number + 1]]
        if len(rows):
            name = f"{number:0{math.ceil(shard_bits / 4)}x}.shard"
            data = _shard(ids[rows], minishard[rows], blobs.take(rows), 2**minishard_bits)
            (folder / name).write_bytes(data)
    return {
        "@type": "neuroglancer_uint64_sharded_v1",
        "preshift_bits": 0,
        "hash": "identity",
        "minishard_bits": minishard_bits,
        "shard_bits": shard_bits,
        "minishard_index_encoding": "raw",
        "data_encoding": "raw",
    }


def _shard(
    ids: npt.NDArray[np.uint64], minishard: npt.NDArray[np.uint64], blobs: Ragged, n: int
) -> bytes:
    """Return a file: where the index of each minishard is, the objects, the indices."""
    counts = np.bincount(minishard.astype(np.int64), minlength=n)
    first = starts_of(counts)
    indices = []
    for number in range(n):
        rows = slice(first[number], first[number + 1])
        sizes = blobs.lengths[rows].astype(np.uint64)
        index = np.zeros((3, counts[number]), "<u8")
        if len(sizes):
            index[0] = np.diff(ids[rows], prepend=np.uint64(0))
            index[1, 0] = blobs.offsets[first[number]]  # the others follow one another
            index[2] = sizes
        indices.append(index)
    ends = np.cumsum([len(blobs.data), *(24 * count for count in counts.tolist())])
    table = np.stack([ends[:-1], ends[1:]], axis=1).astype("<u8")
    return b"".join([table.tobytes(), blobs.data.tobytes(), *(i.tobytes() for i in indices)])
