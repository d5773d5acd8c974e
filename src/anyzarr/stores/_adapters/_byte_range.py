"""``byte-range:START-STOP``: a part of an object, as in neuroglancer's pipelines."""

from __future__ import annotations

import re
from typing import Final

from anyzarr.errors import StoreError
from anyzarr.stores._adapters._source import Opened, UrlSource
from anyzarr.stores._byte_range import ByteRangeStore

__all__ = ["open_step"]

_RANGE: Final = re.compile(r"([0-9]{1,19})-([0-9]{1,19})")


def open_step(source: UrlSource, body: str) -> Opened:
    """Return the bytes ``[START, STOP)`` of what is left of the step, as an object."""
    found = _RANGE.fullmatch(body)
    if found is None or int(found[1]) >= int(found[2]):
        raise StoreError(
            f"'byte-range:{body}' after {source} is no range of bytes: write byte-range:START-STOP "
            "with two whole numbers, the first byte and one past the last",
            store=str(source),
            kind="malformed_pipeline",
        )
    store = ByteRangeStore(source.as_object(), int(found[1]), int(found[2]))
    return store, store.key
