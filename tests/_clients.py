"""Several clients of one store at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

__all__ = ["distinct", "together"]


def together(works: list[Callable[[], object]]) -> None:
    """Do all of this at once, each in a thread; raise the first error."""
    errors: list[BaseException] = []

    def guarded(work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised below
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for error in errors:
        raise error


def distinct(store: Any, number: int) -> Any:
    """Return a store of another address over the same objects, which shares no lock."""

    class Distinct(type(store)):
        @property
        def url(self) -> str:
            return f"client-{number}:{super().url}"

    twin = Distinct.__new__(Distinct)
    twin.__dict__.update(store.__dict__)
    return twin
