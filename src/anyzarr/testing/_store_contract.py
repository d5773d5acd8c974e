"""What every store must do, as cases that any test runner can run."""

from __future__ import annotations

import unittest
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from anyzarr.abc import AsyncStore, Store
from anyzarr.testing._store_reads import READS
from anyzarr.testing._store_tools import OBJECTS, Awaited
from anyzarr.testing._store_writes import WRITES

__all__ = ["StoreCase", "store_contract"]

NewStore = Callable[[Mapping[str, bytes]], Store]
_WAYS: Final = ("sync", "async")


@dataclass(frozen=True)
class StoreCase:
    """One requirement on a store.

    Attributes
    ----------
    requirement
        What is required.
    way
        ``sync``: by the plain methods. ``async``: by the methods called ``*_async``.
    new_store
        Makes a store that holds the given objects and no others.
    """

    requirement: str
    way: str
    new_store: NewStore

    def __str__(self) -> str:
        return f"{self.requirement}-{self.way}"

    def run(self) -> None:
        """Check it.

        Raises
        ------
        AssertionError
            The store does not do what is required.
        unittest.SkipTest
            The store can only be read, or has no asynchronous methods, and the requirement is on
            those; the message says so. pytest reports it as skipped.
        """
        writing = self.requirement in WRITES
        store = self.new_store({} if writing else OBJECTS)
        if writing and not store.capabilities.writable:
            raise unittest.SkipTest(f"{store.spec.backend} is for reading only")
        check = WRITES[self.requirement] if writing else READS[self.requirement]
        if self.way == "sync":
            check(store)
            return
        if not isinstance(store, AsyncStore):
            raise unittest.SkipTest(f"{type(store).__name__} has no asynchronous methods")
        awaited = Awaited(store)
        try:
            check(awaited)
        finally:
            awaited.close()


def store_contract(
    new_store: NewStore, *, requirements: Sequence[str] | None = None
) -> list[StoreCase]:
    """Return all that is required of a store, as cases to run one by one.

    Parameters
    ----------
    new_store
        Called for each case with a mapping of keys to bytes; returns a store that holds these
        objects and no others. A store that can only be read is made over objects that were
        put there in another way; requirements on writing are then skipped.
    requirements
        Names of the requirements to test; all by default.

    Returns
    -------
    list of StoreCase
        Each requirement twice, by the plain methods and by the asynchronous ones. Each case
        has a name (``str(case)``) and ``run()``.

    Notes
    -----
    What a store need not have is taken from its ``capabilities``: listing, conditional puts,
    atomic puts. What it says it has is required of it.

    Examples
    --------
    >>> from anyzarr.stores import MemoryStore
    >>> from anyzarr.testing import store_contract
    >>> def new_store(objects):
    ...     store = MemoryStore()
    ...     for key, value in objects.items():
    ...         _ = store.put(key, value)
    ...     return store
    >>> for case in store_contract(new_store, requirements=["gets", "puts"]):
    ...     case.run()

    With pytest:

    >>> import pytest
    >>> @pytest.mark.parametrize("case", store_contract(new_store), ids=str)
    ... def test_contract(case):
    ...     case.run()
    """
    chosen = (*READS, *WRITES) if requirements is None else tuple(requirements)
    return [StoreCase(name, way, new_store) for name in chosen for way in _WAYS]
