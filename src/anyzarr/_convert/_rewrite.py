"""What becomes of a Zarr hierarchy on its way: other chunks, codecs, or another format."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from anyzarr._convert._image import ImageOptions
from anyzarr.abc import Store
from anyzarr.errors import ConflictError, MetadataError, UnsupportedError
from anyzarr.metadata import ArrayMetadata, parse_array, to_document, to_v3_equivalent
from anyzarr.ome import (
    Axis,
    CopyOptions,
    is_ome,
    plan_upgrade,
    require_writable_version,
    written_version,
    zarr_format_of,
)
from anyzarr.ome._upgrade_arrays import array_at_target, new_documents
from anyzarr.ome._upgrade_formats import DIMENSIONS as _DIMENSIONS
from anyzarr.ome._upgrade_formats import as_v2, as_v3, with_dimensions
from anyzarr.ome._upgrade_plan import (
    Document,
    PlannedNode,
    documents_of,
    group_of_format,
)
from anyzarr.vectors._documents import RootMetadata
from anyzarr.vectors._redo import is_unfinished

__all__ = ["Rewrite", "asks_for_change", "planned_rewrite"]

_VERSION_OF_FORMAT = {2: "0.4", 3: "0.5"}
_VECTORS = "zarr_vectors"


@dataclass(frozen=True, slots=True)
class Rewrite:
    """The nodes of a hierarchy as they are, and as they are to be.

    Attributes
    ----------
    kind
        ``upgrade`` for OME-Zarr that becomes of a newer version, else ``rewrite``.
    groups
        Parents before their members.
    arrays
        The documents they are to have are final.
    is_consolidated
        Whether the root has copies of all documents.
    """

    kind: Literal["rewrite", "upgrade"]
    groups: tuple[PlannedNode, ...]
    arrays: tuple[PlannedNode, ...]
    is_consolidated: bool = False

    @property
    def copied(self) -> tuple[PlannedNode, ...]:
        """The arrays whose chunks stay as they are stored."""
        return tuple(node for node in self.arrays if _has_same_chunks(node))

    @property
    def recoded(self) -> tuple[PlannedNode, ...]:
        """The arrays whose chunks are decoded and encoded."""
        return tuple(node for node in self.arrays if not _has_same_chunks(node))


def asks_for_change(options: ImageOptions) -> bool:
    """Return whether a hierarchy is to be other than it is."""
    asked = (
        options.version, options.chunks, options.shards, options.compressor, options.zarr_format,
    )  # fmt: skip
    return any(option is not None for option in asked)


def planned_rewrite(store: Store, options: ImageOptions) -> Rewrite:
    """Return what a hierarchy becomes; nothing is written.

    Raises
    ------
    MetadataError
        The options fit no array, or there is no OME-Zarr and a version is asked for.
    UnsupportedError
        The other format or version cannot say what is there.
    ConflictError
        A vector store is being changed.
    """
    documents = documents_of(store)
    _require_finished(store, documents)
    version = _ome_version(documents, options)
    copy_options = CopyOptions(options.chunks, options.shards, options.compressor, options.engine)
    is_consolidated = _is_consolidated(store, documents[""])
    if version is None:
        rewrite = _plain(documents, copy_options, options.zarr_format)
        return replace(rewrite, is_consolidated=is_consolidated)
    plan = plan_upgrade(store, version, recoded=options.compressor is not None, backwards=True)
    new = new_documents(plan, copy_options)
    arrays = tuple(replace(node, after=new[node.path]) for node in plan.arrays)
    kind: Literal["rewrite", "upgrade"] = "upgrade" if plan.before < version else "rewrite"
    return Rewrite(kind, plan.groups, arrays, is_consolidated)


def _is_consolidated(store: Store, root: Document | None) -> bool:
    return "consolidated_metadata" in (root or {}) or store.head(".zmetadata") is not None


def _ome_version(documents: Mapping[str, Document | None], options: ImageOptions) -> str | None:
    """Return the OME-Zarr version of what is written; None: what is there is not OME-Zarr."""
    if options.version is not None:
        require_writable_version(options.version)
        if options.zarr_format not in (None, zarr_format_of(options.version)):
            raise MetadataError(
                f"OME-Zarr {options.version} is Zarr v{zarr_format_of(options.version)}, so it "
                f"cannot be of zarr_format={options.zarr_format}; give one of the two"
            )
        return options.version
    attributes = {path: _attributes(document) for path, document in documents.items()}
    if not any(is_ome(a, path.rpartition("/")[2]) for path, a in attributes.items()):
        return None
    stated = written_version(attributes[""])
    is_root = is_ome(attributes[""])
    if options.zarr_format in (None, zarr_format_of(stated)) and is_root:
        return stated
    # Other metadata goes with the other format; without one, inner images need no change.
    return None if options.zarr_format is None else _VERSION_OF_FORMAT[options.zarr_format]


def _plain(
    documents: Mapping[str, Document | None], options: CopyOptions, zarr_format: int | None
) -> Rewrite:
    root = documents[""] or {}
    zarr_format = zarr_format or int(root.get("zarr_format", 2))
    if zarr_format == 2 or options.chunks is not None:
        _refuse_vectors(documents, is_v2=zarr_format == 2)
    found = (parse_array(d) for d in documents.values() if d is not None and "shape" in d)
    _require_fitting(found, options)
    groups, arrays = [], []
    for path, document in sorted(documents.items(), key=lambda item: (item[0].count("/"), item[0])):
        if document is not None and "shape" in document:
            arrays.append(_array(path, document, options, zarr_format))
        else:
            group = group_of_format(document, _attributes(document), zarr_format)
            groups.append(PlannedNode(path, document, group))
    groups.sort(key=lambda node: node.depth)
    return Rewrite("rewrite", tuple(groups), tuple(arrays))


def _require_finished(store: Store, documents: Mapping[str, Document | None]) -> None:
    """Refuse vector stores with changes to come, in bytes that suit the arrays as they are."""
    for path, document in documents.items():
        attributes = _attributes(document)
        if _VECTORS in attributes and is_unfinished(store, path, RootMetadata.parse(attributes)):
            raise ConflictError(
                f"the vector store at {path or '/'!r} is being changed, or a change was cut off; "
                "try again later, or complete it by anyzarr.vectors.vacuum (of a plain copy, if "
                "it cannot be written to)",
                path=path,
            )


def _refuse_vectors(documents: Mapping[str, Document | None], *, is_v2: bool) -> None:
    """Refuse vector stores where they would be none afterwards."""
    rule = (
        "vector stores are Zarr v3: leave zarr_format out"
        if is_v2
        else "a chunk of its arrays is a cell of its space: leave chunks out, or make other cells "
        "with anyzarr.vectors.rechunk"
    )
    for path, document in documents.items():
        if _VECTORS in _attributes(document):
            raise UnsupportedError(
                f"there is a vector store at {path or '/'!r}, and {rule}", path=path
            )


def _require_fitting(arrays: Iterable[ArrayMetadata], options: CopyOptions) -> None:
    """Refuse numbers that are for no array: each array with as many dimensions takes them."""
    named = [_names(metadata) for metadata in arrays]
    known = {len(names) for names in named}
    names = sorted({name for each in named for name in each})
    for given in (options.chunks, options.shards):
        if not given or isinstance(given, str):
            continue
        numbers = list(given.values() if isinstance(given, Mapping) else given)
        if any(type(n) is not int or n < 1 for n in numbers):
            raise MetadataError(f"{given} must be whole numbers of at least 1")
        if isinstance(given, Mapping) and not set(given) <= set(names):
            raise MetadataError(
                f"{dict(given)}: the dimensions of the arrays here are named {', '.join(names)}"
            )
        if not isinstance(given, Mapping) and len(numbers) not in known:
            dimensions = " or ".join(map(str, sorted(known))) or "no"
            raise MetadataError(
                f"{tuple(given)} fits no array here: give one number for each of {dimensions} "
                "dimensions"
            )


def _fitting(given: Any, ndim: int) -> Any:
    """Return lengths that are for an array of so many dimensions; else None."""
    is_numbers = isinstance(given, Sequence) and not isinstance(given, str)
    return None if is_numbers and len(given) != ndim else given


def _names(metadata: ArrayMetadata) -> list[str]:
    """Return the names of an array's dimensions, by which it takes options; or their numbers."""
    names = metadata.dimension_names or metadata.attributes.get(_DIMENSIONS)
    if not isinstance(names, list | tuple) or len(names) != metadata.ndim:
        names = [None] * metadata.ndim
    return [name if isinstance(name, str) else str(i) for i, name in enumerate(names)]


def _array(path: str, document: Document, options: CopyOptions, zarr_format: int) -> PlannedNode:
    metadata = parse_array(document)
    names = _names(metadata)
    # Axes by which an array takes the options that are for it.
    axes = tuple(Axis(name, "space") for name in names)
    options = replace(
        options,
        chunks=_fitting(options.chunks, metadata.ndim),
        shards=_fitting(options.shards, metadata.ndim),
    )
    after = _of_format(path, metadata, zarr_format, recoded=options.compressor is not None)
    node = PlannedNode(path, document, after, axes)
    if after["zarr_format"] == metadata.zarr_format and not options.changes_chunks:
        return node
    if zarr_format == 2 and not options.changes_chunks:
        return node
    return replace(node, after=array_at_target(node, options, names))


def _of_format(path: str, metadata: ArrayMetadata, zarr_format: int, *, recoded: bool) -> Document:
    """Return the document of an array in another format; names of dimensions go with it."""
    if metadata.zarr_format == zarr_format:
        return to_document(metadata)
    if zarr_format == 3:
        return _named_by_field(as_v3(metadata, path, recoded=recoded), metadata.ndim)
    return with_dimensions(as_v2(metadata, path, recoded=recoded), metadata.dimension_names)


def _named_by_field(document: Document, ndim: int) -> Document:
    attributes = dict(document.get("attributes") or {})
    names = attributes.get(_DIMENSIONS)
    if not isinstance(names, list) or len(names) != ndim:
        return document
    if not all(isinstance(name, str) for name in names):
        return document
    del attributes[_DIMENSIONS]
    return {**document, "attributes": attributes, "dimension_names": names}


def _has_same_chunks(node: PlannedNode) -> bool:
    before, after = parse_array(node.before or {}), parse_array(node.after)
    if before.shape != after.shape or before.grid != after.grid:
        return False
    try:
        return _coding(before) == _coding(after)
    except UnsupportedError:
        one, other = before.document, after.document
        keys = ("zarr_format", "dtype", "order", "filters", "compressor")
        return all(one.get(key) == other.get(key) for key in keys)


def _coding(metadata: ArrayMetadata) -> list[Any]:
    """Return what tells how elements are stored, whatever the format says it in."""
    stored = parse_array(to_v3_equivalent(metadata))
    codecs = [codec for codec in stored.codecs if codec.name != "sharding_indexed"]
    return [stored.data_type, stored.sharding, codecs]


def _attributes(document: Document | None) -> Mapping[str, Any]:
    attributes = (document or {}).get("attributes", {})
    return attributes if isinstance(attributes, Mapping) else {}
