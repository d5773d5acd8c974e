"""Reads of parts of objects that another writer may replace between one read and the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from anyzarr.abc import ByteRange, ObjectInfo, Request, Store
from anyzarr.stores._base import read_versions

__all__ = ["REPLACED", "Snapshots"]

REPLACED = b""
"""What is given for a part of an object that is another by now: nothing has that size."""


@dataclass(frozen=True, slots=True)
class _First:
    """The first part that was read of an object."""

    byte_range: ByteRange
    data: bytes
    info: ObjectInfo | None


class Snapshots:
    """The parts of objects that one read asks for, each object's of one version.

    What is read of a shard is its index, and then what lies where the index says. If the shard was
    replaced in between, what lies there may be anything, and may well decode. So later parts are
    of the version that the first part was of: by the tag that came with both, and where none came
    by reading the first part again, after the later ones. (If that is as it was, each later part
    is of a version that has the same first part, and an index says where things are in all of
    them.)

    Parameters
    ----------
    store
        Where the objects are.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._first: dict[str, _First] = {}

    def get_many(self, requests: Sequence[Request]) -> list[bytes | None]:
        """Return one result per request, in order; ``REPLACED`` where it is of another version."""
        found = read_versions(self._store, requests)
        results: list[bytes | None] = []
        doubtful: dict[str, list[int]] = {}
        for index, ((key, part), pair) in enumerate(zip(requests, found, strict=True)):
            data, info = (None, None) if pair is None else pair
            first = self._first.get(key)
            if part is not None and data is not None:
                if first is None:
                    self._first[key] = _First(part, data, info)
                elif _tag(first.info) is None or _tag(info) is None:
                    doubtful.setdefault(key, []).append(index)
                elif _tag(first.info) != _tag(info):
                    data = REPLACED
            results.append(data)
        for key in self._replaced(list(doubtful)):
            for index in doubtful[key]:
                results[index] = REPLACED
        return results

    def _replaced(self, keys: Sequence[str]) -> list[str]:
        first = [self._first[key] for key in keys]
        requests: list[Request] = [(k, f.byte_range) for k, f in zip(keys, first, strict=True)]
        now = self._store.get_many(requests) if requests else []
        return [k for k, f, data in zip(keys, first, now, strict=True) if data != f.data]


def _tag(info: ObjectInfo | None) -> tuple[str, int] | None:
    """Return what only these bytes have: a weak tag stands for all that mean the same."""
    if info is None or info.etag is None or info.etag.startswith("W/"):
        return None
    return info.etag, info.size
