"""Links and their attributes, as the parts of a write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from anyzarr._nodes import Array, Group
from anyzarr._parallel import map_ordered
from anyzarr.abc import Ragged
from anyzarr.errors import MetadataError
from anyzarr.metadata import group_document
from anyzarr.stores import join
from anyzarr.vectors._attributes import StoredColumn, encode_column
from anyzarr.vectors._blobs import Ints, Origin
from anyzarr.vectors._cells import CellArray
from anyzarr.vectors._fragments import FragmentTable, encode_fragments
from anyzarr.vectors._geometry import Columns
from anyzarr.vectors._job import Job, Part
from anyzarr.vectors._links import LinkFamily, decode_inline, encode_inline
from anyzarr.vectors._merge import join_blobs, keep_bytes
from anyzarr.vectors._objects_write import Documents
from anyzarr.vectors._scatter_links import LinkCells, scatter_links

__all__ = ["link_parts"]

_FRAGMENTS = "link_fragments"


def link_parts(
    job: Job, links: Ints, attributes: Columns, *, width: int = 2, has_intra: bool = True
) -> tuple[list[Part], Documents]:
    """Return what a write has to store of links: they come after those that the cells hold.

    Parameters
    ----------
    job
        The write.
    links
        Vertices of the geometry, of shape ``(M, width)``.
    attributes
        By name, one row per link.
    width
        Vertices of a link.
    has_intra
        Whether there is an array for links within a chunk, even if no link lies within one.

    Returns
    -------
    parts, documents
        Cells, and documents of groups by path below the root.

    Raises
    ------
    MetadataError
        The level has links that are stored in another way, or with other attributes.
    """
    if not len(links) and not has_intra:
        return [], {}
    family = LinkFamily(width, job.grid.ndim)
    arrays = scatter_links(job.scattered, links, family, job.rows)
    if has_intra and not any(array.is_intra for array in arrays):
        arrays.append(_no_links(family))
    writer = _Writer(job, family, _stored(job, family, arrays, list(attributes)))
    before = writer.count(attributes)
    columns = {
        name: encode_column(name, column, writer.about(name)) for name, column in attributes.items()
    }
    parts = map_ordered(
        lambda array: writer.parts(array, columns), arrays, limit=None if job.has_data else 1
    )
    n_links = before + len(links)
    return [part for some in parts for part in some], writer.groups(n_links, list(columns))


def _stored(
    job: Job, family: LinkFamily, arrays: Sequence[LinkCells], names: Sequence[str]
) -> Mapping[str, Array | Group]:
    """Return what is stored of the links, by path below the root."""
    if not job.has_data:
        # What there may be was left by a write that was cut off.
        return {}
    own = [f"{family.path}/{array.name}" for array in arrays]
    bases = [_attribute_path(name, family) for name in names]
    paths = [
        family.path, _FRAGMENTS, "link_attributes", *own, *bases,
        *(f"{base}/{array.name}" for base in bases for array in arrays),
    ]  # fmt: skip
    return job.root.get_many([join(job.path, path) for path in paths])


def _attribute_path(name: str, family: LinkFamily) -> str:
    return f"link_attributes/{name}/{family.path.partition('/')[2]}"


def _no_links(family: LinkFamily) -> LinkCells:
    """Return an array of links within a chunk that holds none."""
    return LinkCells(
        family=family,
        offsets=np.zeros((family.width - 1, family.ndim), np.int64),
        order=np.empty(0, np.int64),
        cells=np.empty((0, family.ndim), np.int64),
        cell_offsets=np.zeros(1, np.int64),
        rows=np.empty((0, family.width), np.int64),
    )


@dataclass(frozen=True, eq=False)
class _Writer:
    """Links that are added to those of a level.

    Attributes
    ----------
    job, family
        The write, and how links are stored.
    nodes
        What is stored, by path below the root.
    """

    job: Job
    family: LinkFamily
    nodes: Mapping[str, Array | Group]

    def _node(self, path: str) -> Array | Group | None:
        return self.nodes.get(join(self.job.path, path))

    def count(self, attributes: Columns) -> int:
        """Return how many links there are, after checking that they are of this kind."""
        node = self._node(self.family.path)
        if node is None:
            return 0
        stored = LinkFamily.parse(node.metadata.attributes, node.path)
        if stored != self.family:
            raise MetadataError(
                f"{node.path!r} in {node.store.spec} holds {stored}, and {self.family} were given; "
                "links are added only to links that are stored in the same way",
                path=node.path,
                kind="links",
            )
        n_links = int(node.metadata.attributes.get("num_links", 0))
        family = self._node("link_attributes")
        names = set(family.keys()) if isinstance(family, Group) else set()
        if n_links and names != set(attributes):
            raise MetadataError(
                f"the links of level {self.job.path} have the attributes {sorted(names)}, and "
                f"{sorted(attributes)} were given; give the same for the links to be added",
                path=node.path,
                kind="link_attributes",
            )
        return n_links

    def about(self, name: str) -> Mapping[str, Any] | None:
        """Return what the store says of the rows of an attribute; None if there is none."""
        base = join(self.job.path, _attribute_path(name, self.family))
        for path, node in self.nodes.items():
            if path.startswith(f"{base}/"):
                return node.metadata.attributes
        return None

    def parts(self, links: LinkCells, columns: Mapping[str, StoredColumn]) -> list[Part]:
        """Return the cells of one array, of its fragments and of its attributes."""
        path = f"{self.family.path}/{links.name}"
        array, old, about = self._open(path, "links", links.attributes, links)
        rows = links.flat()
        if not links.is_flat:
            before = decode_inline(old, Origin(array.path, links.cells))
            found = [Part(array, links.cells, encode_inline(join_blobs(before, rows)), about)]
        else:
            before = old
            found = [Part(array, links.cells, join_blobs(old, rows), about)]
            found.append(self._fragments(links, old.lengths // (8 * links.rows.shape[1])))
        if columns:
            n_before = before.lengths // (8 * links.rows.shape[1])
            found.extend(self._column(name, columns[name], links, n_before) for name in columns)
        return found

    def _fragments(self, links: LinkCells, before: Ints) -> Part:
        encoding = {"encoding": "fragment_index_v1"}
        array, _, about = self._open(_FRAGMENTS, _FRAGMENTS, encoding, links)
        table = FragmentTable.of_runs(np.ones_like(before), before + links.counts)
        return Part(array, links.cells, encode_fragments(table), about)

    def _column(self, name: str, column: StoredColumn, links: LinkCells, n_before: Ints) -> Part:
        path = f"{_attribute_path(name, self.family)}/{links.name}"
        wanted = {"offsets": links.offsets.tolist(), "level_delta": self.family.delta}
        array, old, about = self._open(
            path, "link_attribute", {**column.attributes, **wanted}, links
        )
        # Where a write was cut off between links and their attributes, one has more rows.
        expected = n_before * column.row_bytes
        old = keep_bytes(old, np.minimum(old.lengths, expected))
        missing = expected - old.lengths
        empty = Ragged.from_lengths(np.zeros(int(missing.sum()), np.uint8), missing)
        old = join_blobs(old, empty) if missing.any() else old
        return Part(array, links.cells, join_blobs(old, links.attribute(column.values)), about)

    def _open(
        self, path: str, kind: str, attributes: Mapping[str, Any], links: LinkCells
    ) -> tuple[CellArray, Ragged, Mapping[str, Any]]:
        """Return an array, what the cells hold, and the attributes that are still to be set.

        New arrays are one but for their path: the attributes of each are set when it is stored.
        """
        job, node = self.job, self._node(path)
        if isinstance(node, Array):
            stored = CellArray(node.metadata, node.store, node.path)
            stored = stored.covering(job.grid, links.cells).with_attributes(attributes)
            return stored, stored.read(links.cells), {}
        array = replace(self._new, path=join(job.root.path, job.path, path))
        return array, Ragged.empty(len(links.cells)), {"zv_array": kind, **attributes}

    @cached_property
    def _new(self) -> CellArray:
        """A new array, of which those of links differ in their path and attributes alone."""
        job, links = self.job, self.job.geometry.links
        n_bytes = 8.0 * (job.geometry.n_vertices if links is None else links.size)
        return CellArray.new(
            job.root.store,
            job.path,
            job.grid,
            "links",
            storage=job.storage,
            cell_bytes=n_bytes / max(1, job.grid.n_cells),
        )

    def groups(self, n_links: int, names: Sequence[str]) -> Documents:
        """Return the documents of the groups, by path below the root."""
        found: dict[str, Mapping[str, Any]] = {"links": {}}
        found[self.family.path] = self.family.attributes(n_links)
        for name in names:
            about = {"zv_array": "link_attribute_family", "name": name, "num_links": n_links}
            found |= {"link_attributes": {}, f"link_attributes/{name}": {}}
            found[_attribute_path(name, self.family)] = {
                **about,
                "level_delta": self.family.delta,
            }
        return {
            join(self.job.path, path): group_document(attributes=attributes)
            for path, attributes in found.items()
        }
