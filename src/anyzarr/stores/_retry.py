"""How often, and after what pauses, a request is made again that a network or a server failed."""

from __future__ import annotations

import errno
import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from anyzarr import config

__all__ = ["BadAnswerError", "Retry", "body_pauses", "is_passing", "is_passing_status", "retry_of"]

_LONGEST_PAUSE_SECONDS: Final = 15.0
_TOTAL_SECONDS: Final = 180.0
_BODY_ATTEMPTS: Final = 3
_PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_PASSING_ERRNO: Final = frozenset(
    {errno.EBUSY, errno.EIO, getattr(errno, "EREMOTEIO", errno.EIO), errno.ETIMEDOUT}
)
_PASSING_CLASSES: Final = frozenset(
    {
        ("aiohttp", "ClientConnectionError"),
        ("aiohttp", "ClientPayloadError"),
        ("botocore", "HTTPClientError"),
        ("botocore", "IncompleteReadError"),
        ("botocore", "ResponseParserError"),
    }
)


class BadAnswerError(OSError):
    """A server's answer contradicts itself, or the question."""


@dataclass(frozen=True, slots=True)
class Retry:
    """What is done about failing requests.

    Attributes
    ----------
    retries
        How often a request is made again; 0: never.
    delay_seconds
        The first pause; each further one is up to twice as long.
    timeout_seconds
        How long one request may take; None: what the client library thinks right.
    """

    retries: int = 10
    delay_seconds: float = 0.1
    timeout_seconds: float | None = None

    @classmethod
    def current(cls) -> Retry:
        """Return the settings that hold now; see :func:`anyzarr.config.get`."""
        return cls(
            int(config.get("retries")),
            float(config.get("retry_delay_seconds")),
            config.get("timeout_seconds"),
        )

    def pauses(self) -> Iterator[float]:
        """Iterate over the pauses before each further request, in seconds."""
        for pause in itertools.islice(_growing(self.delay_seconds), self.retries):
            yield random.uniform(pause / 2, pause)

    def for_obstore(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return options for obstore that say so, except where they say something already."""
        default = Retry()
        chosen = dict(options)
        if (self.retries, self.delay_seconds) != (default.retries, default.delay_seconds):
            chosen.setdefault("retry_config", self._retry_config())
        if self.timeout_seconds is not None:
            client = dict(chosen.get("client_options") or {})
            client.setdefault("timeout", timedelta(seconds=self.timeout_seconds))
            chosen["client_options"] = client
        return chosen

    def _retry_config(self) -> dict[str, Any]:
        first = min(self.delay_seconds, _LONGEST_PAUSE_SECONDS)
        return {
            "max_retries": self.retries,
            "retry_timeout": timedelta(seconds=_TOTAL_SECONDS),
            "backoff": {
                "init_backoff": timedelta(seconds=first),
                "max_backoff": timedelta(seconds=min(_LONGEST_PAUSE_SECONDS, first * 2**10)),
                "base": 2.0,
            },
        }


def is_passing_status(status: Any) -> bool:
    """Whether an HTTP status says that asking again may help."""
    return status in _PASSING


def is_passing(error: BaseException) -> bool:
    """Whether what went wrong with a request may go right the next time."""
    if isinstance(error, ConnectionError | TimeoutError | BadAnswerError):
        return True
    if isinstance(error, OSError) and error.errno in _PASSING_ERRNO:
        return True
    if is_passing_status(getattr(error, "status", None)):
        return True
    return any(
        (cls.__module__.partition(".")[0], cls.__name__) in _PASSING_CLASSES
        for cls in type(error).__mro__
    )


def _growing(first: float) -> Iterator[float]:
    pause = first
    while True:
        yield min(pause, _LONGEST_PAUSE_SECONDS)
        pause *= 2


def body_pauses(store: Any) -> Iterator[float]:
    """Iterate over the pauses before an obstore store is asked again for what broke off.

    obstore itself repeats requests that fail before their answer begins.
    """
    return itertools.islice(retry_of(store).pauses(), _BODY_ATTEMPTS - 1)


def retry_of(store: Any) -> Retry:
    """Return what an obstore store does about failing requests."""
    chosen = getattr(store, "retry_config", None)
    if chosen is None:
        return Retry()
    return Retry(chosen["max_retries"], chosen["backoff"]["init_backoff"].total_seconds())
