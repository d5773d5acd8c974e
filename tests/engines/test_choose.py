"""Engines by name, plugins, which engine is taken, and why."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.metadata import EntryPoint
from typing import Any

import pytest

import anyzarr
from anyzarr import engines
from anyzarr.abc import ArrayIO, ChunkCodec, Engine, Store
from anyzarr.engines import (
    ByteLayerIO,
    cached_codec,
    canonical_name,
    choose,
    explain,
    get_engine,
    list_engines,
    open_array_io,
    register_engine,
)
from anyzarr.engines import _registry as registry
from anyzarr.engines._cache import BoundedCache
from anyzarr.errors import UnsupportedError
from anyzarr.metadata import ArrayMetadata, array_document, parse_array
from anyzarr.stores import LocalStore, MemoryStore

META = parse_array(array_document(shape=(4,), dtype="uint8", chunks=(2,), compressors=None))
LZ4 = parse_array(
    array_document(shape=(4,), dtype="uint8", chunks=(2,), zarr_format=2, compressors={"id": "lz4"})
)


class FakeEngine:
    """An engine that counts what it is asked for."""

    def __init__(self, name: str = "fake", reason: str | None = None) -> None:
        self.name = name
        self.reason = reason
        self.opened = self.compiled = 0

    def decline(self, metadata: ArrayMetadata, store: Store) -> str | None:
        return self.reason

    def open(self, metadata: ArrayMetadata, store: Store, path: str) -> ArrayIO:
        self.opened += 1
        return ByteLayerIO(metadata, store, path, self.codec, self.name)

    def codec(self, metadata: ArrayMetadata) -> ChunkCodec:
        self.compiled += 1
        return get_engine("zarr").codec(metadata)


@pytest.fixture(autouse=True)
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    # The same whether or not the native engine is built here; it has tests of its own.
    builtin = {name: where for name, where in registry._BUILTIN.items() if name != "native"}
    monkeypatch.setattr(registry, "_BUILTIN", builtin)
    monkeypatch.setattr(registry, "_factories", {})
    monkeypatch.setattr(registry, "_engines", {})
    monkeypatch.setattr(registry, "_plugins", None)
    monkeypatch.delenv("ANYZARR_ENGINE", raising=False)


def test_our_engines_are_listed_whether_installed_or_not() -> None:
    assert set(list_engines()) >= {"tensorstore", "zarr", "zarrs", "zarrs-python"}
    assert list_engines() == sorted(list_engines())
    assert anyzarr.list_engines() == list_engines()
    for name in ("tensorstore", "zarr", "zarrs", "zarrs-python"):
        engine = get_engine(name)
        assert isinstance(engine, Engine)
        assert engine.name == name
        assert get_engine(name) is engine


ALIASES = {"reference": "zarr", "zarr-python": "zarr", "Zarr": "zarr", "zarrista": "zarrs"}


@pytest.mark.parametrize(("alias", "name"), ALIASES.items())
def test_aliases(alias: str, name: str) -> None:
    assert canonical_name(alias) == name
    assert get_engine(alias).name == name


def test_an_unknown_engine_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnsupportedError) as raised:
        get_engine("tensrstore")
    assert raised.value.kind == "unknown_engine"
    assert "'tensorstore'" in raised.value.message


@pytest.mark.parametrize("form", ["instance", "class", "function"])
def test_engines_and_factories_are_registered(form: str) -> None:
    made: dict[str, Any] = {
        "instance": FakeEngine(), "class": FakeEngine, "function": lambda: FakeEngine()
    }  # fmt: skip
    register_engine("fake", made[form])
    assert "fake" in list_engines()
    assert get_engine("fake").name == "fake"
    assert get_engine("fake") is get_engine("fake")


def test_names_are_taken_once_and_replaced_on_request() -> None:
    register_engine("fake", FakeEngine())
    second = FakeEngine()
    for name in ("fake", "zarr"):
        with pytest.raises(ValueError, match="already there"):
            register_engine(name, second)
    for name in ("reference", "Fake"):
        with pytest.raises(ValueError, match="cannot be called"):
            register_engine(name, second)
    register_engine("fake", second, replace=True)
    assert get_engine("fake") is second


def point(name: str, value: str) -> EntryPoint:
    return EntryPoint(name=name, value=value, group="anyzarr.engines")


class Loaded(FakeEngine):
    def __init__(self) -> None:
        super().__init__("plugged")


def test_plugins_are_found_and_a_broken_one_only_warns(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [
        point("plugged", f"{__name__}:Loaded"),
        point("broken", "no_such_module_of_anyzarr:Engine"),
        point("not-an-engine", "builtins:object"),
        point("zarr", "builtins:object"),
    ]
    monkeypatch.setattr(registry, "_entry_points", lambda: points)
    monkeypatch.setattr(EntryPoint, "load", _load)
    with pytest.warns(RuntimeWarning, match="'zarr'"):
        assert {"plugged", "broken", "zarr"} <= set(list_engines())
    assert get_engine("plugged").name == "plugged"
    assert get_engine("zarr").name == "zarr"
    for name in ("broken", "not-an-engine"):
        with (
            pytest.warns(RuntimeWarning, match=name),
            pytest.raises(UnsupportedError) as raised,
        ):
            get_engine(name)
        assert raised.value.kind == "unknown_engine"
    assert choose(META, MemoryStore()).name in {"native", "zarrs", "zarr"}


def _load(entry: EntryPoint) -> Any:
    if entry.name == "plugged":
        return Loaded
    if entry.name == "not-an-engine":
        return object
    raise ModuleNotFoundError(entry.value)


def test_a_broken_plugin_is_a_reason_and_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_entry_points", lambda: [point("broken", "nowhere:E")])
    with pytest.warns(RuntimeWarning, match="broken"):
        reports = {report.name: report for report in explain(META, MemoryStore())}
    assert not reports["broken"].usable
    assert reports["zarr"].usable


# ------------------------------------------------------------------------------------ choosing


def test_the_first_of_the_automatic_order_that_can_is_taken() -> None:
    assert choose(META, MemoryStore()).name == "zarrs"
    assert choose(LZ4, MemoryStore()).name == "zarr"
    assert choose(META, None).name == "zarrs"
    register_engine("native", FakeEngine("native"))
    assert choose(META, MemoryStore()).name == "native"
    register_engine("native", FakeEngine("native", "not built"), replace=True)
    assert choose(META, MemoryStore()).name == "zarrs"


def test_argument_then_setting_then_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANYZARR_ENGINE", "tensorstore")
    assert choose(META, MemoryStore()).name == "tensorstore"
    with anyzarr.config.scope(engine="zarr"):
        assert choose(META, MemoryStore()).name == "zarr"
        assert choose(META, MemoryStore(), "zarrs-python").name == "zarrs-python"
        assert get_engine().name == "zarr"
    with anyzarr.config.scope(engine="auto"):
        assert choose(META, MemoryStore()).name == "zarrs"
    fake = FakeEngine()
    assert choose(META, MemoryStore(), fake) is fake


def test_a_named_engine_that_declines_says_why_and_who_can() -> None:
    with pytest.raises(UnsupportedError) as raised:
        choose(LZ4, MemoryStore(), "zarrs")
    error = raised.value
    assert error.engine == "zarrs"
    assert "numcodecs.lz4" in error.message
    assert error.message.endswith("engines that can: zarr")
    with anyzarr.config.scope(engine="zarrs"), pytest.raises(UnsupportedError):
        choose(LZ4, MemoryStore())


def test_where_no_engine_can_all_reasons_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list_engines():
        register_engine(name, FakeEngine(name, f"because {name}"), replace=True)
    with pytest.raises(UnsupportedError) as raised:
        choose(META, MemoryStore())
    assert "because zarrs" in raised.value.message
    register_engine("tensorstore", FakeEngine("tensorstore"), replace=True)
    with pytest.raises(UnsupportedError) as raised:
        choose(META, MemoryStore())
    assert raised.value.message.endswith("engines that can: tensorstore")


def test_explain_has_a_line_for_each_engine(tmp_path: Any) -> None:
    for store in (MemoryStore(), LocalStore(tmp_path)):
        reports = {report.name: report for report in explain(LZ4, store)}
        assert list(reports) == list_engines()
        assert [name for name, report in reports.items() if report.chosen] == ["zarr"]
        assert reports["zarr"].usable
        assert reports["zarr"].reason is None
        assert not reports["zarrs"].usable
        assert reports["zarrs"].io is None
        assert "lz4" in (reports["zarrs"].reason or "")
    local = {report.name: report.io for report in explain(META, LocalStore(tmp_path))}
    memory = {report.name: report.io for report in explain(META, MemoryStore())}
    assert (local["zarrs"], memory["zarrs"]) == ("own", "byte layer")


def test_explain_takes_an_engine_that_declines() -> None:
    reports = explain(LZ4, MemoryStore(), "zarrs")
    assert not any(report.chosen for report in reports)


def test_a_missing_package_is_a_reason_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anyzarr.engines._zarrs.is_installed", lambda module: False)
    reason = get_engine("zarrs").decline(META, MemoryStore())
    assert reason is not None
    assert 'pip install "anyzarr[zarrs]"' in reason
    assert choose(META, MemoryStore()).name == "zarr"


# -------------------------------------------------------------------------------------- opening


def test_an_array_is_opened_once_per_store() -> None:
    fake = FakeEngine()
    register_engine("fake", fake)
    first, second = MemoryStore(), MemoryStore()
    for store in (first, first, second, second):
        engine, io = open_array_io(META, store, "a", "fake")
        assert engine is fake
        assert open_array_io(META, store, "a", "fake")[1] is io
    assert fake.opened == 2
    open_array_io(META, first, "b", "fake")
    open_array_io(LZ4, first, "a", "fake")
    assert fake.opened == 4


def test_the_setting_in_force_decides_not_the_one_at_opening() -> None:
    store = MemoryStore()
    with anyzarr.config.scope(engine="zarr"):
        assert open_array_io(META, store, "a")[0].name == "zarr"
    with anyzarr.config.scope(engine="tensorstore"):
        assert open_array_io(META, store, "a")[0].name == "tensorstore"
    assert open_array_io(META, store, "a")[0].name == "zarrs"


def test_a_replaced_engine_is_not_used_again() -> None:
    register_engine("fake", FakeEngine())
    store = MemoryStore()
    open_array_io(META, store, "a", "fake")
    second = FakeEngine()
    register_engine("fake", second, replace=True)
    assert open_array_io(META, store, "a", "fake")[0] is second


def test_what_is_opened_does_not_follow_a_copy_of_the_store() -> None:
    store = MemoryStore({"a": b""})
    _, io = open_array_io(META, store, "a", "zarrs")
    twin = store.with_read_only(True)
    assert open_array_io(META, twin, "a", "zarrs")[1] is not io


def test_codecs_are_compiled_once_per_content() -> None:
    fake = FakeEngine("compiling")
    same = parse_array(dict(META.document))
    assert cached_codec(fake, META) is cached_codec(fake, same)
    assert fake.compiled == 1


def test_caches_are_bounded_and_keep_what_is_used() -> None:
    cache: BoundedCache[int] = BoundedCache(2)
    made: list[str] = []

    def make(key: str) -> Callable[[], int]:
        return lambda: made.append(key) or len(made)

    for key in ("a", "b", "a", "c", "a", "b"):
        cache.get_or_make(key, make(key))
    assert made == ["a", "b", "c", "b"]
    assert len(cache) == 2


def test_caches_are_empty_in_a_forked_child(
    run_in_forked_child: Callable[[Callable[[], Any]], tuple[str, Any]],
) -> None:
    cache: BoundedCache[int] = BoundedCache(2)
    cache.get_or_make("parent", os.getpid)
    assert run_in_forked_child(lambda: len(cache)) == ("returned", 0)
    assert len(cache) == 1


def test_engines_package_shows_what_it_says() -> None:
    assert sorted(engines.__all__) == list(engines.__all__)
