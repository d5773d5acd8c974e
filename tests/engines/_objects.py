"""Arrays on object stores, for the tests of the native engine."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import anyzarr
from anyzarr.abc import Store
from anyzarr.engines import explain
from anyzarr.stores import ObstoreStore

from .._object_server import ObjectServer  # noqa: TID252 (tests are no installed package)
from .test_contract import CASES

QUICK = {
    "max_retries": 2,
    "retry_timeout": timedelta(seconds=20),
    "backoff": {
        "init_backoff": timedelta(milliseconds=1),
        "max_backoff": timedelta(milliseconds=5),
        "base": 2.0,
    },
}


def written(folder: Path, **options: Any) -> npt.NDArray[Any]:
    """Write an array of 4 shards of 64 subchunks, none of which is all fill value."""
    values = np.random.default_rng(7).integers(1, 999, (64, 64)).astype("uint16")
    what = {"chunks": (4, 4), "shards": (32, 32), **options}
    anyzarr.create_array(folder, data=values, engine="native", **what)
    return values


def big(folder: Path) -> npt.NDArray[Any]:
    """Write shards that are too large to be fetched only to save a round trip."""
    values = np.random.default_rng(8).integers(1, 9999, (1024, 2048)).astype("uint16")
    anyzarr.create_array(folder, data=values, chunks=(64, 64), shards=(1024, 1024))
    return values


def opened(store: Store) -> anyzarr.Array:
    return anyzarr.open_array(store, engine="native", mode="r")


def web(server: ObjectServer) -> ObstoreStore:
    return ObstoreStore(server.url, retry_config=QUICK)


def report(store: Store) -> tuple[str | None, str | None]:
    reports = {each.name: each for each in explain(CASES["v3-zstd"].metadata, store)}
    return reports["native"].io, reports["native"].io_reason
