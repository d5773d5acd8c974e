"""Present an anyzarr store to zarr-python."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anyzarr._optional import require

if TYPE_CHECKING:
    import zarr.abc.store

    from anyzarr.abc import Store

__all__ = ["to_zarr_store"]


def to_zarr_store(store: Store, read_only: bool | None = None) -> zarr.abc.store.Store:
    """Return a ``zarr.abc.store.Store`` through which zarr-python uses a store of ours.

    Nothing is copied, opened or looked up: keys, errors, atomicity and credentials are those
    of ``store``. The result can be pickled if ``store`` can, and compares equal to another
    view of an equal store.

    Parameters
    ----------
    store
        Any anyzarr store.
    read_only
        Whether zarr-python may write. Default: what the store says of itself.

    Raises
    ------
    ReadOnlyError
        ``read_only=False`` was asked for a store that cannot be written to.
    MissingDependencyError
        zarr-python is not installed.

    Examples
    --------
    >>> import zarr
    >>> from anyzarr.stores import MemoryStore, to_zarr_store
    >>> store = MemoryStore()
    >>> array = zarr.create_array(to_zarr_store(store), shape=(4,), dtype="uint8", fill_value=7)
    >>> array[:].tolist()
    [7, 7, 7, 7]
    >>> store.list_level().keys
    ('zarr.json',)
    """
    require("zarr", extra="zarr", purpose="Presenting a store to zarr-python")
    from anyzarr.stores._zarr_adapter import AnyzarrStore

    return AnyzarrStore(store, read_only=read_only)
