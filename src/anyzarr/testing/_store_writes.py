"""What every store that can be written to must do. Each requirement is given an empty one."""

from __future__ import annotations

import threading
from collections.abc import Callable

from anyzarr.abc import ABSENT, ObjectInfo, Store
from anyzarr.errors import ConflictError, UnsupportedError
from anyzarr.testing._store_tools import OBJECTS, at_once, pattern, raises

__all__ = ["WRITES"]


def _keys(store: Store, prefix: str = "") -> set[str]:
    return {info.key for info in store.list(prefix)}


def _puts(store: Store) -> None:
    for key, value in OBJECTS.items():
        tag = store.put(key, value)
        info = store.head(key)
        assert isinstance(info, ObjectInfo)
        assert (info.key, info.size) == (key, len(value))
        assert tag is None or tag == info.etag, "put returned another ETag than head"
        assert store.get(key) == value
    for value in (b"longer than before", b"short", b"", b"0123456789" * 300_000, b"x"):
        store.put("a/c/10", value)
        assert store.get("a/c/10") == value
    if store.capabilities.listable:
        assert _keys(store) == set(OBJECTS)
        assert store.list_level("a/c/").keys == ("a/c/10",)


def _puts_buffers(store: Store) -> None:
    value = bytearray(b"0123456789")
    words = memoryview(pattern(64)).cast("i")
    for given, expected in (
        (value, bytes(value)),
        (bytearray(), b""),
        (memoryview(value), bytes(value)),
        (memoryview(value)[2:5], b"234"),
        (memoryview(value)[::3], b"0369"),
        (memoryview(b""), b""),
        (words, pattern(64)),
        (words[3:5], pattern(64)[12:20]),
        (memoryview(pattern(64)).cast("B", (8, 8)), pattern(64)),
    ):
        store.put("k", given)
        assert store.get("k") == expected
    store.put("k", value)
    value[:] = b"          "  # the store has a copy
    assert store.get("k") == b"0123456789"


def _tells_versions_apart(store: Store) -> None:
    first, second = store.put("k", b"one"), store.put("k", b"two")
    assert (first is None) == (second is None)
    assert first is None or first != second, "another value of the same size has the same ETag"
    info = store.head("k")
    assert info is not None
    assert second is None or info.etag == second


def _deletes(store: Store) -> None:
    for key in ("a/b/1", "a/b/2", "a/c", "ab"):
        store.put(key, b"1")
    store.delete("a/b/1")
    store.delete("a/b/1")
    store.delete("nothing")
    store.delete("nothing/there")
    store.delete("a/b")  # no object, though there are some below it
    store.delete("ab/below/an/object")
    assert store.get("a/b/1") is None
    assert store.head("a/b/1") is None
    found = store.get_many([("a/b/2", None), ("a/c", None), ("ab", None)])
    assert found == [b"1"] * 3
    store.delete("a/b/2")
    if store.capabilities.listable:
        assert _keys(store) == {"a/c", "ab"}
        # Where prefixes are directories, an emptied one may still be listed.
        assert set(store.list_level("a/").prefixes) <= {"a/b/"}
    store.put("a/b/1", b"again")
    assert store.get("a/b/1") == b"again"


def _deletes_prefixes(store: Store) -> None:
    if not store.capabilities.listable:
        return
    for key in ("a/b/1", "a/b/c/2", "a/bc", "ab/d", "z"):
        store.put(key, b"1")
    store.delete_prefix("nothing/")
    store.delete_prefix("z/")
    assert _keys(store) == {"a/b/1", "a/b/c/2", "a/bc", "ab/d", "z"}
    store.delete_prefix("a/b/")
    assert _keys(store) == {"a/bc", "ab/d", "z"}
    assert store.list_level("a/").prefixes == ()
    store.delete_prefix("a/")
    assert _keys(store) == {"ab/d", "z"}
    store.delete_prefix("")
    store.delete_prefix("")
    assert _keys(store) == set()
    assert store.list_level().prefixes == ()
    store.put("a/b/1", b"again")
    assert _keys(store) == {"a/b/1"}


def _lists_many(store: Store) -> None:
    if not store.capabilities.listable:
        return
    keys = [f"many/{name}{n}" for n in range(40) for name in ("", "c/")]
    at_once(lambda number: [store.put(key, key.encode()) for key in keys[number::8]])
    assert _keys(store) == _keys(store, "many/") == set(keys)
    level = store.list_level("many/")
    assert level.keys == tuple(sorted(key for key in keys if "c/" not in key))
    assert level.prefixes == ("many/c/",)
    found = store.get_many([(key, None) for key in keys])
    assert found == [key.encode() for key in keys]


def _puts_if_absent(store: Store) -> None:
    try:
        store.put("k", b"first", precondition=ABSENT)
    except UnsupportedError:
        assert not store.capabilities.conditional_put, "it says it has conditional put"
        return
    raises(ConflictError, store, "k", lambda: store.put("k", b"second", precondition=ABSENT))
    assert store.get("k") == b"first"
    store.delete("k")
    store.put("k", b"third", precondition=ABSENT)
    assert store.get("k") == b"third"


def _puts_if_unchanged(store: Store) -> None:
    tag = store.put("k", b"first")
    if tag is None:
        assert not store.capabilities.conditional_put, "it has conditional put but no ETags"
        raises(UnsupportedError, store, "k", lambda: store.put("k", b"", precondition="tag"))
        return
    second = store.put("k", b"second", precondition=tag)
    assert store.get("k") == b"second"
    raises(ConflictError, store, "k", lambda: store.put("k", b"third", precondition=tag))
    raises(ConflictError, store, "new", lambda: store.put("new", b"", precondition=tag))
    assert store.get("k") == b"second"
    assert store.get("new") is None
    store.delete("k")
    raises(ConflictError, store, "k", lambda: store.put("k", b"", precondition=second))
    assert store.get("k") is None


def _loses_no_update(store: Store) -> None:
    """Threads that add one each, starting again when another was first, all count."""
    if not store.capabilities.conditional_put:
        return
    rounds = 3
    winners: list[int] = []

    def create(number: int) -> None:
        try:
            store.put("created", b"%d" % number, precondition=ABSENT)
            winners.append(number)
        except ConflictError:
            pass

    def add(number: int) -> None:
        for _ in range(rounds):
            while True:
                info = store.head("count")
                value = store.get("count")
                assert info is not None
                assert value is not None
                try:
                    # Were the value newer than the ETag, the ETag would not fit any more.
                    store.put("count", b"%d" % (int(value) + 1), precondition=info.etag)
                except ConflictError:
                    continue
                break

    at_once(create, 4)
    assert len(winners) == 1, f"{len(winners)} writers were the only one to create an object"
    assert store.get("created") == b"%d" % winners[0]
    store.put("count", b"0")
    at_once(add, 4)
    assert store.get("count") == b"%d" % (4 * rounds)


def _puts_from_threads(store: Store) -> None:
    def work(number: int) -> None:
        for n in range(4):
            key = f"t/{number}/{n}"
            store.put(key, key.encode() * 50)
            store.put("t/same", b"%d" % number * 1000)
            assert store.get(key) == key.encode() * 50
        store.delete(f"t/{number}/0")

    at_once(work)
    same = store.get("t/same")
    assert same in [b"%d" % number * 1000 for number in range(8)]
    for number in range(8):
        assert store.get(f"t/{number}/0") is None
        assert store.get(f"t/{number}/3") == f"t/{number}/3".encode() * 50
    if store.capabilities.listable:
        assert len(_keys(store, "t/")) == 8 * 3 + 1


def _never_shows_half(store: Store) -> None:
    """A reader meets the old value or the new one, and never a part or a mixture of them."""
    if not store.capabilities.atomic_put:
        return
    values = (b"a" * 300_000, b"b" * 200_000, b"c" * 7)
    store.put("k", values[0])
    done = threading.Event()

    def work(number: int) -> None:
        if number == 0:
            try:
                for n in range(20):
                    store.put("k", values[n % 3])
            finally:
                done.set()
            return
        while not done.is_set():
            found = store.get("k")
            assert found in values, "a reader met half of a value"
            info = store.head("k")
            assert info is not None
            assert info.size in map(len, values)
            if store.capabilities.listable:
                assert _keys(store) == {"k"}, "a listing shows what is being written"

    at_once(work, 4)


WRITES: dict[str, Callable[[Store], None]] = {
    "puts": _puts,
    "puts-buffers": _puts_buffers,
    "tells-versions-apart": _tells_versions_apart,
    "deletes": _deletes,
    "deletes-prefixes": _deletes_prefixes,
    "lists-many": _lists_many,
    "puts-if-absent": _puts_if_absent,
    "puts-if-unchanged": _puts_if_unchanged,
    "loses-no-update": _loses_no_update,
    "puts-from-threads": _puts_from_threads,
    "never-shows-half": _never_shows_half,
}
