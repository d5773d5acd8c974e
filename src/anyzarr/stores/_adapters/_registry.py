"""Adapters of URL pipelines by name: ours, registered ones, and those of plugins."""

from __future__ import annotations

import importlib
import re
import threading
import warnings
from dataclasses import dataclass
from typing import Any, Final, Protocol

from anyzarr.errors import StoreError, UnsupportedError
from anyzarr.stores._adapters._source import Opened, UrlSource

__all__ = ["UrlAdapter", "adapter_of", "list_url_adapters", "register_url_adapter"]

GROUP: Final = "anyzarr.url_adapters"
_FORMATS: Final = ("zarr", "zarr2", "zarr3")
_OURS: Final = {
    "byte-range": "_byte_range",
    "gzip": "_gzip",
    "icechunk": "_icechunk",
    "json": "_json",
    "ozx": "_zip",
    "zip": "_zip",
    "zstd": "_zstd",
}
_NAME: Final = re.compile(r"[a-z][a-z0-9+.\-]*")


class UrlAdapter(Protocol):
    """What opens one step of a URL pipeline."""

    def __call__(self, source: UrlSource, body: str, /) -> Opened:
        """Return what the step gives.

        Parameters
        ----------
        source
            What is left of the step.
        body
            What is written after the step's colon, percent-encoded as it was given.

        Returns
        -------
        Store or (Store, str)
            A store, whose ``url`` is that of the pipeline with this step; or a store and the
            path in it of an object or a folder.
        """
        ...


@dataclass(frozen=True, slots=True)
class _Entry:
    adapter: UrlAdapter
    writable: bool


_lock = threading.RLock()
_registered: dict[str, _Entry] = {}
_plugins: dict[str, _Entry] | None = None


def register_url_adapter(name: str, adapter: UrlAdapter, *, writable: bool = False) -> None:
    """Add a step to URL pipelines, or replace one.

    Parameters
    ----------
    name
        What is written before the step's colon: a lower-case letter, then lower-case letters,
        digits, ``+``, ``.`` and ``-``.
    adapter
        Called as ``adapter(source, body)`` with what is left of the step, a
        :class:`UrlSource`, and the text after its colon. It returns a store, or a store and the
        path of an object or a folder in it. A package can register one through the entry-point
        group ``anyzarr.url_adapters`` instead.
    writable
        Whether what it gives may be written to; else the pipeline is read only.

    Raises
    ------
    StoreError
        The name is not one that a step can have, or is one that tells the format.

    Examples
    --------
    >>> from anyzarr.stores import MemoryStore, open_store, register_url_adapter
    >>> upper = MemoryStore("upper")
    >>> def open_upper(source, body):
    ...     store, key = source.as_object()
    ...     _ = upper.put("text", store.get(key).upper())
    ...     return upper
    >>> register_url_adapter("upper", open_upper)
    >>> etag = MemoryStore("texts").put("greeting", b"hello")
    >>> open_store("memory://texts/greeting|upper:").get("text")
    b'HELLO'
    """
    if not _NAME.fullmatch(name) or name in _FORMATS:
        raise StoreError(
            f"{name!r} cannot be the name of a step: use lower-case letters, digits, '+', '.' and "
            f"'-', a letter first, and none of {', '.join(_FORMATS)}"
        )
    with _lock:
        _registered[name] = _Entry(adapter, writable)


def list_url_adapters() -> list[str]:
    """Return the names of all steps of URL pipelines, those of plugins included, sorted.

    Examples
    --------
    >>> from anyzarr.stores import list_url_adapters
    >>> set(list_url_adapters()) >= {"byte-range", "gzip", "ozx", "zarr3", "zip", "zstd"}
    True
    """
    with _lock:
        return sorted({*_OURS, *_FORMATS, *_registered, *_load_plugins()})


def adapter_of(name: str, pipeline: str) -> tuple[UrlAdapter, bool]:
    """Return the adapter of a step, and whether what it gives may be written to.

    Parameters
    ----------
    pipeline
        Of which it is a step, for the error.

    Raises
    ------
    UnsupportedError
        There is no such step.
    """
    with _lock:
        entry = _registered.get(name)
        if entry is None and name in _OURS:
            module = importlib.import_module(f"anyzarr.stores._adapters.{_OURS[name]}")
            entry = _registered[name] = _Entry(module.open_step, writable=False)
        entry = entry or _load_plugins().get(name)
    if entry is None:
        raise UnsupportedError(
            f"{pipeline!r} has the unknown step '{name}:' after '|'; known are "
            f"{', '.join(f'{known}:' for known in list_url_adapters())} (give a pathlib.Path for a "
            "path with '|' in it, or write it as %7C)",
            store=pipeline,
            kind="unknown_url_adapter",
        )
    return entry.adapter, entry.writable


def _load_plugins() -> dict[str, _Entry]:
    global _plugins
    if _plugins is None:
        # Costs a search of all installed packages: only once someone needs it.
        from importlib.metadata import entry_points

        _plugins = {}
        for point in entry_points(group=GROUP):
            try:
                adapter: Any = point.load()
            except Exception as error:  # noqa: BLE001 - one broken plugin breaks no other
                warnings.warn(
                    f"the URL adapter {point.name!r} of the plugin {point.value!r} is left out: "
                    f"it cannot be loaded ({type(error).__name__}: {error})",
                    RuntimeWarning,
                    stacklevel=3,
                )
                continue
            _plugins[point.name] = _Entry(adapter, bool(getattr(adapter, "writable", False)))
    return _plugins
