"""Every backend, and every live object that is wrapped, keeps the store contract."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from anyzarr.abc import Store
from anyzarr.stores import LocalStore, MemoryStore
from anyzarr.testing import store_contract

NewStore = Callable[[Mapping[str, bytes]], Store]
NAMES = [str(case) for case in store_contract(lambda objects: MemoryStore())]


def run(name: str, new_empty: Callable[[], Store]) -> None:
    def new_store(objects: Mapping[str, bytes]) -> Store:
        store = new_empty()
        for key, value in objects.items():
            store.put(key, value)
        return store

    next(case for case in store_contract(new_store) if str(case) == name).run()


@pytest.fixture
def folders(tmp_path: Path) -> Iterator[Path]:
    return (tmp_path / f"folder {n}" for n in itertools.count())


@pytest.mark.parametrize("name", NAMES)
def test_local(name: str, folders: Iterator[Path]) -> None:
    run(name, lambda: LocalStore(next(folders)))


@pytest.mark.parametrize("name", NAMES)
def test_memory(name: str) -> None:
    run(name, MemoryStore)
