"""Vector stores by location: opening them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, Literal

from anyzarr import config
from anyzarr._nodes import Array, Group, open_group, open_group_with
from anyzarr.errors import MetadataError, UnsupportedError
from anyzarr.vectors._constants import KNOWN_CAPABILITIES
from anyzarr.vectors._documents import RootMetadata, is_vector_store
from anyzarr.vectors._settle import completed

__all__ = [
    "name_of",
    "open_root",
    "open_root_with",
    "open_store",
    "require_known_capabilities",
    "vectors_backend",
]

_SUFFIXES = (".zip", ".ozx", ".zarrvectors", ".zv", ".zarr")


@contextmanager
def vectors_backend(backend: str | None) -> Iterator[None]:
    """Let ``ZARR_VECTORS_BACKEND`` stand where ``ANYZARR_BACKEND`` would, which it precedes."""
    name = os.environ.get("ZARR_VECTORS_BACKEND")
    is_set = config.get("backend") != (os.environ.get("ANYZARR_BACKEND") or None)
    scope = config.scope(backend=name) if name and backend is None and not is_set else nullcontext()
    with scope:
        yield


def open_root(
    location: Any,
    mode: Literal["r", "r+"] | None = "r",
    *,
    backend: str | None = None,
    **backend_kwargs: Any,
) -> tuple[Group, RootMetadata]:
    """Return the root group of a vector store, and its metadata.

    Parameters
    ----------
    location
        Anything :func:`anyzarr.open` takes, or the root group itself.
    mode, backend, **backend_kwargs
        As for :func:`open_store`.
    """
    if isinstance(location, Group):
        return location, RootMetadata.parse(location.metadata.attributes)
    with vectors_backend(backend):
        root = open_group(location, mode=mode, backend=backend, **backend_kwargs)
    _require_store(root)
    if mode == "r+":
        completed(root)
    return root, RootMetadata.parse(root.metadata.attributes)


def open_root_with(
    location: Any, paths: Sequence[str], *, backend: str | None = None, **backend_kwargs: Any
) -> tuple[Group, RootMetadata, dict[str, Array | Group]]:
    """Return the root group of a vector store, its metadata, and nodes below, fetched together.

    Parameters
    ----------
    location, backend, **backend_kwargs
        As for :func:`open_root`.
    paths
        Of the nodes; those that are not there are left out of the result.
    """
    if isinstance(location, Group):
        root, nodes = location, location.get_many(paths)
        return root, RootMetadata.parse(root.metadata.attributes), nodes
    with vectors_backend(backend):
        root, nodes = open_group_with(location, paths, backend=backend, **backend_kwargs)
    _require_store(root)
    return root, RootMetadata.parse(root.metadata.attributes), nodes


def _require_store(root: Group) -> None:
    if not is_vector_store(root.metadata.attributes):
        raise MetadataError(
            f"{root.url} is a group, but no vector store: its attributes have no 'zarr_vectors'; "
            "give the folder that holds the levels",
            path=root.path,
            kind="not_vectors",
        )


def open_store(
    path: Any,
    mode: Literal["r", "r+"] = "r",
    *,
    backend: str | None = None,
    **backend_kwargs: Any,
) -> Group:
    """Open the root group of a vector store.

    Parameters
    ----------
    path
        A path, a URL, a URL pipeline, a live store object (``zarr.storage``, obstore, fsspec,
        one of ours) or a dict of bytes.
    mode
        ``r`` refuses to write, ``r+`` fails where the store cannot write.
    backend
        Where bytes live. By default, in this order: ``anyzarr.config``, the environment
        (``ZARR_VECTORS_BACKEND``, then ``ANYZARR_BACKEND``), what the location says. A path works
        whatever the environment says.
    **backend_kwargs
        Options of the backend, such as ``region`` or ``endpoint_url``.

    Returns
    -------
    Group
        Its attributes are those of the store; ``group.zarr_group`` is zarr-python's view of it.

    Raises
    ------
    NodeNotFoundError
        There is nothing.
    MetadataError
        There is something that is no vector store.

    Examples
    --------
    >>> from anyzarr.vectors import create_store, open_store
    >>> memory = {}
    >>> _ = create_store(memory, bounds=([0, 0], [99, 99]), chunk_shape=(10, 10))
    >>> open_store(memory).attrs["zarr_vectors"]["chunk_shape"]
    [10.0, 10.0]
    """
    return open_root(path, mode, backend=backend, **backend_kwargs)[0]


def require_known_capabilities(metadata: RootMetadata, url: str) -> None:
    """Refuse to write to a store that uses what is not known here.

    Raises
    ------
    UnsupportedError
        A capability token is not known.
    """
    unknown = sorted({*metadata.format_capabilities} - KNOWN_CAPABILITIES)
    if unknown:
        raise UnsupportedError(
            f"{url} has the capabilities {', '.join(unknown)}, which are not known here, so that "
            "writing to it could break it; use a newer version of anyzarr",
            kind="capabilities",
        )


def name_of(location: Any) -> str:
    """Return a name for people from a location: its last segment without the extension."""
    if not isinstance(location, str | os.PathLike):
        return "vectors"
    name = os.fspath(location).rstrip("/").rpartition("/")[2]
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    return name.partition("|")[0] or "vectors"
