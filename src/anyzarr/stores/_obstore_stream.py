"""Uploads of bytes that arrive in parts, while they arrive."""

from __future__ import annotations

import contextvars
import queue
import threading
from collections.abc import Callable, Iterable, Iterator

__all__ = ["upload"]

_WAITING_PARTS = 2
_LOOK_SECONDS = 0.1


def upload(parts: Iterable[bytes], put: Callable[[Iterator[bytes]], object]) -> None:
    """Call ``put`` with parts that are made on this thread.

    obstore asks for them on a thread of its runtime, where nothing may be read through obstore;
    and parts are often made of what is read from the same service.

    Parameters
    ----------
    parts
        What is uploaded. If it raises, so does the iterator that ``put`` has, and then this.
    put
        Uploads; called on another thread, which has ended when this returns.
    """
    uploading = _Uploading(put)
    try:
        for part in parts:
            if not uploading.offer(part):
                break
        uploading.offer(None)
    except BaseException as error:
        uploading.offer(error)
        uploading.join()
        raise
    uploading.join()
    if uploading.failed:
        raise uploading.failed[0]


class _Uploading:
    """An upload on a thread of its own, which is handed what to send."""

    def __init__(self, put: Callable[[Iterator[bytes]], object]) -> None:
        self.failed: list[BaseException] = []
        self._put = put
        self._offered: queue.Queue[bytes | BaseException | None] = queue.Queue(_WAITING_PARTS)
        self._ended = threading.Event()
        context = contextvars.copy_context()
        self._thread = threading.Thread(target=context.run, args=(self._run,), daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._put(self._arriving())
        except BaseException as error:  # noqa: BLE001 - raised on the thread that waits for it
            self.failed.append(error)
        finally:
            self._ended.set()

    def _arriving(self) -> Iterator[bytes]:
        while (part := self._offered.get()) is not None:
            if isinstance(part, BaseException):
                raise part
            yield part

    def offer(self, part: bytes | BaseException | None) -> bool:
        """Hand over a part, an error instead of one, or the end; False if nobody takes it."""
        while not self._ended.is_set():
            try:
                self._offered.put(part, timeout=_LOOK_SECONDS)
            except queue.Full:
                continue
            return True
        return False

    def join(self) -> None:
        """Wait for the end. An interrupt is raised when it has come: nobody sends after us."""
        try:
            self._thread.join()
        except BaseException:
            self._thread.join()
            raise
