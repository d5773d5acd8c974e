"""Any engine, any store, one Zarr.

Chunked N-dimensional arrays (Zarr v2 and v3), OME-Zarr images and single-file ``.ozx``, from
any store through any engine. Importing this loads numpy and our own code; engines, cloud
clients and readers load on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anyzarr import abc, config, crud, engines, errors, indexing, metadata, ome, stores, testing
    from anyzarr._convert import convert
    from anyzarr._info import info
    from anyzarr._interop import regions
    from anyzarr._nodes import (
        Array,
        Group,
        consolidate_metadata,
        create_array,
        create_group,
        from_dask,
        open,  # noqa: A004 - anyzarr.open, as zarr.open
        open_array,
        open_group,
    )
    from anyzarr._validate import validate, validate_attributes
    from anyzarr._view import preview
    from anyzarr.engines import list_engines
    from anyzarr.errors import (
        AnyzarrError,
        ConflictError,
        CorruptDataError,
        MetadataError,
        MissingDependencyError,
        NodeExistsError,
        NodeNotFoundError,
        ReadOnlyError,
        SelectionError,
        StoreError,
        UnsupportedError,
        ValidationError,
    )
    from anyzarr.ome import from_xarray, open_ome_zarr
    from anyzarr.stores import list_backends

__version__ = "0.1.0"

__all__ = [
    "AnyzarrError",
    "Array",
    "ConflictError",
    "CorruptDataError",
    "Group",
    "MetadataError",
    "MissingDependencyError",
    "NodeExistsError",
    "NodeNotFoundError",
    "ReadOnlyError",
    "SelectionError",
    "StoreError",
    "UnsupportedError",
    "ValidationError",
    "__version__",
    "abc",
    "config",
    "consolidate_metadata",
    "convert",
    "create_array",
    "create_group",
    "crud",
    "engines",
    "errors",
    "from_dask",
    "from_xarray",
    "indexing",
    "info",
    "list_backends",
    "list_engines",
    "metadata",
    "ome",
    "open",
    "open_array",
    "open_group",
    "open_ome_zarr",
    "preview",
    "regions",
    "stores",
    "testing",
    "validate",
    "validate_attributes",
]

_HOMES: dict[str, str] = {
    **dict.fromkeys(
        (
            "Array",
            "Group",
            "consolidate_metadata",
            "create_array",
            "create_group",
            "from_dask",
            "open",
            "open_array",
            "open_group",
        ),
        "anyzarr._nodes",
    ),
    **dict.fromkeys((name for name in __all__ if name.endswith("Error")), "anyzarr.errors"),
    "convert": "anyzarr._convert",
    "from_xarray": "anyzarr.ome",
    "info": "anyzarr._info",
    "list_backends": "anyzarr.stores",
    "list_engines": "anyzarr.engines",
    "open_ome_zarr": "anyzarr.ome",
    "preview": "anyzarr._view",
    "regions": "anyzarr._interop",
    "validate": "anyzarr._validate",
    "validate_attributes": "anyzarr._validate",
}
_MODULES = frozenset(__all__) - frozenset(_HOMES) - {"__version__"}


def __getattr__(name: str) -> Any:
    """Load a public name on first use (PEP 562)."""
    if name in _MODULES:
        return importlib.import_module(f"anyzarr.{name}")
    try:
        home = _HOMES[name]
    except KeyError:
        raise AttributeError(f"module 'anyzarr' has no attribute {name!r}") from None
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
