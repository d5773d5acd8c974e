"""The attributes of a vector store's root, as a value.

Parsed once at the edge; what is not known is kept and written back as it was.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from anyzarr.errors import MetadataError
from anyzarr.vectors._constants import CAP_MULTISCALE_LINKS, FORMAT_VERSION
from anyzarr.vectors._fields import block, numbers_of, wrong_field
from anyzarr.vectors._grid import Bounds, CellGrid
from anyzarr.vectors._level_metadata import LevelMetadata

__all__ = ["LevelMetadata", "RootMetadata", "is_vector_store"]

_ROOT = "zarr_vectors"
_SPACE_NAMES = ("x", "y", "z", "w")
_EMPTY: Mapping[str, Any] = MappingProxyType({})


def is_vector_store(attributes: Mapping[str, Any]) -> bool:
    """Return whether a group's attributes are those of a vector store's root."""
    return isinstance(attributes.get(_ROOT), Mapping)


@dataclass(frozen=True)
class RootMetadata:
    """What the root of a vector store says of all its levels.

    Attributes
    ----------
    chunk_shape
        Edge lengths of a spatial chunk, in physical units.
    bounds
        Lower and upper corner of what the store may hold; both belong to it.
    geometry_types
        Kinds of geometry in the store (``"point_cloud"``, ``"polyline"``, …).
    axes
        Axes as OME-Zarr describes them, one per dimension.
    base_bin_shape
        Edge lengths of a bin at level 0, a whole fraction of a chunk's; None: one bin a chunk.
    links_convention
        What joins vertices where no link is stored; None: nothing has been written yet.
    object_index_convention, cross_chunk_strategy
        How objects are indexed, and how links between chunks are kept.
    format_capabilities
        Tokens of what a reader must know (``CAP_*``).
    zv_version
        Version of the format.
    name
        Name for people.
    raw
        The attributes as stored, with everything that is not known here.

    Examples
    --------
    >>> from anyzarr.vectors import RootMetadata
    >>> root = RootMetadata((10.0, 10.0), ((0.0, 0.0), (99.0, 50.0)))
    >>> RootMetadata.parse(root.attributes()).grid().shape
    (10, 6)
    """

    chunk_shape: tuple[float, ...]
    bounds: Bounds
    geometry_types: tuple[str, ...] = ()
    axes: tuple[Mapping[str, Any], ...] = ()
    base_bin_shape: tuple[float, ...] | None = None
    links_convention: str | None = None
    object_index_convention: str = "standard"
    cross_chunk_strategy: str = "explicit_links"
    format_capabilities: tuple[str, ...] = ()
    zv_version: str = FORMAT_VERSION
    name: str = "default"
    raw: Mapping[str, Any] = field(default_factory=lambda: _EMPTY, repr=False, compare=False)

    def __post_init__(self) -> None:
        ndim = len(self.chunk_shape)
        if not self.axes:
            object.__setattr__(self, "axes", default_axes(ndim))
        lengths = {len(self.bounds[0]), len(self.bounds[1]), len(self.axes)}
        if ndim == 0 or lengths != {ndim}:
            raise MetadataError(
                f"a chunk shape of {ndim} edges, bounds of {len(self.bounds[0])} and "
                f"{len(self.bounds[1])} numbers and {len(self.axes)} axes do not describe one "
                "space: give as many of each as there are dimensions",
                kind="ndim",
            )
        pairs = zip(*self.bounds, strict=True)
        if not all(math.isfinite(low) and low <= high < math.inf for low, high in pairs):
            raise MetadataError(
                f"the bounds {self.bounds} are not valid: a lower corner and an upper corner of "
                "finite numbers, the lower no greater",
                kind="bounds",
            )
        if self.base_bin_shape is not None and len(self.base_bin_shape) != ndim:
            raise MetadataError(
                f"the bin shape {self.base_bin_shape} has not as many edges as the chunk shape "
                f"{self.chunk_shape}",
                kind="bin_shape",
            )
        self.grid()

    @classmethod
    def parse(cls, attributes: Mapping[str, Any]) -> RootMetadata:
        """Return the metadata in a root group's attributes.

        Raises
        ------
        MetadataError
            They are not those of a vector store, or a field is missing or wrong.
        """
        own = block(attributes, _ROOT, "a vector store")
        return cls(
            chunk_shape=numbers_of(own, "chunk_shape"),
            bounds=_bounds(own.get("bounds")),
            geometry_types=tuple(str(kind) for kind in own.get("geometry_types") or ()),
            axes=_axes(attributes),
            base_bin_shape=numbers_of(own, "base_bin_shape") if own.get("base_bin_shape") else None,
            links_convention=own.get("links_convention"),
            object_index_convention=str(own.get("object_index_convention", "standard")),
            cross_chunk_strategy=str(own.get("cross_chunk_strategy", "explicit_links")),
            format_capabilities=tuple(str(t) for t in own.get("format_capabilities") or ()),
            zv_version=str(own.get("zv_version", FORMAT_VERSION)),
            name=_name(attributes),
            raw=dict(attributes),
        )

    @property
    def ndim(self) -> int:
        """Number of dimensions of the space."""
        return len(self.chunk_shape)

    @property
    def bin_shape(self) -> tuple[float, ...]:
        """Edge lengths of a bin at level 0; a chunk's where there are no bins."""
        return self.base_bin_shape or self.chunk_shape

    @property
    def levels(self) -> tuple[int, ...]:
        """Numbers of the levels that the document names, ascending."""
        paths = [str(entry.get("path", "")) for entry in self._datasets()]
        return tuple(sorted(int(path) for path in paths if path.isdigit()))

    def grid(self, level: LevelMetadata | None = None) -> CellGrid:
        """Return the grid of cells of a level; of level 0 where none is given."""
        chunk_shape = self.chunk_shape if level is None else level.chunk_shape or self.chunk_shape
        return CellGrid.over(self.bounds, chunk_shape, self.bin_shape_of(level, chunk_shape))

    def bin_shape_of(
        self, level: LevelMetadata | None, chunk_shape: Sequence[float]
    ) -> tuple[float, ...]:
        """Return the edge lengths of a level's bins, as far as they divide its chunks."""
        if level is None or level.level == 0:
            return self.bin_shape
        scale = self.scale_of(level.level)
        edges = tuple(edge * factor for edge, factor in zip(self.bin_shape, scale, strict=True))
        whole = all(
            c / b >= 1 and abs(c / b - round(c / b)) < 1e-9
            for c, b in zip(chunk_shape, edges, strict=True)
        )
        return edges if whole else tuple(chunk_shape)

    def scale_of(self, level: int) -> tuple[float, ...]:
        """Return how much larger than at level 0 the bins of a level are."""
        for entry in self._datasets():
            if str(entry.get("path")) == str(level):
                for transform in entry.get("coordinateTransformations") or ():
                    if transform.get("type") == "scale":
                        return tuple(float(factor) for factor in transform["scale"])
        return (1.0,) * self.ndim

    def _datasets(self) -> list[Mapping[str, Any]]:
        return list(_multiscale(self.raw).get("datasets") or ())

    def with_level(self, level: int, scale: Sequence[float]) -> RootMetadata:
        """Return this with a level named, whose bins are ``scale`` times those of level 0."""
        bins = [edge * factor for edge, factor in zip(self.bin_shape, scale, strict=True)]
        entry = {
            "path": str(level),
            "coordinateTransformations": [
                {"type": "scale", "scale": [float(factor) for factor in scale]},
                {"type": "translation", "translation": [edge / 2 for edge in bins]},
            ],
        }
        others = [e for e in self._datasets() if str(e.get("path")) != str(level)]
        return self._with_datasets([*others, entry])

    def without_level(self, level: int) -> RootMetadata:
        """Return this with a level no longer named."""
        return self._with_datasets(
            [e for e in self._datasets() if str(e.get("path")) != str(level)]
        )

    def with_capability(self, token: str, *, present: bool = True) -> RootMetadata:
        """Return this with a token among the capabilities, or not."""
        others = [name for name in self.format_capabilities if name != token]
        if present == (token in self.format_capabilities):
            return self
        return replace(self, format_capabilities=(*others, *([token] if present else [])))

    def with_level_links(self, storage: str, depth: int | None = None) -> RootMetadata:
        """Return this with what is said of links between levels: none, or those of a storage."""
        own: dict[str, Any] = {"cross_level_storage": storage}
        if depth is not None:
            own["cross_level_depth"] = depth
        raw = {**self.raw, _ROOT: {**self.raw.get(_ROOT, {}), **own}}
        told = self.with_capability(CAP_MULTISCALE_LINKS, present=storage != "none")
        return replace(told, raw=raw)

    def _with_datasets(self, datasets: list[Mapping[str, Any]]) -> RootMetadata:
        datasets = sorted(datasets, key=lambda e: int(e["path"]) if str(e["path"]).isdigit() else 0)
        raw = self.attributes()
        raw["multiscales"] = [
            {**raw["multiscales"][0], "datasets": datasets},
            *raw["multiscales"][1:],
        ]
        raw["ome"] = _collection(raw.get("ome") or {}, self, [str(e["path"]) for e in datasets])
        return replace(self, raw=raw)

    def attributes(self) -> dict[str, Any]:
        """Return the root group's attributes, with all that was read and is not known here."""
        raw = dict(self.raw)
        own = {
            "zv_version": self.zv_version,
            "format_capabilities": list(self.format_capabilities),
            "chunk_shape": list(self.chunk_shape),
            "bounds": [list(self.bounds[0]), list(self.bounds[1])],
            "geometry_types": list(self.geometry_types),
            "object_index_convention": self.object_index_convention,
            "cross_chunk_strategy": self.cross_chunk_strategy,
        }
        if self.base_bin_shape is not None:
            own["base_bin_shape"] = list(self.base_bin_shape)
        if self.links_convention is not None:
            own["links_convention"] = self.links_convention
        raw[_ROOT] = {**raw.get(_ROOT, {}), **own}
        scales = list(raw.get("multiscales") or [{}])
        first = {
            "version": "0.4",
            "name": "default",
            "metadata": {"format": "zarr_vectors"},
            "datasets": [],
            **scales[0],
            "axes": [dict(axis) for axis in self.axes],
        }
        raw["multiscales"] = [first, *scales[1:]]
        names = [str(entry.get("path")) for entry in first["datasets"]]
        raw["ome"] = _collection(raw.get("ome") or {}, self, names)
        return raw


def default_axes(ndim: int) -> tuple[Mapping[str, Any], ...]:
    """Return the axes of a space whose axes nobody named."""
    names = _SPACE_NAMES if ndim <= len(_SPACE_NAMES) else tuple(f"d{i}" for i in range(ndim))
    return tuple({"name": name, "type": "space"} for name in names[:ndim])


# ---------------------------------------------------------------------- parsing


def _bounds(value: Any) -> Bounds:
    if not isinstance(value, Sequence) or len(value) != 2:
        raise wrong_field("bounds", value, "the lower and the upper corner")
    corners = {"low": value[0], "high": value[1]}
    return numbers_of(corners, "low"), numbers_of(corners, "high")


def _multiscale(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    scales = attributes.get("multiscales")
    if isinstance(scales, Sequence) and scales and isinstance(scales[0], Mapping):
        return scales[0]
    return _EMPTY


def _axes(attributes: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    axes = _multiscale(attributes).get("axes") or ()
    return tuple(dict(axis) for axis in axes if isinstance(axis, Mapping))


def _name(attributes: Mapping[str, Any]) -> str:
    collection = attributes.get("ome")
    if isinstance(collection, Mapping) and isinstance(collection.get("name"), str):
        return str(collection["name"])
    return str(_multiscale(attributes).get("name", "default"))


def _collection(stored: Mapping[str, Any], root: RootMetadata, levels: list[str]) -> dict[str, Any]:
    """Return the node of an OME collection (RFC-8) that this store is."""
    axes = [{k: a[k] for k in ("name", "type", "unit") if a.get(k)} for a in root.axes]
    kept = {str(node.get("name")): node for node in stored.get("nodes") or ()}
    scene = {
        "coordinateSystems": [{"name": "world", "axes": axes}],
        "coordinateTransformations": [],
    }
    return {
        "version": "0.6",
        "type": "collection",
        "attributes": {"scene": scene},
        **stored,
        "name": root.name,
        "nodes": [kept.get(name, {"type": "zv:level", "name": name}) for name in levels],
    }
