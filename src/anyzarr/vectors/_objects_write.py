"""Writing objects: rows are only ever added, and count once the index says how many there are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr import crud
from anyzarr._nodes import Array, Group
from anyzarr.abc import Ragged
from anyzarr.crud._nodes import put_document
from anyzarr.errors import MetadataError
from anyzarr.metadata import ArrayMetadata, array_document, group_document, parse_array
from anyzarr.stores import join
from anyzarr.vectors._attributes import StoredColumn, encode_column
from anyzarr.vectors._blobs import Ints
from anyzarr.vectors._geometry import Columns
from anyzarr.vectors._manifests import ManifestTable, encode_manifests
from anyzarr.vectors._objects import DENSE, ObjectIndex, read_groups
from anyzarr.vectors._recorded import begin_phase

__all__ = [
    "MANIFEST_ROWS",
    "Documents",
    "all_rows",
    "dense_rows",
    "extended",
    "object_attribute",
    "write_groups",
    "write_object_attributes",
    "write_objects",
]

Documents = dict[str, Mapping[str, Any]]
"""Documents by path relative to the root, to be stored once everything they tell of is there."""

MANIFEST_ROWS = 16_384
_MANIFESTS_TOGETHER = 512
"""Manifests that are decoded together where they are in shards: one is not read with all others."""
_BLOBS = {"dtype": "variable_length_bytes", "compressors": "zstd"}
_PLAIN_CHUNKS = {**_BLOBS, "chunks": MANIFEST_ROWS}
_MANIFEST_SHARDS = {**_BLOBS, "chunks": _MANIFESTS_TOGETHER, "shards": MANIFEST_ROWS}
_ATTRIBUTE_ROWS = 65_536


def put_documents(root: Group, documents: Documents) -> None:
    """Store documents, those of arrays before those of the groups that hold them."""
    depth = 0
    for path in sorted(documents, key=lambda path: (-path.count("/"), path)):
        if path.count("/") != depth:
            depth = path.count("/")
            begin_phase(root.store)
        put_document(documents[path], root.store, join(root.path, path))


def group_at(attributes: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
    """Return the document of a group."""
    return group_document(attributes=attributes)


# ---------------------------------------------------------------------- arrays of rows


def extended(
    stored: Array | None, n_rows: int, row_shape: tuple[int, ...], **options: Any
) -> ArrayMetadata:
    """Return the metadata of an array with so many rows: the stored one, longer, or a new one."""
    shape = (n_rows, *row_shape)
    if stored is None:
        return parse_array(array_document(shape=shape, **options))
    attributes = {**stored.metadata.attributes, **(options.get("attributes") or {})}
    return stored.metadata.with_document(shape=list(shape), attributes=attributes)


def _write_rows(
    root: Group,
    path: str,
    stored: Array | None,
    first: int,
    values: npt.NDArray[Any],
    **options: Any,
) -> Documents:
    """Write rows from the first on; return the document that makes them count."""
    n_rows = first + len(values)
    metadata = extended(stored, n_rows, values.shape[1:], dtype=values.dtype, **options)
    if len(values):
        place = join(root.path, path)
        crud.write_region(metadata, root.store, place, (slice(first, n_rows),), values)
    return {path: metadata.document}


def _write_blobs(
    root: Group, path: str, metadata: ArrayMetadata, rows: Ints, blobs: Ragged
) -> Documents:
    """Write rows of bytes; return the document that makes them count."""
    if len(rows):
        place = join(root.path, path)
        crud.write_ragged(metadata, root.store, place, rows[:, None], blobs)
    return {path: metadata.document}


# ---------------------------------------------------------------------- objects


def write_objects(
    root: Group,
    level: int,
    stored: ObjectIndex | None,
    ids: Ints,
    table: ManifestTable,
    sid_ndim: int,
    *,
    sharded: bool = True,
) -> tuple[Documents, Ints]:
    """Write the manifests of objects; what an object has already is kept before the new.

    Parameters
    ----------
    root, level
        Where.
    stored
        The index that is there.
    ids, table
        Ids, ascending, and the manifest of each.
    sid_ndim
        Number of coordinates of a cell.
    sharded
        Whether manifests of a new index are in shards.

    Returns
    -------
    documents
        To be stored when everything else has been.
    rows
        The row of each object.
    """
    n_stored = 0 if stored is None else stored.n_objects
    rows = np.full(len(ids), -1, np.int64) if stored is None else stored.rows_of(ids)
    is_new = rows < 0
    rows[is_new] = n_stored + np.arange(np.count_nonzero(is_new))
    n_held = int(np.count_nonzero(table.blocks[is_new]))
    if stored is not None and not is_new.all():
        table = _after(stored.manifests(rows[~is_new]), table, np.flatnonzero(~is_new))
    n_objects = n_stored + int(np.count_nonzero(is_new))
    base = f"{level}/object_index"
    arrays: Mapping[str, Array] = {} if stored is None else stored.arrays
    if stored is not None and stored.is_dense:
        documents = _write_dense(root, stored, n_objects, rows, table)
    else:
        options = _MANIFEST_SHARDS if sharded else _PLAIN_CHUNKS
        metadata = extended(arrays.get("manifests"), n_objects, (), **options)
        blobs = encode_manifests(table)
        documents = _write_blobs(root, f"{base}/manifests", metadata, rows, blobs)
    all_ids = ids if stored is None else np.concatenate([stored.ids, ids[is_new]])
    has_ids = stored is None or "object_ids" in arrays
    first = n_stored if has_ids else 0
    documents |= _write_rows(
        root, f"{base}/object_ids", arrays.get("object_ids"), first, all_ids[first:],
        chunks=MANIFEST_ROWS, compressors="zstd",
    )  # fmt: skip
    about = {} if stored is None else dict(stored.group.metadata.attributes)
    present = about.get("num_present", n_stored) + n_held
    about |= {
        "zv_array": "object_index",
        "num_objects": n_objects,
        "num_present": present,
        "sid_ndim": sid_ndim,
        "layout": DENSE if stored is not None and stored.is_dense else "vlen_manifests_v2",
        "object_ids_sorted": bool(np.all(np.diff(all_ids) > 0)),
    }
    return {**documents, base: group_at(about)}, rows


def _write_dense(
    root: Group, stored: ObjectIndex, n_objects: int, rows: Ints, table: ManifestTable
) -> Documents:
    """Write blocks behind those that are there, and then the spans that name them."""
    base = f"{stored.level}/object_index"
    blocks, spans = stored.arrays["manifest_blocks"], stored.arrays["manifest_spans"]
    added, more = dense_rows(table)
    added[:, 0] += blocks.shape[0]
    more = more.astype(blocks.dtype, copy=False)
    put_documents(root, _write_rows(root, f"{base}/manifest_blocks", blocks, blocks.shape[0], more))
    every = np.zeros((n_objects, 2), spans.dtype)
    every[: stored.n_objects] = spans[: stored.n_objects]
    every[rows] = added
    return _write_rows(root, f"{base}/manifest_spans", spans, 0, every)


def dense_rows(table: ManifestTable) -> tuple[Ints, Ints]:
    """Return manifests as the rows of the dense layout: spans of objects, and blocks."""
    every = table.expand()
    spans = np.stack([every.offsets[:-1], every.blocks], axis=1)
    return spans, np.concatenate([every.coords, every.start[:, None]], axis=1)


def _after(before: ManifestTable, table: ManifestTable, rows: Ints) -> ManifestTable:
    """Return the table with the manifests that these of its rows have already put before them."""
    old, new = before.expand(), table.expand()
    owner = np.concatenate([rows[old.object_row], new.object_row])
    order = np.argsort(owner, kind="stable")
    per_object = np.bincount(owner, minlength=new.n_objects).astype(np.int64)
    return ManifestTable.of_fragments(
        per_object,
        np.concatenate([old.coords, new.coords])[order],
        np.concatenate([old.start, new.start])[order],
    )


def _absent(dtype: np.dtype[Any]) -> Any:
    """Return the value that stands for an attribute an object has not."""
    if dtype.kind == "f":
        return np.nan
    if dtype.kind == "i":
        return np.iinfo(dtype).min
    if dtype.kind == "u":
        return np.iinfo(dtype).max
    return np.zeros((), dtype)[()]


def write_object_attributes(
    root: Group, level: int, columns: Columns, rows: Ints, n_stored: int, n_objects: int
) -> Documents:
    """Write attributes of objects, one row per row of the index; of new objects, all must be given.

    Parameters
    ----------
    root, level
        Where.
    columns
        Attributes by name, one row per object in ``rows``.
    rows
        The row of each object in the index.
    n_stored, n_objects
        Objects before and after.

    Raises
    ------
    MetadataError
        Attributes that other objects have are missing, or the other way round.
    """
    base = f"{level}/object_attributes"
    group = root.get_many([base]).get(base)
    stored = dict(group.arrays()) if isinstance(group, Group) else {}
    if n_stored and n_objects > n_stored and set(stored) != set(columns):
        raise MetadataError(
            f"the objects of this store have the attributes {sorted(stored)}, and "
            f"{sorted(columns)} were given: objects that are appended have the same",
            kind="attribute_names",
        )
    documents: Documents = {}
    for name, column in columns.items():
        array = stored.get(name)
        coded = encode_column(name, column, None if array is None else array.metadata.attributes)
        path = f"{base}/{name}"
        values = all_rows(array, coded.values, rows, n_objects)
        documents |= _write_rows(root, path, array, 0, values, **object_attribute(coded, values))
    if documents:
        documents[base] = group_at()
    return documents


def object_attribute(coded: StoredColumn, values: npt.NDArray[Any]) -> dict[str, Any]:
    """Return how an attribute of objects is stored, if it is new."""
    about = {**coded.attributes, "zv_array": "object_attribute", "shape": list(values.shape),
             "fill_sentinel_meaning": "absent"}  # fmt: skip
    return {
        "chunks": (_ATTRIBUTE_ROWS, *values.shape[1:]),
        "compressors": "zstd",
        "fill_value": _absent(values.dtype),
        "attributes": about,
    }


def all_rows(
    array: Array | None, values: npt.NDArray[Any], rows: Ints, n_objects: int
) -> npt.NDArray[Any]:
    """Return the values of all rows: those stored, with these put in."""
    dtype = values.dtype.newbyteorder("=")
    full = np.full((n_objects, *values.shape[1:]), _absent(dtype), dtype)
    if array is not None:
        n = min(array.shape[0], n_objects)
        full[:n] = array[:n]
    full[rows] = values
    return full


# ---------------------------------------------------------------------- groups


def write_groups(
    root: Group, level: int, groups: Mapping[int, Ints], attributes: Columns
) -> Documents:
    """Add objects to groups, and write the attributes of groups.

    Parameters
    ----------
    root, level
        Where.
    groups
        Ids of objects by the number of the group; what a group has already it keeps.
    attributes
        By name, one row for each group from 0 to the last.
    """
    documents: Documents = {}
    if groups:
        path = f"{level}/groups"
        array = root.get_many([path]).get(path)
        before = read_groups(root, level)
        n_groups = max(len(before), max(groups) + 1)
        numbers = np.asarray(sorted(groups), dtype=np.int64)
        blobs = []
        for number in numbers.tolist():
            joined = np.concatenate([before.get(number, numbers[:0]), groups[number]])
            _, first = np.unique(joined, return_index=True)
            blobs.append(joined[np.sort(first)].astype("<i8").tobytes())
        about: dict[str, Any] = {"zv_array": "groups", "num_groups": n_groups}
        stored = array if isinstance(array, Array) else None
        ranges = {} if stored is None else stored.metadata.attributes.get("group_ranges", {})
        if ranges:
            about["group_ranges"] = {n: r for n, r in ranges.items() if int(n) not in groups}
        metadata = extended(stored, n_groups, (), attributes=about, **_PLAIN_CHUNKS)
        documents |= _write_blobs(root, path, metadata, numbers, Ragged.of(blobs))
    return documents | _write_group_attributes(root, level, attributes)


def _write_group_attributes(root: Group, level: int, attributes: Columns) -> Documents:
    documents: Documents = {}
    base = f"{level}/group_attributes"
    stored = root.get_many([f"{base}/{name}" for name in attributes])
    for name, column in attributes.items():
        array = stored.get(f"{base}/{name}")
        known = array.metadata.attributes if isinstance(array, Array) else None
        coded = encode_column(name, column, known)
        values = coded.values.astype(coded.values.dtype.newbyteorder("="), copy=False)
        about = {**coded.attributes, "zv_array": "groupings_attribute", "shape": list(values.shape)}
        documents |= _write_rows(
            root, f"{base}/{name}", array if isinstance(array, Array) else None, 0, values,
            chunks=(_ATTRIBUTE_ROWS, *values.shape[1:]), compressors="zstd", attributes=about,
        )  # fmt: skip
    if documents:
        documents[base] = group_at()
    return documents
