"""Skeletons from and to SWC; the judge is a reader of a few lines that shares no code."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import anyzarr
from anyzarr.errors import CorruptDataError
from anyzarr.vectors import read_graph, validate, write_graph

NEURON = """# ORIGINAL_SOURCE hand made
# id type x y z radius parent
1 1 0.5 0.25 -3 4.5 -1
2 3 1e3 0 0 1 1
7 3 1000.0000001 1 0 0.5 2
5 2 -1 -1 -1 1 1
9 2 -2 -1 -1 0.125 5
"""


def rows(text: str) -> dict[int, list[float]]:
    """Lines by id."""
    lines = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    return {int(line[0]): [float(word) for word in line[1:]] for line in lines}


def edges(path: Path) -> set[tuple[int, int]]:
    graph = read_graph(path)
    ids = graph.vertex_attributes["id"]
    return {(int(ids[a]), int(ids[b])) for a, b in graph.edges}


def test_a_skeleton_keeps_places_types_radii_ids_parents_and_comments(tmp_path: Path) -> None:
    path, store = tmp_path / "n.swc", tmp_path / "n.zarrvectors"
    path.write_text(NEURON)
    report = anyzarr.convert(path, store, chunk_shape=(100, 100, 100))
    assert (report.geometry_type, report.vertex_count, report.object_count) == ("skeleton", 5, 1)
    assert validate(store).valid
    graph = read_graph(store)
    assert graph.positions.dtype == np.float64
    found = {
        int(i): [t, *p, r]
        for i, t, p, r in zip(
            graph.vertex_attributes["id"], graph.vertex_attributes["type"],
            graph.positions.tolist(), graph.vertex_attributes["radius"], strict=True,
        )
    }  # fmt: skip
    assert found == {i: row[:-1] for i, row in rows(NEURON).items()}
    assert edges(store) == {(2, 1), (7, 2), (5, 1), (9, 5)}
    assert graph.object_attributes["name"].tolist() == ["n"]

    anyzarr.convert(store, tmp_path / "out.swc")
    text = (tmp_path / "out.swc").read_text()
    assert rows(text) == rows(NEURON)
    assert text.startswith("# ORIGINAL_SOURCE hand made\n")


def test_a_folder_of_skeletons_is_one_store_of_objects(tmp_path: Path) -> None:
    folder = tmp_path / "neurons"
    folder.mkdir()
    for i in range(3):
        moved = [f"{n} 0 {n + 10 * i} 0 0 1 {n - 1 if n > 1 else -1}" for n in range(1, 5)]
        (folder / f"cell{i}.swc").write_text("\n".join(moved))
    anyzarr.convert(folder, tmp_path / "all.zv")
    graph = read_graph(tmp_path / "all.zv", object_ids=[2])
    assert graph.object_attributes["name"].tolist() == ["cell2"]
    assert sorted(graph.positions[:, 0]) == [21, 22, 23, 24]
    report = anyzarr.convert(tmp_path / "all.zv", tmp_path / "all.swc")
    assert "3 skeletons" in report.warnings[0]
    found = rows((tmp_path / "all.swc").read_text())
    assert len(found) == 12
    assert [row[-1] for row in found.values()].count(-1) == 3


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_any_tree_survives(tmp_path_factory: pytest.TempPathFactory, n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    folder = tmp_path_factory.mktemp("tree")
    parents = np.array([-1, *(rng.integers(0, i) for i in range(1, n))])
    names = rng.permutation(n) * 3 + 1
    shuffled = rng.permutation(n)
    lines = [
        f"{names[i]} {rng.integers(0, 7)} {' '.join(map(repr, rng.normal(0, 90, 3).tolist()))} "
        f"{float(rng.random())!r} {names[parents[i]] if parents[i] >= 0 else -1}"
        for i in shuffled
    ]
    (folder / "a.swc").write_text("\n".join(lines))
    anyzarr.convert(folder / "a.swc", folder / "a.zv", chunk_shape=(50, 50, 50))
    anyzarr.convert(folder / "a.zv", folder / "b.swc")
    assert rows((folder / "b.swc").read_text()) == rows("\n".join(lines))


def test_a_skeleton_without_ids_is_numbered_parents_first(tmp_path: Path) -> None:
    nodes = np.arange(12.0).reshape(4, 3)
    write_graph(tmp_path / "s.zv", nodes, [[1, 0], [2, 1], [3, 1]], kind="skeleton",
                vertex_attributes={"strahler": [1, 2, 1, 1]})  # fmt: skip
    report = anyzarr.convert(tmp_path / "s.zv", tmp_path / "s.swc")
    assert "strahler" in report.warnings[0]
    found = rows((tmp_path / "s.swc").read_text())
    assert list(found) == [1, 2, 3, 4]
    assert all(row[-1] < i for i, row in found.items())
    assert sorted(row[1:4] for row in found.values()) == nodes.tolist()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("1 1 0 0 0 1 -1\n2 1 0 0", "seven"),
        ("1 1 0 0 0 1 -1\n1 1 0 0 0 1 1", "more than once"),
        ("1 1 0 0 0 1 -1\n2 1 0 0 0 1 9", "parent 9"),
        ("1 1 0 nan 0 1 -1", "vertex 0"),
        ("1 1 zero 0 0 1 -1", "seven"),
    ],
)
def test_broken_files_are_refused(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "bad.swc").write_text(text)
    with pytest.raises(CorruptDataError, match=says):
        anyzarr.convert(tmp_path / "bad.swc", tmp_path / "bad.zv")
    assert not (tmp_path / "bad.zv").exists()


def test_a_file_without_nodes_is_an_empty_store(tmp_path: Path) -> None:
    (tmp_path / "none.swc").write_text("# nothing\n")
    anyzarr.convert(tmp_path / "none.swc", tmp_path / "none.zv")
    assert read_graph(tmp_path / "none.zv").node_count == 0
