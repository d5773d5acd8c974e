"""The order of precedence of settings, and their scope."""

from __future__ import annotations

import threading

import pytest

import anyzarr
from anyzarr import config


def test_argument_then_set_then_environment_then_default(monkeypatch):
    memory = {}
    anyzarr.create_array(memory, shape=(2,), dtype="u1")
    automatic = anyzarr.open(memory).engine
    assert automatic in {"native", "zarrs"}
    monkeypatch.setenv("ANYZARR_ENGINE", "tensorstore")
    assert anyzarr.open(memory).engine == "tensorstore"
    with config.set(engine="zarr"):
        assert anyzarr.open(memory).engine == "zarr"
        assert anyzarr.open(memory, engine="zarrs").engine == "zarrs"
        with config.set(engine=None):
            assert anyzarr.open(memory).engine == automatic
    assert anyzarr.open(memory).engine == "tensorstore"


def test_set_is_lasting_as_a_call_and_scoped_as_a_block(monkeypatch):
    monkeypatch.setattr(config, "_globals", {})
    config.set(concurrency=3)
    assert config.get("concurrency") == 3
    with config.set(concurrency=5):
        assert config.get("concurrency") == 5
    assert config.get("concurrency") == 3
    config.set(concurrency=None)
    assert config.get("concurrency") is None


def test_a_scope_is_seen_by_no_other_thread():
    seen = []
    with config.scope(write_empty_chunks=True):
        thread = threading.Thread(target=lambda: seen.append(config.get("write_empty_chunks")))
        thread.start()
        thread.join()
        assert config.get("write_empty_chunks") is True
    assert seen == [False]


def test_a_block_that_raises_is_taken_back():
    with pytest.raises(RuntimeError), config.set(engine="zarr"):
        raise RuntimeError
    assert config.get("engine") is None


@pytest.mark.parametrize(
    ("variable", "text", "name", "value"),
    [
        ("ANYZARR_CONCURRENCY", "7", "concurrency", 7),
        ("ANYZARR_CONCURRENCY", "", "concurrency", None),
        ("ANYZARR_WRITE_EMPTY_CHUNKS", "Yes", "write_empty_chunks", True),
        ("ANYZARR_WRITE_EMPTY_CHUNKS", "0", "write_empty_chunks", False),
        ("ANYZARR_BACKEND", "fsspec", "backend", "fsspec"),
    ],
)
def test_environment(monkeypatch, variable, text, name, value):
    monkeypatch.setenv(variable, text)
    assert config.get(name) == value


@pytest.mark.parametrize(
    ("variable", "text", "name"),
    [
        ("ANYZARR_CONCURRENCY", "none", "concurrency"),
        ("ANYZARR_CONCURRENCY", "0", "concurrency"),
        ("ANYZARR_WRITE_EMPTY_CHUNKS", "perhaps", "write_empty_chunks"),
    ],
)
def test_a_bad_environment_is_named(monkeypatch, variable, text, name):
    monkeypatch.setenv(variable, text)
    with pytest.raises(ValueError, match=variable):
        config.get(name)


def test_unknown_settings_are_refused():
    for call in (lambda: config.get("warp"), lambda: config.set(warp=9), config_scope_warp):
        with pytest.raises(KeyError, match="concurrency"):
            call()


def config_scope_warp():
    with config.scope(warp=9):
        pass
