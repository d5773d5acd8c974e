"""The arrays of an image: documents for level 0 and the levels made from it."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from anyzarr._pyramid import PyramidLevel, default_factors, plan_levels
from anyzarr._pyramid import method_of as downsampling_method
from anyzarr.errors import MetadataError, UnsupportedError
from anyzarr.metadata import ArrayMetadata, array_document, parse_array
from anyzarr.ome._axes import Axis, check_axes, metres
from anyzarr.ome._multiscale import Dataset, Multiscale, transformations_of
from anyzarr.ome._storage import compressors_of, default_chunks, default_shards

__all__ = ["ImageSpec", "level_document", "level_path", "multiscale_of", "plan_pyramid"]


@dataclass(frozen=True, slots=True)
class ImageSpec:
    """What level 0 of a new image is to be.

    Attributes
    ----------
    shape, dtype
        Of its array.
    axes
        One per dimension.
    scale, translation
        Physical size of an element and place of the first one's centre; None: 1 and 0.
    chunks
        Shape of the unit that is decoded; None: chosen for viewers.
    shards
        Shape of the unit that is stored; None: chosen; False: no sharding.
    compressor
        None (blosc, zstd 1), ``"none"``, or as for :func:`anyzarr.create_array`.
    fill_value
        Value of elements never written.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    axes: tuple[Axis, ...]
    scale: tuple[float, ...] | None = None
    translation: tuple[float, ...] | None = None
    chunks: tuple[int, ...] | None = None
    shards: tuple[int, ...] | Literal[False] | None = None
    compressor: Any = None
    fill_value: Any = 0

    def check(self) -> None:
        """Check that all of it fits together.

        Raises
        ------
        MetadataError
            It does not, or the axes break a rule of OME-Zarr.
        """
        check_axes(self.axes)
        ndim = len(self.axes)
        for what in ("shape", "scale", "translation", "chunks", "shards"):
            value = getattr(self, what)
            if value is not None and value is not False and len(value) != ndim:
                names = "".join(f" {axis.name}" for axis in self.axes)
                raise MetadataError(
                    f"{what} {tuple(value)} has {len(value)} numbers, and the image has {ndim} "
                    f"axes ({names.strip()}); give one number per axis"
                )
        for what in ("chunks", "shards"):
            lengths = getattr(self, what) or ()
            if any(not isinstance(n, int | np.integer) or n < 1 for n in lengths):
                raise MetadataError(
                    f"{what} {tuple(lengths)} must be whole numbers of at least 1 on every axis"
                )
        if self.scale is not None and not all(np.isfinite(s) and s > 0 for s in self.scale):
            raise MetadataError(f"scale {self.scale} must be greater than zero on every axis")

    @property
    def placement(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Scale and translation, defaults filled in."""
        scale = self.scale if self.scale is not None else (1.0,) * len(self.axes)
        shift = self.translation if self.translation is not None else (0.0,) * len(self.axes)
        return tuple(map(float, scale)), tuple(map(float, shift))

    def document(self, zarr_format: Literal[2, 3] = 3) -> dict[str, Any]:
        """Return the array document of level 0."""
        chunks = self.chunks or default_chunks(self.shape, self.axes, self.placement[0], self.dtype)
        shards = self.shards
        if shards is None and zarr_format == 3:
            shards = default_shards(self.shape, chunks, self.axes, self.dtype)
        v2 = {"chunk_key_encoding": {"name": "v2", "separator": "/"}}
        v3 = {"dimension_names": [axis.name for axis in self.axes]}
        return array_document(
            shape=self.shape,
            dtype=self.dtype,
            chunks=chunks,
            shards=shards or None,
            fill_value=self.fill_value,
            compressors=compressors_of(self.compressor, self.dtype, zarr_format),
            zarr_format=zarr_format,
            **(v3 if zarr_format == 3 else v2),
        )


def plan_pyramid(
    spec: ImageSpec,
    *,
    n_levels: int | None = None,
    method: str = "mean",
    factors: Sequence[Sequence[int]] | None = None,
) -> tuple[PyramidLevel, ...]:
    """Return the levels of an image's pyramid, level 0 first.

    Parameters
    ----------
    spec
        Level 0.
    n_levels
        How many levels, level 0 included; None: until the largest spatial axis is 256 or less.
    method
        How a window becomes an element; decides where the element's centre is, and must be
        able to work on the dtype.
    factors
        From each level to the next, one per axis; None: chosen by the voxels' proportions.
    """
    scale, translation = spec.placement
    if factors is None:
        spatial = [i for i, axis in enumerate(spec.axes) if axis.type == "space"]
        sizes = [s * metres(axis) for s, axis in zip(scale, spec.axes, strict=True)]
        factors = default_factors(spec.shape, spatial, sizes, n_levels=n_levels)
    elif n_levels is not None and n_levels != len(factors) + 1:
        raise MetadataError(
            f"{len(factors)} sets of factors make {len(factors) + 1} levels, not {n_levels}; "
            "give one of the two"
        )
    how = downsampling_method(method)
    if factors:
        how.require(spec.dtype)
    return plan_levels(spec.shape, scale, translation, factors, centred=how.centred)


def level_path(first: str, level: int) -> str:
    """Return the path of a level, after the pattern of the first one's.

    >>> from anyzarr.ome._levels import level_path
    >>> level_path("0", 2), level_path("s0", 2), level_path("scale0/image", 2)
    ('2', 's2', 'scale2/image')
    """
    if level == 0:
        return first
    matches = list(re.finditer(r"(?<!\d)0(?!\d)", first))
    if not matches:
        return f"{first}_{level}"
    last = matches[-1]
    return f"{first[: last.start()]}{level}{first[last.end() :]}"


def level_document(finest: ArrayMetadata, shape: Sequence[int]) -> dict[str, Any]:
    """Return the document of a smaller level: level 0's with another shape.

    Codecs, fill value, names and key encoding stay; chunks and shards shrink to the shape.

    Raises
    ------
    UnsupportedError
        Level 0 has chunks of unequal lengths.
    """
    if finest.grid.chunk_shape is None:
        raise UnsupportedError(
            "a pyramid needs chunks of one shape, and this image's level 0 has chunks of unequal "
            "lengths (a rectilinear grid)"
        )
    stored = finest.grid.chunk_shape
    inner = finest.sharding.subchunk_shape if finest.sharding is not None else stored
    chunks = tuple(max(1, min(c, n)) for c, n in zip(inner, shape, strict=True))
    shards = tuple(
        c * max(1, min(s // i, -(-n // c)))
        for c, s, i, n in zip(chunks, stored, inner, shape, strict=True)
    )
    document = copy.deepcopy(dict(finest.document))
    document.pop("attributes", None)
    document["shape"] = list(shape)
    if finest.zarr_format == 2:
        document["chunks"] = list(shards)
        return document
    document["chunk_grid"] = {"name": "regular", "configuration": {"chunk_shape": list(shards)}}
    for codec in document["codecs"]:
        if isinstance(codec, Mapping) and codec.get("name") == "sharding_indexed":
            codec["configuration"]["chunk_shape"] = list(chunks)
    parse_array(document)
    return document


def multiscale_of(
    axes: Sequence[Axis],
    levels: Sequence[PyramidLevel],
    first_path: str,
    *,
    name: str | None,
    method: str | None,
) -> Multiscale:
    """Return the metadata of an image with these levels."""
    from anyzarr import __version__

    datasets = tuple(
        Dataset(level_path(first_path, i), transformations_of(level.scale, level.translation))
        for i, level in enumerate(levels)
    )
    details = None
    if method is not None and len(levels) > 1:
        details = {
            "description": downsampling_method(method).description,
            "method": "anyzarr",
            "version": __version__,
            "kwargs": {"factors": [list(level.factors) for level in levels[1:]]},
        }
    kind = method if details is not None else None
    return Multiscale(tuple(axes), datasets, name, kind, details)
