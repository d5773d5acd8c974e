"""The ways in which bytes come, and the arrays that are read and written over them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import anyzarr
from anyzarr.abc import Store
from anyzarr.stores import CachingStore, FsspecStore, ObstoreStore

from .._object_server import ObjectServer  # noqa: TID252 (tests are no installed package)

__all__ = ["BUCKET", "ENGINES", "LAYOUTS", "NEXT", "VALUES", "WAYS", "publish", "s3_options"]

BUCKET = "bucket"
ENGINES = ("native", "zarr", "zarrs", "zarrs-python", "tensorstore")

LAYOUTS: dict[str, dict[str, Any]] = {
    "chunks": {"chunks": (16, 16), "compressors": None},
    "shards": {"chunks": (8, 8), "shards": (32, 32), "compressors": None},
    "zstd": {"chunks": (8, 8), "shards": (32, 32)},
}
"""Without codecs nothing but sizes is noticed by decoding."""

VALUES: npt.NDArray[Any] = np.arange(1, 64 * 64 + 1, dtype="uint32").reshape(64, 64)
NEXT: npt.NDArray[Any] = VALUES + 1_000_000
"""Every element says where it belongs and of which version it is."""

# Of each version another subchunk is not stored, so that the others lie elsewhere in their shard.
VALUES[0:8, 16:24] = VALUES[32:40, 56:64] = 0
NEXT[0:8, 0:8] = NEXT[32:40, 32:40] = 0
VALUES.flags.writeable = NEXT.flags.writeable = False


def s3_options(server: ObjectServer) -> dict[str, Any]:
    keys = {"access_key_id": "an-id", "secret_access_key": "hush-hush"}
    return {"endpoint_url": server.url, "region": "us-east-1", **keys}


def _obstore_s3(server: ObjectServer, path: str) -> Store:
    return ObstoreStore(f"s3://{BUCKET}/{path}", **s3_options(server))


def _obstore_s3_open(server: ObjectServer, path: str) -> Store:
    options = {"endpoint_url": server.url, "region": "us-east-1", "anon": True}
    return ObstoreStore(f"s3://{BUCKET}/{path}", **options)


def _obstore_http(server: ObjectServer, path: str) -> Store:
    return ObstoreStore(f"{server.url}/{BUCKET}/{path}")


def _fsspec_s3(server: ObjectServer, path: str) -> Store:
    return FsspecStore(f"s3://{BUCKET}/{path}", **s3_options(server))


def _fsspec_http(server: ObjectServer, path: str) -> Store:
    return FsspecStore(f"{server.url}/{BUCKET}/{path}")


def _cached(server: ObjectServer, path: str) -> Store:
    return CachingStore(_obstore_s3(server, path), 1 << 24)


def _cached_http(server: ObjectServer, path: str) -> Store:
    return CachingStore(_fsspec_http(server, path), 1 << 24, cache_check="always")


WAYS: dict[str, Callable[[ObjectServer, str], Store]] = {
    "obstore-s3": _obstore_s3,
    "obstore-s3-anonymous": _obstore_s3_open,  # which tensorstore reads by itself
    "obstore-http": _obstore_http,
    "fsspec-s3": _fsspec_s3,
    "fsspec-http": _fsspec_http,
    "cache-s3": _cached,
    "cache-http": _cached_http,
}


def publish(server: ObjectServer, folder: Path) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Publish the arrays of all layouts; return the objects of both versions."""
    versions = []
    for number, values in enumerate((NEXT, VALUES)):
        for name, layout in LAYOUTS.items():
            where = folder / str(number) / name
            anyzarr.create_array(where, data=values, engine="native", **layout)
        server.publish(folder / str(number), f"{BUCKET}/data/")
        versions.append(dict(server.objects))
    return versions[1], versions[0]
