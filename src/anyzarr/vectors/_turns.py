"""One writer of a level at a time: threads, processes, and hosts where the store can tell."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from anyzarr.abc import ABSENT, Precondition, Store
from anyzarr.crud._process_locks import exclusive
from anyzarr.errors import ConflictError
from anyzarr.stores import join

__all__ = ["Turn", "one_writer"]

_NAME = ".anyzarr-writer-of-{}"
_RENEW_SECONDS = 10.0
_DEAD_SECONDS = 60.0
_POLL_SECONDS = (0.05, 2.0)


@dataclass(eq=False)
class Turn:
    """The right to write, as long as nobody has taken it.

    Attributes
    ----------
    store, key
        The object that says who writes.
    etag
        Its ETag, which changes whenever the writer says that it is alive.
    """

    store: Store
    key: str
    etag: Precondition | None
    _done: threading.Event = field(default_factory=threading.Event)
    _lost: ConflictError | None = None

    def renew(self) -> None:
        """Say that the writer is alive, until it is done."""
        while not self._done.wait(_RENEW_SECONDS):
            try:
                self.etag = self.store.put(self.key, _who(), precondition=self.etag)
            except ConflictError as error:
                self._lost = error
                return

    def check(self) -> None:
        """Raise if another writer has taken this one for dead.

        Raises
        ------
        ConflictError
            It has.
        """
        if self._lost is not None:
            raise ConflictError(
                f"another writer took over {self.key!r} in {self.store.spec}, as this one gave no "
                f"sign of life for {_DEAD_SECONDS:.0f} s; write again with mode='append' once it "
                "is known which rows are there",
                store=str(self.store.spec),
                key=self.key,
            ) from self._lost


@contextmanager
def one_writer(store: Store, path: str, level: int) -> Iterator[Turn]:
    """Hold the right to write to a level.

    On a folder it is held against the threads and processes of this host. In an object store
    that puts conditionally it is an object beside the level, made if it is not there and renewed
    while the writer lives; who waits and sees it unchanged for a minute takes it for left behind.
    Elsewhere it is held against the threads of this process.

    Parameters
    ----------
    store, path
        The root of the vector store.
    level
        The level's number.
    """
    capabilities = store.capabilities
    shared = capabilities.conditional_put and capabilities.local_root is None
    key = join(path, _NAME.format(level))
    with exclusive(store, [key]):
        if not shared or store.spec.backend == "memory":
            yield Turn(store, key, None)
            return
        turn = Turn(store, key, _acquired(store, key))
        alive = threading.Thread(target=turn.renew, name="anyzarr-turn", daemon=True)
        alive.start()
        try:
            yield turn
        finally:
            turn._done.set()
            alive.join()
            if turn._lost is None:
                store.delete(turn.key)


def _who() -> bytes:
    # A new value each time, so that the ETag changes even where it is a digest.
    told = {"host": socket.gethostname(), "pid": os.getpid(), "sign": uuid.uuid4().hex}
    return json.dumps(told).encode()


def _acquired(store: Store, key: str) -> Precondition | None:
    """Wait for the turn; return the ETag of the object that says whose it is."""
    pause, longest = _POLL_SECONDS
    seen: Precondition | None = ABSENT
    since = time.monotonic()
    while True:
        try:
            return store.put(key, _who(), precondition=ABSENT)
        except ConflictError:
            info = store.head(key)
        if info is None:
            continue
        if info.etag != seen:
            seen, since = info.etag, time.monotonic()
        elif time.monotonic() - since > _DEAD_SECONDS:
            try:
                return store.put(key, _who(), precondition=seen)
            except ConflictError:
                seen = ABSENT
                continue
        time.sleep(pause)
        pause = min(2 * pause, longest)
