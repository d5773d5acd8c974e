"""``explain_engines``: who can read an array, who is taken, and why not the others."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from anyzarr._info._describe import address
from anyzarr._info._image import array_at
from anyzarr._nodes import locate
from anyzarr.engines import EngineReport, explain, get_engine
from anyzarr.stores._shown import holding_backend

__all__ = ["EnginesInfo", "explain_engines"]


@dataclass(frozen=True, slots=True)
class EnginesInfo:
    """What each engine says about one array.

    Attributes
    ----------
    address
        The array.
    backend
        Where its bytes live.
    engines
        One report per engine, the one that is taken first.
    """

    address: str
    backend: str
    engines: tuple[EngineReport, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dict of JSON types."""
        return asdict(self)


def explain_engines(
    location: Any,
    *,
    path: str = "",
    engine: str | None = None,
    backend: str | None = None,
    **backend_kwargs: Any,
) -> EnginesInfo:
    """Return which engines can read the array at a location, and which is taken.

    For an OME-Zarr image that is the array of level 0. No chunk is read.

    Parameters
    ----------
    location, path, engine, backend, **backend_kwargs
        As for :func:`anyzarr.info`.

    Raises
    ------
    UnsupportedError
        There is a group without an image, or no engine is called ``engine``.
    NodeNotFoundError
        There is no Zarr array or group.

    Examples
    --------
    >>> import anyzarr
    >>> from anyzarr._info import explain_engines
    >>> store = {}
    >>> _ = anyzarr.create_array(store, shape=(3,), dtype="int8")
    >>> explain_engines(store, engine="zarr").engines[0].name
    'zarr'
    """
    if engine is not None and engine.lower() != "auto":
        get_engine(engine)
    store, path = locate(location, path, backend, backend_kwargs)
    metadata, path = array_at(store, path, "an engine is chosen for an array")
    reports = explain(metadata, store, engine, path=path)
    ranked = sorted(reports, key=lambda r: (not r.chosen, not r.usable, r.name))
    return EnginesInfo(address(store, path), holding_backend(store), tuple(ranked))
