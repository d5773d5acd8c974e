"""Which engine reads an array, and why."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from anyzarr.abc import ArrayIO, ChunkCodec, Engine, Store
from anyzarr.engines._cache import BoundedCache
from anyzarr.engines._codec_edge import store_name
from anyzarr.engines._registry import (
    AUTO_ORDER,
    get_engine,
    list_engines,
    requested_engine,
)
from anyzarr.errors import AnyzarrError, UnsupportedError
from anyzarr.metadata import ArrayMetadata

__all__ = ["EngineReport", "cached_codec", "choose", "explain", "forget", "open_array_io"]

_MAX_CODECS = 256
_MAX_IOS = 64
_codecs: BoundedCache[ChunkCodec] = BoundedCache(_MAX_CODECS)


@dataclass(frozen=True)
class EngineReport:
    """What one engine says about one array.

    Attributes
    ----------
    name
        The engine.
    usable
        Whether it can read and write this array on this store.
    chosen
        Whether it is the one that is taken.
    reason
        Why it is not usable, or None.
    io
        ``own``: the engine reads the store by itself. ``byte layer``: anyzarr's store layer
        fetches the bytes and the engine decodes them. None if it is not usable.
    io_reason
        Why the byte layer serves this array, where the engine reads others there by itself.
    """

    name: str
    usable: bool
    chosen: bool
    reason: str | None
    io: Literal["own", "byte layer"] | None
    io_reason: str | None = None


def choose(
    metadata: ArrayMetadata, store: Store | None, engine: str | Engine | None = None
) -> Engine:
    """Return the engine for an array.

    Parameters
    ----------
    metadata
        The array's.
    store
        Where its chunks are; None for pure computation (encoding and decoding).
    engine
        A name, an engine, or None: then the one set by ``anyzarr.config`` or
        ``ANYZARR_ENGINE``, else the first of ``native``, ``zarrs``, ``zarr`` that can do it.

    Raises
    ------
    UnsupportedError
        The engine asked for, or every engine, declines; the message has the reasons and the
        engines that can.
    """
    where = _or_nowhere(store)
    if isinstance(engine, str) or engine is None:
        named = engine if engine is not None and engine.lower() != "auto" else requested_engine()
        if named is None:
            return _automatic(metadata, where)
        engine = get_engine(named)
    reason = engine.decline(metadata, where)
    if reason is None:
        return engine
    raise UnsupportedError(
        f"the engine {engine.name!r} cannot do this array in {store_name(where)}: {reason}; "
        f"{_who_can(metadata, where)}",
        store=store_name(where),
        engine=engine.name,
    )


def _or_nowhere(store: Store | None) -> Store:
    if store is not None:
        return store
    from anyzarr.stores import MemoryStore

    return MemoryStore()


def _automatic(metadata: ArrayMetadata, store: Store) -> Engine:
    reasons = []
    for name in _auto_names():
        engine = get_engine(name)
        reason = engine.decline(metadata, store)
        if reason is None:
            return engine
        reasons.append(f"{name}: {reason}")
    raise UnsupportedError(
        f"no engine can do this array in {store_name(store)} ({'; '.join(reasons)}); "
        f"{_who_can(metadata, store)}",
        store=store_name(store),
    )


def _auto_names() -> list[str]:
    known = set(list_engines())
    return [name for name in AUTO_ORDER if name in known]


def _who_can(metadata: ArrayMetadata, store: Store) -> str:
    able = [name for name, reason in _reasons(metadata, store).items() if reason is None]
    if not able:
        return "no other installed engine can either"
    return "engines that can: " + ", ".join(able)


def _reasons(metadata: ArrayMetadata, store: Store) -> dict[str, str | None]:
    reasons: dict[str, str | None] = {}
    for name in list_engines():
        try:
            reasons[name] = get_engine(name).decline(metadata, store)
        except AnyzarrError as error:
            reasons[name] = error.message
    return reasons


def explain(
    metadata: ArrayMetadata, store: Store, engine: str | Engine | None = None, *, path: str = ""
) -> list[EngineReport]:
    """Return what each engine says about the array at a path, in alphabetical order.

    Nothing is read. ``engine`` is as for :func:`choose`; where that would raise, no report is
    ``chosen``.
    """
    try:
        chosen = choose(metadata, store, engine).name
    except UnsupportedError:
        chosen = None
    reports = []
    for name, reason in _reasons(metadata, store).items():
        usable = reason is None
        report = EngineReport(name, usable, usable and name == chosen, reason, None)
        reports.append(_with_io(report, metadata, store, path) if usable else report)
    return reports


def _with_io(
    report: EngineReport, metadata: ArrayMetadata, store: Store, path: str
) -> EngineReport:
    can = get_engine(report.name).open(metadata, store, path).capabilities
    return replace(report, io="byte layer" if can.byte_layer else "own", io_reason=can.reason)


def cached_codec(engine: Engine, metadata: ArrayMetadata) -> ChunkCodec:
    """Return ``engine.codec(metadata)``, compiled once per content of the metadata."""
    return _codecs.get_or_make((engine.name, metadata.content), lambda: engine.codec(metadata))


def open_array_io(
    metadata: ArrayMetadata, store: Store, path: str, engine: str | Engine | None = None
) -> tuple[Engine, ArrayIO]:
    """Return the engine of an array and its I/O, opened once per store.

    What was opened is kept with the store it belongs to (the ``64`` used last), so that it is
    gone when the store is, and is not used after a fork. Chunk data is never kept.

    Raises
    ------
    UnsupportedError
        See :func:`choose`.
    """
    requested = engine if engine is not None else requested_engine()
    asked = requested if isinstance(requested, str | None) else ("engine", id(requested))
    opened = _ios_of(store)

    def make() -> tuple[Engine, ArrayIO]:
        chosen = choose(metadata, store, engine)
        return chosen, chosen.open(metadata, store, path)

    return opened.get_or_make((asked, metadata.content, path), make)


_ATTRIBUTE = "_anyzarr_opened"
_generation = 0


def _ios_of(store: Store) -> BoundedCache[tuple[Engine, ArrayIO]]:
    found = getattr(store, _ATTRIBUTE, None)
    # A copy of a store (as its read-only twin is) brings the attribute of the other along.
    if isinstance(found, tuple) and found[0] == _generation and found[1] is store:
        cache: BoundedCache[tuple[Engine, ArrayIO]] = found[2]
        return cache
    cache = BoundedCache(_MAX_IOS)
    try:
        object.__setattr__(store, _ATTRIBUTE, (_generation, store, cache))
    except (AttributeError, TypeError):
        return cache  # a store with __slots__: opened each time
    return cache


def forget() -> None:
    """Drop everything compiled and opened, as when an engine is replaced."""
    global _generation
    _generation += 1
    _codecs.clear()
