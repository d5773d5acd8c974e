"""How arrays are stored at the target of an upgrade: as they are, or cut and coded anew."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from anyzarr.errors import MetadataError, UnsupportedError
from anyzarr.metadata import ArrayMetadata, array_document, parse_array, to_document
from anyzarr.metadata._codecs import role_of
from anyzarr.metadata._dtypes import has_byte_order
from anyzarr.ome._axes import Axis
from anyzarr.ome._storage import Lengths, compressors_of, default_shards
from anyzarr.ome._upgrade_plan import PlannedNode, UpgradePlan

__all__ = ["CopyOptions", "array_at_target", "new_documents"]

Names = Sequence[str]


@dataclass(frozen=True, slots=True)
class CopyOptions:
    """How the images are stored at the target; None: as they are.

    Attributes
    ----------
    chunks, shards
        One number per axis, or for some by their names; shards also ``"auto"``, and False for none.
    compressor
        As for :meth:`anyzarr.ome.Image.create_image`.
    engine
        What decodes and encodes.
    """

    chunks: Lengths | None = None
    shards: Lengths | Literal["auto", False] | None = None
    compressor: Any = None
    engine: str | None = None

    @property
    def changes_chunks(self) -> bool:
        """Whether chunks have to be decoded and encoded."""
        return any(v is not None for v in (self.chunks, self.shards, self.compressor))


def new_documents(plan: UpgradePlan, options: CopyOptions) -> dict[str, dict[str, Any]]:
    """Return the documents of the arrays at the target, by path.

    Raises
    ------
    MetadataError
        ``chunks`` or ``shards`` fit no image.
    UnsupportedError
        Shards are asked for, and the version is one of Zarr v2.
    """
    names = [axis.name for axis in _axes_of_options(plan, options)]
    return {node.path: array_at_target(node, options, names) for node in plan.arrays}


def _axes_of_options(plan: UpgradePlan, options: CopyOptions) -> tuple[Axis, ...]:
    """Return the axes that the numbers of the options belong to: an image's with as many."""
    asked = [v for v in (options.chunks, options.shards) if v and not isinstance(v, str)]
    for lengths in asked:
        numbers = lengths.values() if isinstance(lengths, Mapping) else lengths
        if any(type(n) is not int or n < 1 for n in numbers):
            raise MetadataError(f"{lengths} must be whole numbers of at least 1")
        if isinstance(lengths, Mapping):
            _require_axes(lengths, plan)
    given = [tuple(v) for v in asked if not isinstance(v, Mapping)]
    if not given:
        return ()
    for node in plan.arrays:
        if node.axes and all(len(numbers) == len(node.axes) for numbers in given):
            return node.axes
    known = sorted({" ".join(a.name for a in node.axes) for node in plan.arrays if node.axes})
    raise MetadataError(
        f"{' and '.join(map(str, given))} fit no image here: give one number per axis of "
        f"{' or '.join(known)}"
    )


def _require_axes(lengths: Mapping[str, int], plan: UpgradePlan) -> None:
    known = {axis.name for node in plan.arrays for axis in node.axes}
    for name in lengths:
        if name not in known:
            raise MetadataError(
                f"{name}={lengths[name]}: no image here has an axis {name!r}, only "
                f"{', '.join(sorted(known))}"
            )


def array_at_target(node: PlannedNode, options: CopyOptions, names: Names) -> dict[str, Any]:
    """Return the document of an array at the target; ``names`` are the axes of the options."""
    planned = copy.deepcopy(dict(node.after))
    if planned["zarr_format"] == 2:
        return _of_v2(planned, node, options, names)
    if (node.before or {}).get("zarr_format") == 2:
        planned["chunk_key_encoding"] = {"name": "default", "configuration": {"separator": "/"}}
    if not options.changes_chunks or not node.axes:
        return planned
    metadata = parse_array(planned)
    chunks = _chunks(metadata, options, names, node.axes)
    fresh = array_document(
        shape=metadata.shape,
        dtype=_dtype(metadata),
        chunks=chunks,
        shards=_shards(metadata, options, names, node.axes, chunks),
        fill_value=metadata.fill,
        attributes=planned.get("attributes") or None,
        dimension_names=planned.get("dimension_names"),
        **_codecs(planned, metadata, options),
    )
    return to_document(parse_array(fresh))


def _of_v2(
    planned: dict[str, Any], node: PlannedNode, options: CopyOptions, names: Names
) -> dict[str, Any]:
    """Return a v2 document: 0.4 wants chunks nested in folders."""
    planned["dimension_separator"] = "/"
    if not options.changes_chunks or not node.axes:
        return planned
    if options.shards:
        raise UnsupportedError("Zarr v2 (that of OME-Zarr 0.4) has no shards; leave shards out")
    metadata = parse_array(planned)
    planned["chunks"] = list(_chunks(metadata, options, names, node.axes))
    if options.compressor is not None:
        coded = array_document(
            shape=metadata.shape,
            dtype=_dtype(metadata),
            chunks=planned["chunks"],
            zarr_format=2,
            compressors=compressors_of(options.compressor, metadata.dtype, 2),
        )
        planned |= {"compressor": coded["compressor"], "filters": coded["filters"]}
    return planned


def _dtype(metadata: ArrayMetadata) -> Any:
    """Return what :func:`array_document` takes for the same values, in native byte order."""
    if has_byte_order(metadata.dtype):
        return metadata.dtype.newbyteorder("=")
    return metadata.data_type


def _codecs(
    planned: Mapping[str, Any], metadata: ArrayMetadata, options: CopyOptions
) -> dict[str, Any]:
    """Return the codecs for :func:`array_document`: those asked for, else those there are."""
    if options.compressor is not None:
        return {"compressors": compressors_of(options.compressor, metadata.dtype, 3)}
    chain = list(planned["codecs"])
    for codec in chain:
        if isinstance(codec, Mapping) and codec.get("name") == "sharding_indexed":
            chain = codec["configuration"]["codecs"]
    by_role: dict[str | None, list[Any]] = {}
    for codec in chain:
        name = codec if isinstance(codec, str) else codec["name"]
        by_role.setdefault(role_of(name), []).append(codec)
    return {
        "filters": by_role.get("array to array", []),
        "serializer": by_role["array to bytes"][0],
        "compressors": by_role.get("bytes to bytes", []),
    }


def _picked(
    given: Lengths | None, names: Names, axes: Sequence[Axis], kept: Sequence[int]
) -> tuple[int, ...]:
    """Return the numbers for some axes out of those given for the axes of an image."""
    if given is None:
        return tuple(kept)
    if isinstance(given, Mapping):
        return tuple(given.get(axis.name, n) for axis, n in zip(axes, kept, strict=True))
    by_name = dict(zip(names, given, strict=True))
    return tuple(by_name.get(axis.name, 1) for axis in axes)


def _chunks(
    metadata: ArrayMetadata, options: CopyOptions, names: Names, axes: Sequence[Axis]
) -> tuple[int, ...]:
    sharding, grid = metadata.sharding, metadata.grid.chunk_shape
    if grid is None and not isinstance(options.chunks, Sequence):
        raise UnsupportedError(
            "its chunks are of several lengths along an axis; to store it anew, give chunks= with "
            "a number for each"
        )
    kept = sharding.subchunk_shape if sharding is not None else grid or metadata.shape
    chunks = _picked(options.chunks, names, axes, kept)
    return tuple(max(1, min(c, n)) for c, n in zip(chunks, metadata.shape, strict=True))


def _shards(
    metadata: ArrayMetadata,
    options: CopyOptions,
    names: Names,
    axes: Sequence[Axis],
    chunks: tuple[int, ...],
) -> tuple[int, ...] | None:
    if options.shards == "auto":
        return default_shards(metadata.shape, chunks, axes, metadata.dtype)
    if options.shards is False:
        return None
    kept = metadata.grid.chunk_shape if metadata.sharding is not None else None
    if options.shards is None and kept is None:
        return None
    wanted = _picked(options.shards, names, axes, kept or chunks)
    # Whole chunks, and no more of them than the image has.
    most = [-(-n // c) for n, c in zip(metadata.shape, chunks, strict=True)]
    return tuple(
        c * max(1, min(-(-w // c), m)) for c, w, m in zip(chunks, wanted, most, strict=True)
    )
