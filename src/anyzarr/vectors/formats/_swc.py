"""SWC: skeletons of neurons, a line of text per node: id, type, x, y, z, radius, parent."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from anyzarr.vectors._blobs import Ints
from anyzarr.vectors._geometry import Geometry
from anyzarr.vectors.formats._format import FormatOptions, VectorFacts, VectorFormat, VectorSource
from anyzarr.vectors.formats._parts import FileSource, corrupt, left_out, space_axes

__all__ = ["SWC", "open_swc", "write_swc"]

_NO_PARENT: Final = -1
_KEPT: Final = ("id", "type", "radius")


def open_swc(path: Path, options: FormatOptions) -> VectorSource:
    """Open the skeleton of a file, or those of all files of a folder, an object each.

    Coordinates are micrometers, as the format has it, unless a unit is given. Attributes of nodes
    are ``id``, ``type`` and ``radius``, of objects ``name``; comments are kept as they are.

    Raises
    ------
    CorruptDataError
        A line is not of seven numbers, an id is there twice, or a parent is not.
    """
    files = sorted(_files(path)) if path.is_dir() else [path]
    comments = {file.stem: found for file in files if (found := _comments(file))}

    def read() -> Iterator[Geometry]:
        yield _joined([_tree(file) for file in files], [file.stem for file in files])

    facts = VectorFacts(
        "skeleton",
        np.dtype(np.float64),
        space_axes("micrometer"),
        0,
        None,
        attributes={"swc": {"comments": comments}} if comments else {},
    )
    return FileSource(path, facts, read, options)


def _files(path: Path) -> list[Path]:
    return [file for file in path.iterdir() if file.name.lower().endswith(".swc")]


def _is_folder_of_swc(path: Path) -> bool:
    """Return whether a folder holds SWC files, and nothing else that is not hidden."""
    names = [entry.name.lower() for entry in path.iterdir() if not entry.name.startswith(".")]
    return bool(names) and all(name.endswith(".swc") for name in names)


def _comments(path: Path) -> list[str]:
    with path.open(encoding="utf-8", errors="replace") as file:
        return [line[1:].strip() for line in file if line.startswith("#")]


def _tree(path: Path) -> Geometry:
    """Return the nodes of a file, in its order."""
    rows = _numbers(path)
    ids, parents = rows[:, 0].astype(np.int64), rows[:, 6].astype(np.int64)
    order = np.argsort(ids, kind="stable")
    twice = np.flatnonzero(np.diff(ids[order]) == 0)
    if twice.size:
        raise corrupt(path, f"the node {ids[order][twice[0]]} is there more than once")
    child = np.flatnonzero(parents != _NO_PARENT)
    found = np.searchsorted(ids[order], parents[child])
    place = order[np.minimum(found, len(ids) - 1)] if len(ids) else found
    missing = ids[place] != parents[child]
    if missing.any():
        node = child[missing][0]
        raise corrupt(path, f"the parent {parents[node]} of the node {ids[node]} is not there")
    return Geometry(
        positions=rows[:, 2:5],
        vertex_attributes={"id": ids, "type": rows[:, 1].astype(np.int32), "radius": rows[:, 5]},
        links=np.stack([child, place], axis=1),
    )


def _numbers(path: Path) -> npt.NDArray[np.float64]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "loadtxt: input contained no data")
        try:
            rows = np.loadtxt(path, comments="#", ndmin=2, usecols=range(7), encoding="utf-8")
        except (ValueError, IndexError) as error:
            raise corrupt(path, f"a line is not of seven numbers ({error})") from error
    return rows.reshape(-1, 7)


def _joined(trees: Sequence[Geometry], names: Sequence[str]) -> Geometry:
    """Return trees as objects of one geometry, numbered from 0."""
    counts = np.asarray([tree.n_vertices for tree in trees], np.int64)
    first = np.cumsum(counts) - counts
    links = [
        tree.links + at for tree, at in zip(trees, first, strict=True) if tree.links is not None
    ]
    return Geometry(
        positions=np.concatenate([tree.positions for tree in trees]),
        vertex_attributes={
            name: np.concatenate([tree.vertex_attributes[name] for tree in trees]) for name in _KEPT
        },
        object_rows=np.repeat(np.arange(len(trees)), counts),
        object_ids=np.arange(len(trees), dtype=np.int64),
        object_attributes={"name": np.asarray(names)},
        links=np.concatenate(links),
    )


def write_swc(
    source: VectorSource, path: Path, options: FormatOptions, advance: Callable[[int], None]
) -> Sequence[str]:
    """Write skeletons to one file.

    Nodes have the ids of the attribute ``id``, and their order, where it tells all of them
    apart; otherwise they are numbered from 1, parents before children.
    """
    facts = source.facts
    with path.open("w", encoding="utf-8", newline="\n") as file:
        lost: set[str] = set()
        n_objects = 0
        for comment in _comments_of(facts):
            file.write(f"# {comment}\n")
        file.write("# id type x y z radius parent\n")
        for part in source.batches():
            _write_nodes(file, part)
            lost |= {*part.vertex_attributes} - {*_KEPT, "input_order"}
            lost |= {*part.object_attributes, *part.link_attributes} - {"name"}
            n_objects += part.n_objects
            advance(part.n_vertices)
    told = left_out(lost, "attributes", "an SWC file")
    if n_objects > 1:
        told.append(f"{n_objects} skeletons are in one file, as trees whose objects it cannot tell")
    if facts.unit not in {None, "micrometer"}:
        told.append(
            f"coordinates are in {facts.unit}, and readers of SWC take them for micrometers"
        )
    return told


def _comments_of(facts: VectorFacts) -> list[str]:
    """Return the comments of the one file that the skeleton was read from."""
    kept = facts.attributes.get("swc", {}).get("comments", {})
    lines = next(iter(kept.values())) if len(kept) == 1 else []
    return [line for line in lines if line != "id type x y z radius parent"]


def _write_nodes(file: io.TextIOBase | Any, part: Geometry) -> None:
    n = part.n_vertices
    edges = np.empty((0, 2), np.int64) if part.links is None else part.links
    parent_row = np.full(n, -1, np.int64)
    parent_row[edges[:, 0]] = edges[:, 1]
    ids, order = _ids_and_order(part)
    parents = np.where(parent_row >= 0, ids[parent_row], _NO_PARENT)
    zeros = np.zeros(n)
    radius = part.vertex_attributes.get("radius", zeros)
    kinds = part.vertex_attributes.get("type", zeros).astype(np.int64)
    columns = [c[order].tolist() for c in (ids, kinds, *part.positions.T, radius, parents)]
    file.writelines(
        f"{i} {kind} {x!r} {y!r} {z!r} {r!r} {parent}\n"
        for i, kind, x, y, z, r, parent in zip(*columns, strict=True)
    )


def _ids_and_order(part: Geometry) -> tuple[Ints, Ints]:
    """Return the id of each node, and the order of the lines."""
    n = part.n_vertices
    kept = part.vertex_attributes.get("id")
    if kept is not None and kept.dtype.kind in "iu" and len(np.unique(kept)) == n:
        return kept.astype(np.int64), np.argsort(kept, kind="stable")
    # What a store gives is depth first: parents come before their children.
    return np.arange(1, n + 1, dtype=np.int64), np.arange(n, dtype=np.int64)


SWC = VectorFormat(
    "SWC", (".swc",), open_swc, write_swc, frozenset({"skeleton"}),
    claims_folder=_is_folder_of_swc,
)  # fmt: skip
"""The format, for the registry."""
