"""``info``, ``validate`` and ``tree`` know vector stores."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

import anyzarr
from anyzarr._cli import main
from anyzarr.vectors import create_store, store_info, write_graph, write_points

POSITIONS = np.random.default_rng(0).random((40, 3))


@pytest.fixture
def scan(tmp_path):
    path = tmp_path / "scan.zarrvectors"
    write_points(path, POSITIONS, chunk_shape=(0.5,) * 3,
                 bin_shape=(0.25,) * 3, vertex_attributes={"i": np.arange(40)},
                 object_ids=np.arange(40) % 4, object_attributes={"w": [1, 2, 3, 4]})  # fmt: skip
    return path


def test_facts_of_a_store(scan) -> None:
    facts = store_info(scan)
    (level,) = facts.levels
    assert (facts.name, facts.axes, facts.bin_shape) == ("scan", ("x", "y", "z"), (0.25,) * 3)
    n_chunks = len(np.unique(np.floor(POSITIONS / 0.5), axis=0))
    assert (level.vertex_count, level.object_count, level.chunk_count) == (40, 4, n_chunks)
    assert (level.attributes, level.object_attributes) == (("i",), ("w",))
    told = anyzarr.info(scan, stored=True)
    assert told.kind == "vectors"
    assert told.store == facts
    assert told.stored.n_chunks >= 3


def test_facts_tell_units_and_attributes_of_objects_and_links(
    tmp_path, capsys, monkeypatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    path = tmp_path / "net.zarrvectors"
    axes = [{"name": "y", "type": "space", "unit": "micrometer"}, {"name": "x", "type": "space"}]
    create_store(path, axes=axes, bounds=([0, 0], [9, 9]), chunk_shape=(5, 5))
    write_graph(path, [[1, 1], [8, 8]], [[0, 1]], mode="append", link_attributes={"len": [9.9]},
                object_ids=[7, 7], object_attributes={"kind": [3]})  # fmt: skip
    facts = store_info(path)
    assert facts.units == ("micrometer", None)
    assert facts.levels[0].object_attributes == ("kind",)
    assert facts.levels[0].link_attributes == ("len",)
    _, text = run(capsys, "info", str(path))
    assert "y 0 to 9 micrometer, x 0 to 9" in text
    assert "of objects: kind; of links: len" in " ".join(text.split())


def test_a_store_without_a_node_of_a_collection_is_no_image(scan) -> None:
    document = json.loads((scan / "zarr.json").read_text())
    del document["attributes"]["ome"]
    (scan / "zarr.json").write_text(json.dumps(document))
    assert anyzarr.info(scan).kind == "vectors"
    assert anyzarr.open(scan).tree().ome_kind is None


def run(capsys, *words) -> tuple[int, str]:
    return main([*words]) or 0, capsys.readouterr().out


def test_the_command_line_tells_and_checks(scan, capsys) -> None:
    code, text = run(capsys, "info", str(scan))
    assert code == 0
    assert "vector store" in text
    assert "point_cloud" in text
    code, text = run(capsys, "info", str(scan), "--json")
    assert json.loads(text)["store"]["levels"][0]["vertex_count"] == 40
    assert run(capsys, "validate", str(scan), "--deep")[0] == 0
    shutil.rmtree(scan / "0/vertices/c")
    code, text = run(capsys, "validate", str(scan), "--deep", "--json")
    assert code == 1
    assert "nonempty-chunks" in {error["rule"] for error in json.loads(text)["errors"]}


def test_the_command_line_draws(scan, tmp_path, capsys) -> None:
    pytest.importorskip("PIL")
    out = tmp_path / "a.png"
    code, text = run(capsys, "preview", str(scan), str(out), "--color", "i")
    assert code == 0
    assert "vectors scan" in text
    assert out.read_bytes().startswith(b"\x89PNG")
    code, text = run(capsys, "preview", str(scan), str(out), "--json")
    assert json.loads(text)["vectors"] == ["scan"]
