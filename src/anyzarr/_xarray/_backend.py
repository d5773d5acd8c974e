"""The entry point that xarray finds by the name ``anyzarr``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

from xarray.backends import BackendEntrypoint
from xarray.backends.store import StoreBackendEntrypoint

from anyzarr._nodes import Array, Group, open  # noqa: A004 - anyzarr.open
from anyzarr._xarray._variables import GroupStore, variable_of
from anyzarr.errors import MetadataError
from anyzarr.ome import Image
from anyzarr.ome._xarray import coordinates_of
from xarray import Dataset, DataTree

__all__ = ["AnyzarrBackend"]

_CODING = (
    "mask_and_scale", "decode_times", "concat_characters", "decode_coords", "use_cftime",
    "decode_timedelta",
)  # fmt: skip


class AnyzarrBackend(BackendEntrypoint):
    """Opens Zarr groups and OME-Zarr images from any store through any engine.

    A group's arrays become variables, by the conventions of xarray's own Zarr backend. An
    OME-Zarr image becomes the variable ``image`` with coordinates in physical units and the
    channels by name; ``level`` chooses the resolution, and ``open_datatree`` gives all.

    Examples
    --------
    >>> import anyzarr, numpy as np, xarray
    >>> from anyzarr._xarray import AnyzarrBackend
    >>> store = {}
    >>> with anyzarr.open_ome_zarr(store, mode="w", axes="yx") as image:
    ...     _ = image.create_image("0", np.eye(4, dtype="uint8"), scale=(0.5, 0.5))
    >>> dataset = AnyzarrBackend().open_dataset(store)
    >>> dataset.image.sel(y=0.5, x=0.5).item(), dataset.x.values.tolist()
    (1, [0.0, 0.5, 1.0, 1.5])
    """

    description = "Zarr and OME-Zarr through anyzarr: any engine, any store"
    url = ""
    open_dataset_parameters: ClassVar[tuple[str, ...]] = (
        "filename_or_obj", "drop_variables", "group", "level", "array_engine", "backend",
        "backend_kwargs", "use_zarr_fill_value_as_mask", *_CODING,
    )  # fmt: skip
    supports_groups = True

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        """Whether to open this where no engine is named: ``.ozx``, which nothing else opens."""
        return isinstance(filename_or_obj, str) and filename_or_obj.endswith(".ozx")

    def open_dataset(
        self,
        filename_or_obj: Any,
        *,
        drop_variables: str | Iterable[str] | None = None,
        group: str | None = None,
        level: int | str = 0,
        array_engine: str | None = None,
        backend: str | None = None,
        backend_kwargs: Mapping[str, Any] | None = None,
        use_zarr_fill_value_as_mask: bool | None = None,
        **coding: Any,
    ) -> Dataset:
        """Open a group or a level of an image.

        Parameters
        ----------
        filename_or_obj
            A location, as :func:`anyzarr.open` takes it.
        drop_variables
            Names of arrays to leave out.
        group
            Path of the group within the location.
        level
            Of an image: its number, or the path of its array.
        array_engine
            What decodes the chunks; ``engine`` is xarray's word for this backend.
        backend, backend_kwargs
            As for :func:`anyzarr.open`.
        use_zarr_fill_value_as_mask
            Whether fill values are missing values; by default in Zarr v2 only.
        **coding
            What xarray's decoding takes: ``mask_and_scale``, ``decode_times``, …

        Raises
        ------
        NodeNotFoundError
            There is nothing there.
        """
        node = open(
            filename_or_obj, path=_path(group), mode="r", engine=array_engine, backend=backend,
            **(backend_kwargs or {}),
        )  # fmt: skip
        return _dataset(node, level, drop_variables, use_zarr_fill_value_as_mask, _coding(coding))

    def open_groups_as_dict(self, filename_or_obj: Any, **options: Any) -> dict[str, Dataset]:
        """Open every group, or every level of an image, by path; see :meth:`open_dataset`."""
        known = {"group", "array_engine", "backend", "backend_kwargs", "drop_variables"}
        keep = {key: options.pop(key, None) for key in known}
        use_fill = options.pop("use_zarr_fill_value_as_mask", None)
        options.pop("level", None)
        root = open(
            filename_or_obj, path=_path(keep["group"]), mode="r", engine=keep["array_engine"],
            backend=keep["backend"], **(keep["backend_kwargs"] or {}),
        )  # fmt: skip
        coding = _coding(options)
        image = _image(root)
        if image is not None:
            levels = range(len(image))
            found = {f"/scale{i}": _image_dataset(image, i) for i in levels}
            return {"/": Dataset(), **found}
        if isinstance(root, Array):
            raise MetadataError(f"{root.url} is an array; open it with open_dataset")
        drop = keep["drop_variables"]
        return {
            path: _dataset(group, 0, drop, use_fill, coding) for path, group in _groups(root, "/")
        }

    def open_datatree(self, filename_or_obj: Any, **options: Any) -> DataTree:
        """Open every group, or every level of an image, as a tree; see :meth:`open_dataset`."""
        return DataTree.from_dict(self.open_groups_as_dict(filename_or_obj, **options))


def _path(group: str | None) -> str:
    return (group or "").strip("/")


def _coding(options: Mapping[str, Any]) -> dict[str, Any]:
    unknown = sorted(set(options) - set(_CODING))
    if unknown:
        raise TypeError(f"{unknown[0]!r} is no option of xarray's engine 'anyzarr'")
    return dict(options)


def _image(node: Array | Group) -> Image | None:
    if isinstance(node, Array):
        return None
    image = Image(node)
    return image if image.has_data else None


def _dataset(
    node: Array | Group,
    level: int | str,
    drop: str | Iterable[str] | None,
    use_fill: bool | None,
    coding: Mapping[str, Any],
) -> Dataset:
    image = _image(node)
    if image is not None:
        return _image_dataset(image, level)
    store = GroupStore(node, use_fill)
    return StoreBackendEntrypoint().open_dataset(store, drop_variables=drop, **coding)


def _image_dataset(image: Image, level: int | str) -> Dataset:
    variable = variable_of("image", image[level], use_fill=False)
    variable.dims = tuple(axis.name for axis in image.axes)
    stored = image[level].metadata.grid.chunk_shape
    if stored is not None:
        variable.encoding["preferred_chunks"] = dict(zip(variable.dims, stored, strict=True))
    return Dataset({"image": variable}, coords=coordinates_of(image, level))


def _groups(group: Group, path: str) -> Iterator[tuple[str, Group]]:
    yield path, group
    for name, child in group.groups():
        yield from _groups(child, f"{path.rstrip('/')}/{name}")
