"""Requests that a service put off, made again: what not every client of fsspec's does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

__all__ = ["persisting"]

T = TypeVar("T")
_TOO_MANY_REQUESTS: Final = 429
_PAUSES_SECONDS: Final = (0.1, 0.2, 0.4, 0.8)


def persisting(work: Callable[[], T]) -> T:
    """Return ``work()``, called again after a while where the service says "too many requests".

    The clients of S3 and Google do that by themselves, Azure's does not. Such a request was not
    carried out.
    """
    for pause in _PAUSES_SECONDS:
        try:
            return work()
        except Exception as error:
            if getattr(error, "status_code", None) != _TOO_MANY_REQUESTS:
                raise
        time.sleep(pause)
    return work()
