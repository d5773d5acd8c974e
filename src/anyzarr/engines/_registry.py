"""Engines by name: ours, registered ones, and those of installed plugins."""

from __future__ import annotations

import difflib
import importlib
import threading
import warnings
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from anyzarr import config
from anyzarr.abc import Engine
from anyzarr.errors import UnsupportedError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = [
    "AUTO_ORDER",
    "canonical_name",
    "get_engine",
    "list_engines",
    "register_engine",
    "requested_engine",
]

EngineFactory = Callable[[], Engine]

ENTRY_POINT_GROUP = "anyzarr.engines"

AUTO_ORDER = ("native", "zarrs", "zarr")
"""The engines that are tried, in this order, when none is asked for."""

_BUILTIN = {
    "native": "anyzarr.engines._native:NativeEngine",
    "tensorstore": "anyzarr.engines._tensorstore:TensorstoreEngine",
    "zarr": "anyzarr.engines._zarr:ZarrEngine",
    "zarrs": "anyzarr.engines._zarrs:ZarrsEngine",
    "zarrs-python": "anyzarr.engines._zarrs_python:ZarrsPythonEngine",
}

_ALIASES = {"reference": "zarr", "zarr-python": "zarr", "zarrista": "zarrs"}

_lock = threading.RLock()
_factories: dict[str, EngineFactory] = {}
_engines: dict[str, Engine] = {}
_plugins: dict[str, EntryPoint] | None = None


def canonical_name(name: str) -> str:
    """Return the registered name behind an alias.

    Examples
    --------
    >>> from anyzarr.engines import canonical_name
    >>> canonical_name("zarr-python")
    'zarr'
    """
    if name in _BUILTIN:
        return name
    key = name.strip().lower().replace("_", "-")
    return _ALIASES.get(key, key)


def register_engine(name: str, engine: Engine | EngineFactory, *, replace: bool = False) -> None:
    """Make an engine available under a name.

    Parameters
    ----------
    name
        What users write in ``engine=``; lower case.
    engine
        An :class:`anyzarr.abc.Engine`, or a function without arguments (a class is one) that
        makes it on first use.
    replace
        Whether an engine of the same name may be replaced.

    Raises
    ------
    ValueError
        The name is taken, or is an alias of another engine.

    Examples
    --------
    >>> from anyzarr.engines import get_engine, register_engine
    >>> mine = get_engine("zarr")  # an object of a class of your own
    >>> register_engine("zarr", mine, replace=True)
    >>> get_engine("reference") is mine
    True
    """
    key = canonical_name(name)
    if key != name:
        raise ValueError(f"an engine cannot be called {name!r}, which means {key!r}")
    with _lock:
        if not replace and (key in _factories or key in _BUILTIN):
            raise ValueError(f"the engine {key!r} is already there; replace it with replace=True")
        _engines.pop(key, None)
        if isinstance(engine, type) or not isinstance(engine, Engine):
            _factories[key] = engine
        else:
            made = engine
            _factories[key] = lambda: made
    _caches_changed()


def _caches_changed() -> None:
    from anyzarr.engines._choose import forget

    forget()


def list_engines() -> list[str]:
    """Return the names of all engines, installed or not, in alphabetical order.

    Examples
    --------
    >>> import anyzarr
    >>> "zarr" in anyzarr.list_engines()
    True
    """
    with _lock:
        return sorted({*_BUILTIN, *_factories, *_load_plugins()})


def get_engine(name: str | None = None) -> Engine:
    """Return the engine of this name.

    Parameters
    ----------
    name
        A name of :func:`list_engines` or an alias (``reference`` and ``zarr-python`` mean
        ``zarr``). None: the one set by ``anyzarr.config`` or ``ANYZARR_ENGINE``, else the
        reference, ``zarr``. Which engine is taken for an array is decided per array, by
        :func:`choose`.

    Raises
    ------
    UnsupportedError
        There is no engine of this name, or its plugin cannot be loaded.

    Examples
    --------
    >>> from anyzarr.engines import get_engine
    >>> get_engine("reference").name
    'zarr'
    """
    key = canonical_name(name or requested_engine() or "zarr")
    with _lock:
        if key not in _engines:
            _engines[key] = _make(key)
        return _engines[key]


def requested_engine() -> str | None:
    """Return the engine set by configuration or environment, or None (also for ``auto``)."""
    name = config.get("engine")
    return None if name is None or canonical_name(name) == "auto" else str(name)


def _make(key: str) -> Engine:
    factory = _factories.get(key)
    if factory is not None:
        return factory()
    if key in _BUILTIN:
        module, _, attribute = _BUILTIN[key].partition(":")
        made: Engine = getattr(importlib.import_module(module), attribute)()
        return made
    plugin = _load_plugins().get(key)
    engine = None if plugin is None else _load_plugin(plugin)
    if engine is None:
        raise _unknown(key)
    return engine


def _unknown(key: str) -> UnsupportedError:
    known = list_engines()
    close = difflib.get_close_matches(key, known, n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    return UnsupportedError(
        f"no engine is called {key!r}{hint}; the engines are {', '.join(known)}",
        engine=key,
        kind="unknown_engine",
    )


def _entry_points() -> Iterable[EntryPoint]:
    # A costly import: only when names are asked for.
    from importlib.metadata import entry_points

    return entry_points(group=ENTRY_POINT_GROUP)


def _load_plugins() -> dict[str, EntryPoint]:
    global _plugins
    if _plugins is None:
        found: dict[str, EntryPoint] = {}
        for entry in _entry_points():
            if entry.name in _BUILTIN or entry.name != canonical_name(entry.name):
                _warn(entry, "its name is taken")
            else:
                found[entry.name] = entry
        _plugins = found
    return _plugins


def _load_plugin(entry: EntryPoint) -> Engine | None:
    try:
        loaded = entry.load()
        engine = loaded() if isinstance(loaded, type) or not isinstance(loaded, Engine) else loaded
        if not isinstance(engine, Engine):
            raise TypeError(f"{type(engine).__name__} has not all of name, decline, open, codec")
    except Exception as error:  # noqa: BLE001 - plugin edge: one broken plugin must not break the rest
        _warn(entry, f"{type(error).__name__}: {error}")
        _load_plugins().pop(entry.name, None)
        return None
    return engine


def _warn(entry: EntryPoint, problem: str) -> None:
    warnings.warn(
        f"the engine plugin {entry.name!r} ({entry.value}) is left out: {problem}",
        RuntimeWarning,
        stacklevel=4,
    )
