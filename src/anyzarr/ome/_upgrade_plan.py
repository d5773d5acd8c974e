"""What an upgrade is to do, worked out whole before anything is touched."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from anyzarr import crud
from anyzarr._parallel import map_ordered
from anyzarr.abc import Store
from anyzarr.errors import MetadataError, NodeNotFoundError, UnsupportedError
from anyzarr.metadata import ArrayMetadata, parse_array
from anyzarr.ome._axes import Axis
from anyzarr.ome._model import ImageMetadata
from anyzarr.ome._upgrade_attributes import is_ome, upgraded_attributes
from anyzarr.ome._upgrade_formats import as_v2, as_v3, with_dimensions
from anyzarr.ome._versions import require_writable_version, stated_version, zarr_format_of
from anyzarr.stores import join

__all__ = [
    "Document",
    "PlannedNode",
    "UpgradePlan",
    "documents_of",
    "group_of_format",
    "plan_upgrade",
]

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PlannedNode:
    """One node of the hierarchy.

    Attributes
    ----------
    path
        Its path; ``""`` is the root.
    before
        Its document, or None for a group that has none of its own (v2 allows that).
    after
        Its document in the new version; chunks stay as they are stored.
    axes
        Of an array that is a level of an image; empty for others.
    """

    path: str
    before: Document | None
    after: Document
    axes: tuple[Axis, ...] = ()

    @property
    def is_array(self) -> bool:
        """Whether it is an array."""
        return "shape" in self.after

    @property
    def is_changed(self) -> bool:
        """Whether its document is another one."""
        return self.before != self.after

    @property
    def depth(self) -> int:
        """How many nodes lie above it."""
        return self.path.count("/") + 1 if self.path else 0


@dataclass(frozen=True, slots=True)
class UpgradePlan:
    """What an upgrade is to do.

    Attributes
    ----------
    version
        The version to be.
    before
        The version the root states.
    nodes
        All of them, parents before their members.
    """

    version: str
    before: str
    nodes: tuple[PlannedNode, ...]

    @property
    def arrays(self) -> tuple[PlannedNode, ...]:
        """The arrays."""
        return tuple(node for node in self.nodes if node.is_array)

    @property
    def groups(self) -> tuple[PlannedNode, ...]:
        """The groups, parents before their members."""
        return tuple(node for node in self.nodes if not node.is_array)


def plan_upgrade(
    store: Store, version: str, *, recoded: bool = False, backwards: bool = False
) -> UpgradePlan:
    """Return what has to be done to a hierarchy so that it is of a version.

    Parameters
    ----------
    store
        It, at the root.
    version
        The version it is to be of.
    recoded
        Whether the images get other codecs, so that those they have need no counterpart.
    backwards
        Whether Zarr v3 may become v2.

    Raises
    ------
    UnsupportedError
        It cannot be of this version: it is of a newer one, or has what the version or its Zarr
        format cannot say.
    MetadataError
        It is no OME-Zarr, or breaks the specification.
    NodeNotFoundError
        An image names an array that is not there.
    """
    require_writable_version(version)
    documents = documents_of(store)
    if "shape" in (documents[""] or {}):
        raise MetadataError(f"{store.spec} is an array, not an image; give the group that holds it")
    root = (documents.get("") or {}).get("attributes", {})
    before = stated_version(root)
    if not any(is_ome(_attributes(d), _name(p)) for p, d in documents.items()):
        raise MetadataError(
            f"{store.spec} holds no OME-Zarr metadata, so there is nothing to upgrade; copy it "
            "with anyzarr.convert"
        )
    is_back = zarr_format_of(version) == 2 and any(_format(d) == 3 for d in documents.values())
    if is_back and not backwards:
        raise UnsupportedError(
            f"{store.spec} is Zarr v3, and OME-Zarr {version} is Zarr v2; an upgrade leads to "
            "newer versions only: make a copy of this version with anyzarr.convert"
        )
    nodes = _planned_groups(documents, version)
    axes = _axes_of_levels(nodes)
    _require_levels(axes, documents)
    arrays = [
        _planned_array(path, document, axes.get(path, ()), version, recoded)
        for path, document in documents.items()
        if document is not None and "shape" in document
    ]
    ordered = sorted([*nodes, *arrays], key=lambda node: (node.depth, node.path))
    return UpgradePlan(version, before, tuple(ordered))


def documents_of(store: Store) -> dict[str, Document | None]:
    """Return the documents of all nodes; None for groups without one that hold nodes."""
    found: dict[str, Document | None] = {"": crud.read_metadata(store)}
    level = [] if "shape" in (found[""] or {}) else [""]
    while level:
        inside = map_ordered(lambda path: _members(store, path), level)
        new = {path: document for members in inside for path, document in members.items()}
        found.update(new)
        level = [path for path, document in new.items() if "shape" not in (document or {})]
    return _without_empty(found)


def _members(store: Store, path: str) -> dict[str, Document | None]:
    if not store.capabilities.listable:
        children = crud.list_children(store, path)
        return {join(path, name): document for name, document in children}
    prefixes = store.list_level(f"{path}/" if path else "").prefixes
    return {prefix.rstrip("/"): _document(store, prefix.rstrip("/")) for prefix in prefixes}


def _document(store: Store, path: str) -> Document | None:
    try:
        return crud.read_metadata(store, path)
    except NodeNotFoundError:
        return None


def _without_empty(found: Mapping[str, Document | None]) -> dict[str, Document | None]:
    """Leave out prefixes that are no node and hold none."""
    holding = {""}
    for path, document in found.items():
        if document is not None:
            parts = path.split("/")
            holding |= {"/".join(parts[:n]) for n in range(1, len(parts) + 1)}
    return {path: document for path, document in found.items() if path in holding}


def _planned_groups(documents: Mapping[str, Document | None], version: str) -> list[PlannedNode]:
    groups = []
    for path, document in documents.items():
        if document is not None and "shape" in document:
            continue
        attributes = _attributes(document)
        new = upgraded_attributes(
            copy.deepcopy(dict(attributes)), _name(path), version, _shape_of(documents, path)
        )
        groups.append(
            PlannedNode(path, document, group_of_format(document, new, zarr_format_of(version)))
        )
    return groups


def _shape_of(documents: Mapping[str, Document | None], path: str) -> Any:
    def shape(relative: str) -> tuple[int, ...]:
        document = documents.get(join(path, relative))
        if document is None or "shape" not in document:
            raise NodeNotFoundError(
                f"the metadata of {path or '/'!r} names an array {relative!r} that is not there",
                path=join(path, relative),
            )
        return tuple(document["shape"])

    return shape


def group_of_format(
    document: Document | None, attributes: Mapping[str, Any], zarr_format: int
) -> Document:
    """Return the document of a group in a format, without copies of those below it."""
    if zarr_format == 2:
        return {"zarr_format": 2, "attributes": attributes}
    known = {"zarr_format", "node_type", "attributes", "consolidated_metadata"}
    extra = document if document is not None and _format(document) == 3 else {}
    rest = {k: v for k, v in extra.items() if k not in known}
    return {"zarr_format": 3, "node_type": "group", "attributes": attributes, **rest}


def _axes_of_levels(groups: list[PlannedNode]) -> dict[str, tuple[Axis, ...]]:
    """Return the axes of each array that a group names as a level."""
    found = {}
    for group in groups:
        attributes = _attributes(group.after)
        ome = attributes.get("ome", attributes)
        if isinstance(ome, Mapping) and "multiscales" in ome:
            for multiscale in ImageMetadata.from_attributes(attributes).multiscales:
                for dataset in multiscale.datasets:
                    found[join(group.path, dataset.path)] = multiscale.axes
    return found


def _require_levels(levels: Mapping[str, Any], documents: Mapping[str, Document | None]) -> None:
    for path in levels:
        if "shape" not in (documents.get(path) or {}):
            raise NodeNotFoundError(
                f"the metadata of an image names the array {path!r}, which is not there: it is "
                "broken, and only a copy as it is can be made",
                path=path,
            )


def _planned_array(
    path: str, document: Document, axes: tuple[Axis, ...], version: str, recoded: bool
) -> PlannedNode:
    node = PlannedNode(path, document, document, axes)
    metadata = parse_array(document)
    if zarr_format_of(version) == 2:
        is_v2 = metadata.zarr_format == 2
        return node if is_v2 else replace(node, after=_back(metadata, path, axes, recoded))
    if metadata.zarr_format == 2:
        node = replace(node, after=as_v3(metadata, path, recoded=recoded and bool(axes)))
    names = [axis.name for axis in axes]
    if names and len(names) != metadata.ndim:
        raise MetadataError(
            f"the array {path!r} has {metadata.ndim} dimensions, and its image the axes "
            f"{', '.join(map(repr, names))}; they must be as many",
            path=path,
        )
    if names and node.after.get("dimension_names") != names:
        node = replace(node, after={**node.after, "dimension_names": names})
    return node


def _back(metadata: ArrayMetadata, path: str, axes: tuple[Axis, ...], recoded: bool) -> Document:
    after = as_v2(metadata, path, recoded=recoded and bool(axes))
    # OME-Zarr names the axes of its images itself; other arrays have xarray's convention.
    return after if axes else with_dimensions(after, metadata.dimension_names)


def _attributes(document: Document | None) -> Document:
    attributes = (document or {}).get("attributes", {})
    return attributes if isinstance(attributes, Mapping) else {}


def _format(document: Document | None) -> int:
    return int((document or {}).get("zarr_format", 2))


def _name(path: str) -> str:
    return path.rpartition("/")[2]
