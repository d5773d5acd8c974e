"""Settings, in the order: argument, ``config.set``, environment, default.

Settings live in a context variable, so that ``with config.set(...)`` holds for this thread
or task only and constructing an object never changes them.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar, Token
from dataclasses import dataclass
from types import MappingProxyType, TracebackType
from typing import Any

__all__ = ["get", "scope", "set"]


@dataclass(frozen=True)
class _Setting:
    default: Any
    variable: str
    parse: Callable[[str], Any]


def _parse_bool(text: str) -> bool:
    value = text.strip().lower()
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off", ""}:
        return False
    raise ValueError("expected one of 1, 0, true, false, yes, no, on, off")


def _parse_positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError("expected a whole number of at least 1")
    return value


def _parse_count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise ValueError("expected a whole number of at least 0")
    return value


def _parse_seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < math.inf:
        raise ValueError("expected a number of seconds above 0")
    return value


_SETTINGS: Mapping[str, _Setting] = {
    "engine": _Setting(None, "ANYZARR_ENGINE", str),
    "backend": _Setting(None, "ANYZARR_BACKEND", str),
    "concurrency": _Setting(None, "ANYZARR_CONCURRENCY", _parse_positive),
    "lock_folder": _Setting(None, "ANYZARR_LOCK_FOLDER", str),
    "retries": _Setting(10, "ANYZARR_RETRIES", _parse_count),
    "retry_delay_seconds": _Setting(0.1, "ANYZARR_RETRY_DELAY_SECONDS", _parse_seconds),
    "timeout_seconds": _Setting(None, "ANYZARR_TIMEOUT_SECONDS", _parse_seconds),
    "write_empty_chunks": _Setting(False, "ANYZARR_WRITE_EMPTY_CHUNKS", _parse_bool),
}

_EMPTY: Mapping[str, Any] = MappingProxyType({})
_UNSET = object()
_globals: dict[str, Any] = {}
_scoped: ContextVar[Mapping[str, Any]] = ContextVar("anyzarr_config", default=_EMPTY)


def _check(name: str) -> _Setting:
    try:
        return _SETTINGS[name]
    except KeyError:
        known = ", ".join(sorted(_SETTINGS))
        raise KeyError(f"no setting is called {name!r}; the settings are {known}") from None


def get(name: str) -> Any:
    """Return a setting: from the innermost ``with set``, ``set``, the environment, the default.

    Parameters
    ----------
    name
        ``engine``, ``backend``, ``concurrency`` (threads per read or write; None: the number
        of processors), ``lock_folder`` (where the locks lie that keep processes apart that write
        to one local dataset), ``retries`` (how often a request to a remote store is made again
        that the network or the server failed), ``retry_delay_seconds`` (the first pause before
        that, doubled each time), ``timeout_seconds`` (how long one request may take; None: as
        the client library has it), or ``write_empty_chunks``. Those of remote stores hold for
        the stores opened under them.

    Raises
    ------
    KeyError
        No setting has this name.
    ValueError
        The environment variable of the setting cannot be parsed.

    Examples
    --------
    >>> import anyzarr
    >>> with anyzarr.config.set(engine="zarr"):
    ...     anyzarr.config.get("engine")
    'zarr'
    """
    setting = _check(name)
    scoped = _scoped.get()
    if name in scoped:
        return scoped[name]
    if name in _globals:
        return _globals[name]
    text = os.environ.get(setting.variable)
    if text is None or text == "":
        return setting.default
    try:
        return setting.parse(text)
    except ValueError as error:
        raise ValueError(f"{setting.variable}={text!r} is not valid: {error}") from None


class set:  # noqa: A001, N801 - reads as the verb it is: anyzarr.config.set(...)
    """Change settings for the process, or inside a ``with`` block for this context only.

    Parameters
    ----------
    **settings
        See :func:`get`. None takes back to the default, past the environment.

    Examples
    --------
    >>> import anyzarr
    >>> with anyzarr.config.set(concurrency=1):
    ...     anyzarr.config.get("concurrency")
    1
    """

    def __init__(self, **settings: Any) -> None:
        for name in settings:
            _check(name)
        self._settings = settings
        self._before = {name: _globals.get(name, _UNSET) for name in settings}
        self._token: Token[Mapping[str, Any]] | None = None
        _globals.update(settings)

    def __enter__(self) -> None:
        # As a context manager the change is scoped: take back the process-wide one.
        for name, value in self._before.items():
            if value is _UNSET:
                _globals.pop(name, None)
            else:
                _globals[name] = value
        self._token = _scoped.set({**_scoped.get(), **self._settings})

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._token is not None:
            _scoped.reset(self._token)


@contextlib.contextmanager
def scope(**settings: Any) -> Iterator[None]:
    """Change settings inside a ``with`` block, for this thread or task and nobody else.

    ``with set(...)`` does the same, but is seen by other threads for the instant between the
    call and the block, because the call alone is a lasting change.

    Parameters
    ----------
    **settings
        See :func:`get`.

    Examples
    --------
    >>> import anyzarr
    >>> with anyzarr.config.scope(write_empty_chunks=True):
    ...     anyzarr.config.get("write_empty_chunks")
    True
    """
    for name in settings:
        _check(name)
    token = _scoped.set({**_scoped.get(), **settings})
    try:
        yield
    finally:
        _scoped.reset(token)
