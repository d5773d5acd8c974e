"""Opening and creating OME-Zarr."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias, overload

from anyzarr import crud
from anyzarr._nodes import Group
from anyzarr._nodes._node import creating
from anyzarr.abc import Store
from anyzarr.engines import canonical_name, get_engine
from anyzarr.errors import MetadataError, NodeExistsError, NodeNotFoundError
from anyzarr.metadata import group_document, is_array_document, parse_group
from anyzarr.ome._axes import Axis, axes_of, check_axes
from anyzarr.ome._documents import ome_of
from anyzarr.ome._image import Image
from anyzarr.ome._kinds import found_layout
from anyzarr.ome._labels import Labels
from anyzarr.ome._plate import Plate
from anyzarr.ome._position import Position
from anyzarr.ome._series import Bioformats2RawSeries
from anyzarr.ome._tiled import TiledPosition
from anyzarr.ome._versions import require_writable_version, zarr_format_of
from anyzarr.ome._well import Well
from anyzarr.ome._well_model import SeriesMetadata
from anyzarr.stores import open_store

__all__ = ["open_ome_zarr"]

Layout = Literal["auto", "fov", "hcs", "tiled", "bf2raw", "image"]
Mode = Literal["r", "r+", "a", "w", "w-"]
Node: TypeAlias = Plate | Well | Position | Bioformats2RawSeries | Image
_Axes: TypeAlias = "str | Iterable[str | Axis | Mapping[str, Any]] | None"

_LAYOUTS = ("auto", "fov", "hcs", "tiled", "bf2raw", "image")
_MODES = ("r", "r+", "a", "w", "w-")

_NODES: Mapping[str, type[Node]] = {
    "auto": Position,
    "fov": Position,
    "image": Image,
    "tiled": TiledPosition,
    "hcs": Plate,
    "bf2raw": Bioformats2RawSeries,
    "well": Well,
    "label": Labels,
}


@overload
def open_ome_zarr(
    location: Any,
    *,
    layout: Literal["fov"],
    mode: Mode = "r",
    channel_names: Sequence[str] | None = None,
    axes: _Axes = None,
    version: str = "0.5",
    engine: str | None = None,
    implementation: str | None = None,
    backend: str | None = None,
    overwrite: bool = False,
    **backend_kwargs: Any,
) -> Position: ...


@overload
def open_ome_zarr(
    location: Any,
    *,
    layout: Literal["tiled"],
    mode: Mode = "r",
    channel_names: Sequence[str] | None = None,
    axes: _Axes = None,
    version: str = "0.5",
    engine: str | None = None,
    implementation: str | None = None,
    backend: str | None = None,
    overwrite: bool = False,
    **backend_kwargs: Any,
) -> TiledPosition: ...


@overload
def open_ome_zarr(
    location: Any,
    *,
    layout: Literal["hcs"],
    mode: Mode = "r",
    channel_names: Sequence[str] | None = None,
    axes: _Axes = None,
    version: str = "0.5",
    engine: str | None = None,
    implementation: str | None = None,
    backend: str | None = None,
    overwrite: bool = False,
    **backend_kwargs: Any,
) -> Plate: ...


@overload
def open_ome_zarr(
    location: Any,
    *,
    layout: Literal["bf2raw"],
    mode: Mode = "r",
    channel_names: Sequence[str] | None = None,
    axes: _Axes = None,
    version: str = "0.5",
    engine: str | None = None,
    implementation: str | None = None,
    backend: str | None = None,
    overwrite: bool = False,
    **backend_kwargs: Any,
) -> Bioformats2RawSeries: ...


@overload
def open_ome_zarr(
    location: Any,
    *,
    layout: Literal["image"],
    mode: Mode = "r",
    channel_names: Sequence[str] | None = None,
    axes: _Axes = None,
    version: str = "0.5",
    engine: str | None = None,
    implementation: str | None = None,
    backend: str | None = None,
    overwrite: bool = False,
    **backend_kwargs: Any,
) -> Image: ...


@overload
def open_ome_zarr(
    location: Any,
    *,
    layout: Literal["auto"] = "auto",
    mode: Mode = "r",
    channel_names: Sequence[str] | None = None,
    axes: _Axes = None,
    version: str = "0.5",
    engine: str | None = None,
    implementation: str | None = None,
    backend: str | None = None,
    overwrite: bool = False,
    **backend_kwargs: Any,
) -> Any: ...


def open_ome_zarr(
    location: Any,
    *,
    layout: Layout = "auto",
    mode: Mode = "r",
    channel_names: Sequence[str] | None = None,
    axes: _Axes = None,
    version: str = "0.5",
    engine: str | None = None,
    implementation: str | None = None,
    backend: str | None = None,
    overwrite: bool = False,
    **backend_kwargs: Any,
) -> Node:
    """Open or create an OME-Zarr image, plate or series of images.

    Parameters
    ----------
    location
        A path, a URL, an ``.ozx`` file, a live store object or a dict of bytes. Nothing is
        required of its name.
    layout
        What is there or to be created: ``fov`` (one field of view), ``image`` (the same,
        without a place on a plate), ``tiled`` (one whose chunks are tiles), ``hcs`` (a plate),
        ``bf2raw`` (a series of images, in bioformats2raw's layout), or ``auto``: found out, and
        a field of view where it is to be created.
    mode
        ``r`` reads; ``r+`` changes what is there; ``a`` creates what is not; ``w`` replaces
        what is there; ``w-`` refuses to. An ``.ozx`` can only be created or replaced as a whole,
        and is there when what is opened is closed: use a ``with`` statement.
    channel_names, axes
        Of images to be created: one label per channel; ``"tczyx"``, or one name, document
        or :class:`~anyzarr.ome.Axis` per axis. By default those of the images that are there,
        else the usual axes for so many dimensions.
    version
        The OME-Zarr version to write: ``0.5`` or ``0.6`` (Zarr v3), or ``0.4`` (v2). 0.1 to 0.6
        are read.
    engine
        What decodes and encodes chunks; ``implementation`` is another word for it.
    backend
        Where bytes live; by default worked out from the location.
    overwrite
        Makes ``w-`` and ``a`` replace what is there, as ``w`` does.
    **backend_kwargs
        Options of the backend.

    Returns
    -------
    Plate, Well, Position, TiledPosition, Bioformats2RawSeries, Labels or Image
        Also a context manager. A position is an image, and so is a label image.

    Raises
    ------
    NodeNotFoundError
        Nothing is there (``r``, ``r+``).
    NodeExistsError
        Something is there (``w-``), or what is there is not Zarr and is not replaced (``w``).
    ReadOnlyError
        An ``.ozx`` that is there was to be changed.
    MetadataError
        What is there is not OME-Zarr or of another layout, or an argument is not valid.
    UnsupportedError
        What is there is OME-Zarr of another kind or version, or there is no such engine.

    Examples
    --------
    >>> import anyzarr, numpy as np
    >>> store = {}
    >>> with anyzarr.open_ome_zarr(store, mode="w-", axes="yx") as image:
    ...     array = image.create_image("0", np.eye(3, dtype="uint16"))
    >>> anyzarr.open_ome_zarr(store).data[1]
    array([0, 1, 0], dtype=uint16)
    """
    _check_arguments(layout, mode, version)
    name = _engine_name(engine, implementation)
    if overwrite and mode in {"a", "w-"}:
        mode = "w"
    new_axes = None if axes is None else axes_of(axes)
    if new_axes is not None:
        check_axes(new_axes)
    store = open_store(location, backend=backend, mode=mode, **backend_kwargs)
    with creating(store, location):
        group, kind, version = _opened(store, mode, layout, name, version)
        return _NODES[kind](
            group._take_charge(location),
            version=version,
            axes=new_axes,
            channel_names=channel_names,
            engine=name,
        )


def _opened(
    store: Store, mode: str, layout: str, engine: str | None, version: str
) -> tuple[Group, str, str]:
    """Return the group, found or created, its layout and the version to write."""
    document = _existing(store, mode)
    if document is None:
        group = _create_group(store, engine, replace=mode == "w", version=version)
        kind = layout
    else:
        group = _group_of(document, store, engine)
        kind, version = found_layout(group, layout, version, writes=mode != "r")
    if kind == "bf2raw" and "bioformats2raw.layout" not in ome_of(group.metadata.attributes):
        group.attrs.update(SeriesMetadata(version).to_attributes({}))
    return group, kind, version


def _check_arguments(layout: str, mode: str, version: str) -> None:
    if mode not in _MODES:
        raise MetadataError(f"mode {mode!r} is not one of {', '.join(_MODES)}", kind="mode")
    if layout not in _LAYOUTS:
        raise MetadataError(f"layout {layout!r} is not one of {', '.join(_LAYOUTS)}")
    require_writable_version(version)


def _engine_name(engine: str | None, implementation: str | None) -> str | None:
    if engine is not None and implementation is not None and engine != implementation:
        raise MetadataError(
            f"engine={engine!r} and implementation={implementation!r} mean the same setting and "
            "differ; give one of them"
        )
    name = engine if engine is not None else implementation
    if name is None or canonical_name(name) == "auto":
        return None
    return get_engine(name).name


def _existing(store: Store, mode: str) -> dict[str, Any] | None:
    """Return the document of what is to be opened; None if it is to be created."""
    if mode == "w":
        return None
    try:
        document = crud.read_metadata(store)
    except NodeNotFoundError:
        if mode in {"r", "r+"}:
            raise
        return None
    if mode == "w-":
        raise NodeExistsError(
            f"there is already a node at {store.spec}; choose another location, or replace it "
            "with mode='w'",
            store=str(store.spec),
            path="",
        )
    return document


def _create_group(store: Store, engine: str | None, *, replace: bool, version: str) -> Group:
    document = group_document(zarr_format=zarr_format_of(version))
    if replace:
        _require_replaceable(store)
        crud.create_overwrite_group(document, store)
    else:
        crud.create_new_group(document, store)
    return Group(parse_group(document), store, "", engine)


def _require_replaceable(store: Store) -> None:
    """Refuse to empty a folder that is full of something else than Zarr."""
    level = store.list_level() if store.capabilities.listable else None
    if level is None or not (level.keys or level.prefixes):
        return
    try:
        crud.read_metadata(store)
    except NodeNotFoundError:
        n = len(level.keys) + len(level.prefixes)
        raise NodeExistsError(
            f"{store.spec} holds {n} things and is no Zarr hierarchy, so it is not replaced; "
            "choose another location, or empty this one yourself",
            store=str(store.spec),
            path="",
        ) from None


def _group_of(document: Mapping[str, Any], store: Store, engine: str | None) -> Group:
    if is_array_document(document):
        raise MetadataError(
            f"{store.spec} is an array, not an image; open the group that holds it, or the array "
            "with anyzarr.open_array"
        )
    return Group(parse_group(document), store, "", engine)
