"""What the tests of writing to object stores share."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from anyzarr.abc import Store
from anyzarr.stores import open_store

from .._relay import Fault, relaying  # noqa: TID252 (tests are no installed package)

__all__ = ["BACKENDS", "Fault", "is_put", "new_store", "options_of", "relaying"]

PACKAGES = {"s3": "s3fs", "az": "adlfs", "gs": "gcsfs"}
BACKENDS = ["obstore", "fsspec"]
QUICK = {
    "max_retries": 3,
    "retry_timeout": timedelta(seconds=20),
    "backoff": {
        "init_backoff": timedelta(milliseconds=1),
        "max_backoff": timedelta(milliseconds=5),
        "base": 2.0,
    },
}


def options_of(service: Any, backend: str) -> dict[str, Any]:
    """Return how to reach the service by a backend, if there is what it needs."""
    if backend == "fsspec":
        pytest.importorskip(PACKAGES[service.scheme], reason="what fsspec reaches it by")
        return dict(service.options)
    return {**service.options, "retry_config": QUICK}


def new_store(service: Any, backend: str = "obstore") -> Store:
    """Return an empty store in a bucket of its own."""
    options = options_of(service, backend)
    return open_store(service.new_location(), backend=backend, mode="a", **options)


def is_put(request: Any) -> bool:
    """Whether a request writes an object, or a part of one."""
    if request.method == "PUT":
        return True
    return request.method == "POST" and "/upload/" in request.target
