"""A server that fails, and the ways in which bytes come from it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import anyzarr

from .._object_server import ObjectServer, serving  # noqa: TID252 (tests are no installed package)


@pytest.fixture
def server() -> Iterator[ObjectServer]:
    with serving() as server:
        yield server


@pytest.fixture(autouse=True)
def _quick() -> Iterator[None]:
    """Three requests at most for anything, one after the other without delay."""
    with anyzarr.config.set(retries=2, retry_delay_seconds=0.001):
        yield
