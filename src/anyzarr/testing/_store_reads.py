"""What every store must do, also one that can only be read."""

from __future__ import annotations

import pickle
import random
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from anyzarr.abc import ByteRange, ObjectInfo, Request, Store
from anyzarr.errors import ReadOnlyError, StoreError, UnsupportedError
from anyzarr.stores import SubStore, at_prefix, from_spec, list_backends, open_store
from anyzarr.testing._store_tools import (
    BAD_KEYS,
    BAD_PREFIXES,
    OBJECTS,
    Awaited,
    at_once,
    plain_of,
    raises,
)

__all__ = ["READS"]

RANGES = (
    ByteRange(),
    ByteRange(0, 0),
    ByteRange(0, 1),
    ByteRange(3, 9),
    ByteRange(5),
    ByteRange(9, 11),
    ByteRange(0, 10**12),
    ByteRange(999, 1000),
    ByteRange(1000, 1001),
    ByteRange(1000),
    ByteRange(5000, 6000),
    ByteRange(10**12),
    ByteRange(10**12, 10**12),
    ByteRange(-1),
    ByteRange(-7),
    ByteRange(-(10**12)),
)


def _part(value: bytes, byte_range: ByteRange | None) -> bytes:
    if byte_range is None:
        return value
    if byte_range.start < 0:
        return value[byte_range.start :]
    return value[byte_range.start : byte_range.stop]


def _gets(store: Store) -> None:
    for key, value in OBJECTS.items():
        found = store.get(key)
        assert type(found) is bytes, f"{key!r} is {type(found)}"
        assert found == value
    for absent in ("nothing", "a", "a/c", "a/c/0", "a/zarr.json/x", "a/c/0/00", "ZARR.JSON"):
        assert store.get(absent) is None, absent


def _gets_ranges(store: Store) -> None:
    for key in ("empty", "one", "a/c/10", "a/c/0/0"):
        for byte_range in RANGES:
            found = store.get(key, byte_range)
            assert type(found) is bytes
            assert found == _part(OBJECTS[key], byte_range), (key, byte_range)
    for byte_range in RANGES:
        assert store.get("nothing", byte_range) is None, byte_range
        assert store.get("a", byte_range) is None, byte_range


def _random_requests(n: int, seed: int) -> Iterator[Request]:
    rng = random.Random(seed)
    keys = [*OBJECTS, "nothing", "a/c", "a/c/0/1", "a/c/0/1"]
    for _ in range(n):
        key = rng.choice(keys)
        size = len(OBJECTS.get(key, b""))
        start = rng.choice([0, rng.randrange(size + 1), size, size + 5])
        stop = rng.choice([None, start, start + 1, start + rng.randrange(100), 2 * size + start])
        yield key, rng.choice([None, ByteRange(start, stop), ByteRange(-rng.randrange(1, 50))])


def _gets_many(store: Store) -> None:
    assert store.get_many([]) == []
    for n in (1, 2, 3, 10, 40):
        requests = list(_random_requests(n, n))
        found = store.get_many(requests)
        expected = [_part(OBJECTS[k], r) if k in OBJECTS else None for k, r in requests]
        assert [type(v) for v in found] == [type(v) for v in expected]
        assert found == expected
    once: list[Request] = [("a/c/0/0", ByteRange(10, 20))]
    assert store.get_many(once * 5) == [OBJECTS["a/c/0/0"][10:20]] * 5
    beyond: list[Request] = [("a/c/10", ByteRange(0, 4)), ("a/c/10", ByteRange(20, 30))]
    assert store.get_many(beyond) == [OBJECTS["a/c/10"][:4], b""]
    assert store.get_many(beyond[::-1]) == [b"", OBJECTS["a/c/10"][:4]]


def _heads(store: Store) -> None:
    for key, value in OBJECTS.items():
        info = store.head(key)
        assert isinstance(info, ObjectInfo), key
        assert (info.key, info.size) == (key, len(value))
        assert info.etag != ""
        assert info == store.head(key), "looked up twice, it is not the same"
    for absent in ("nothing", "a", "a/c", "a/zarr.json/x"):
        assert store.head(absent) is None, absent


def _lists(store: Store) -> None:
    if not store.capabilities.listable:
        raises(UnsupportedError, store, "a/", lambda: list(store.list("a/")))
        return
    for prefix in ("", "a/", "a/c/", "a/c/0/", "ab/", "with space/", "größe/", "größe/日本語/"):
        found = list(store.list(prefix))
        assert all(isinstance(info, ObjectInfo) for info in found)
        sizes = {info.key: info.size for info in found}
        assert len(sizes) == len(found), f"something is listed twice below {prefix!r}"
        assert sizes == {k: len(v) for k, v in OBJECTS.items() if k.startswith(prefix)}, prefix
        for info in found:
            head = store.head(info.key)
            assert head is not None
            assert info.etag in (None, head.etag), "the listing has another ETag"
    for absent in ("nothing/", "zarr.json/", "a/c/0/0/", "z/"):
        assert list(store.list(absent)) == [], absent


def _lists_levels(store: Store) -> None:
    if not store.capabilities.listable:
        raises(UnsupportedError, store, "a/", lambda: store.list_level("a/"))
        return
    for prefix in ("", "a/", "a/c/", "a/c/0/", "with space/", "größe/", "größe/日本語/"):
        below = [key[len(prefix) :] for key in OBJECTS if key.startswith(prefix)]
        level = store.list_level(prefix)
        assert level.keys == tuple(sorted(prefix + k for k in below if "/" not in k)), prefix
        names = {k.partition("/")[0] for k in below if "/" in k}
        assert level.prefixes == tuple(sorted(f"{prefix}{name}/" for name in names)), prefix
    for absent in ("nothing/", "zarr.json/", "a/c/0/0/"):
        level = store.list_level(absent)
        assert (level.keys, level.prefixes) == ((), ()), absent


def _refuses_bad_keys(store: Store) -> None:
    for key in BAD_KEYS:
        _refuses_key(store, key)
    for prefix in BAD_PREFIXES:
        _refuses_prefix(store, prefix)
    _gets(store)


def _refuses_key(store: Store, key: str) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: store.get(key),
        lambda: store.get_many([("one", None), (key, None)]),
        lambda: store.head(key),
    ]
    if store.capabilities.writable:
        calls += [lambda: store.put(key, b""), lambda: store.delete(key)]
    for call in calls:
        _raises_invalid(store, key, call)


def _refuses_prefix(store: Store, prefix: str) -> None:
    calls: list[Callable[[], Any]] = []
    if store.capabilities.listable:
        calls += [lambda: list(store.list(prefix)), lambda: store.list_level(prefix)]
    if store.capabilities.writable:
        calls.append(lambda: store.delete_prefix(prefix))
    for call in calls:
        _raises_invalid(store, prefix, call)


def _raises_invalid(store: Store, key: str, call: Callable[[], Any]) -> None:
    raises(StoreError, store, key, call, kind="invalid_key")


def _is_a_value(store: Store) -> None:
    plain = plain_of(store)
    rebuilt = _rebuilt(plain)
    assert rebuilt.spec == plain.spec
    for copy in (pickle.loads(pickle.dumps(plain)), rebuilt):
        assert copy == plain, f"{copy!r} is not {plain!r}"
        assert hash(copy) == hash(plain)
        assert copy.capabilities == plain.capabilities
        assert copy.get("a/c/0/0") == OBJECTS["a/c/0/0"]
    assert pickle.loads(pickle.dumps(plain.spec)) == plain.spec
    assert plain != at_prefix(plain, "a")
    assert plain != object()
    assert len({plain, at_prefix(plain, "a"), at_prefix(plain, "a")}) == 2


def _rebuilt(store: Any) -> Any:
    known = {*list_backends(), "prefix", "zarr-store"}
    return from_spec(store.spec) if store.spec.backend in known else store


def _keeps_secrets(store: Store) -> None:
    plain = plain_of(store)
    shown = [repr(plain), str(plain), repr(plain.spec), str(plain.spec)]
    assert all(shown), "its repr is empty"
    for secret in _secrets(plain.spec.options):
        assert not any(secret in text for text in shown), "a secret is shown"


_SECRET = ("secret", "secret_access_key", "token", "password")


def _secrets(options: Mapping[str, Any]) -> Iterator[str]:
    for name, value in options.items():
        if isinstance(value, Mapping):
            yield from _secrets(value)
        elif isinstance(value, str) and name.lower().endswith(_SECRET):
            yield value


def _reads_below_prefixes(store: Store) -> None:
    plain = plain_of(store)
    for below in (at_prefix(plain, "a/c"), SubStore(plain, "a/c/"), at_prefix(plain, "a/c/")):
        assert below.get("0/0") == OBJECTS["a/c/0/0"]
        assert below.get("zarr.json") is None
        assert below.get_many([("10", ByteRange(-2))]) == [OBJECTS["a/c/10"][-2:]]
        info = below.head("10")
        assert info is not None
        assert (info.key, info.size) == ("10", 10)
        if plain.capabilities.listable:
            assert {info.key for info in below.list()} == {"0/0", "0/1", "10"}
            assert {info.key for info in below.list("0/")} == {"0/0", "0/1"}
            level = below.list_level()
            assert (level.keys, level.prefixes) == (("10",), ("0/",))
        _raises_invalid(below, "../zarr.json", partial(below.get, "../zarr.json"))
        assert pickle.loads(pickle.dumps(below)) == below


def _refuses_writes(store: Store) -> None:
    """A store that is not writable, or opened with mode "r", refuses and changes nothing."""
    plain = plain_of(store)
    closed = plain if not plain.capabilities.writable else open_store(plain, mode="r")
    assert not closed.capabilities.writable
    view: Any = Awaited(closed) if isinstance(store, Awaited) else closed
    raises(ReadOnlyError, view, "one", lambda: view.put("one", b"2"))
    raises(ReadOnlyError, view, "new", lambda: view.put("new", b"2"))
    raises(ReadOnlyError, view, "one", lambda: view.delete("one"))
    raises(ReadOnlyError, view, "a/", lambda: view.delete_prefix("a/"))
    _gets(view)
    assert view.get("new") is None
    assert pickle.loads(pickle.dumps(closed)) == closed
    assert not pickle.loads(pickle.dumps(closed)).capabilities.writable
    if view is not closed:
        view.close()


def _reads_from_threads(store: Store) -> None:
    def work(number: int) -> None:
        requests = list(_random_requests(4, number))
        expected = [_part(OBJECTS[k], r) if k in OBJECTS else None for k, r in requests]
        for _ in range(2):
            assert store.get_many(requests) == expected
            assert [store.get(*request) for request in requests] == expected
            info = store.head("one")
            assert info is not None
            assert info.size == 1
            if store.capabilities.listable:
                assert store.list_level("a/c/").keys == ("a/c/10",)

    at_once(work)


READS: dict[str, Callable[[Store], None]] = {
    "gets": _gets,
    "gets-ranges": _gets_ranges,
    "gets-many": _gets_many,
    "heads": _heads,
    "lists": _lists,
    "lists-levels": _lists_levels,
    "refuses-bad-keys": _refuses_bad_keys,
    "is-a-value": _is_a_value,
    "keeps-secrets": _keeps_secrets,
    "reads-below-prefixes": _reads_below_prefixes,
    "refuses-writes": _refuses_writes,
    "reads-from-threads": _reads_from_threads,
}
