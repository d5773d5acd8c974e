"""Derive the ``name_async`` twin of a function: the same work, in a worker thread.

One place does it, so that a twin cannot differ from its original.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

__all__ = ["async_twin"]

P = ParamSpec("P")
R = TypeVar("R")


def async_twin(function: Callable[P, R]) -> Callable[P, Awaitable[R]]:
    """Return a coroutine function that runs ``function`` in a thread, context included."""

    @functools.wraps(function)
    async def twin(*args: P.args, **kwargs: P.kwargs) -> R:
        return await asyncio.to_thread(function, *args, **kwargs)

    name = f"{function.__name__}_async"
    twin.__name__ = name
    twin.__qualname__ = name
    twin.__doc__ = (
        f"Await :func:`{function.__name__}`: same parameters, same result, same errors.\n\n"
        "The work is done in a worker thread, with the caller's context variables.\n"
    )
    return twin
