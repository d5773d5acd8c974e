"""``info``, ``tree`` and ``engines``: what they print for people and for programs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import anyzarr

Run = Callable[..., Any]


def test_info_tells_what_a_person_asks_of_an_image(run: Run, image: Path) -> None:
    result = run("info", image)
    assert result.code == 0
    assert result.err == ""
    for fact in (
        "my image", str(image), "OME-Zarr 0.5", "c 2, y 300, x 400", "y 0.25 micrometer", "uint16",
        "1 × 100 × 100", "1 × 300 × 400", "DAPI", "GFP", "0000FF", "100 – 3000", "local",
        anyzarr.open_array(image / "0").engine,
    ):  # fmt: skip
        assert fact in result.out


def test_info_of_an_image_as_json(run: Run, image: Path) -> None:
    facts = run("info", image, "--json").json
    assert facts["kind"] == "image"
    assert facts["version"] == "0.5"
    assert [axis["name"] for axis in facts["axes"]] == ["c", "y", "x"]
    assert facts["axes"][1] == {
        "name": "y", "type": "space", "unit": "micrometer", "size": 300, "scale": 0.25,
    }  # fmt: skip
    assert [level["shape"] for level in facts["levels"]] == [[2, 300, 400], [2, 150, 200]]
    assert [level["shards"] for level in facts["levels"]] == [[1, 300, 400], None]
    assert facts["levels"][1]["scale"] == [1.0, 0.5, 0.5]
    assert facts["channels"][0] == {"name": "DAPI", "color": "0000FF", "window": [100, 3000]}
    assert facts["levels"][0]["stored"] is None


def test_verbose_counts_what_is_stored(run: Run, image: Path, plain: Path) -> None:
    levels = run("info", image, "-v", "--json").json["levels"]
    assert [level["stored"]["n_chunks"] for level in levels] == [2, 2 * 2 * 2]
    sizes = sum(p.stat().st_size for p in (plain / "c").rglob("*") if p.is_file())
    stored = run("info", plain, "--verbose", "--json").json["stored"]
    assert stored == {"n_chunks": 7, "n_bytes": sizes}
    assert "7 objects" in run("info", plain, "-v").out


def test_info_of_an_array(run: Run, plain: Path) -> None:
    out = run("info", plain).out
    for fact in ("100 × 30", "10 × 30", "10 chunks", "float32", "11.7 KiB", '"hand"', "Zarr v3"):
        assert fact in out
    facts = run("info", plain, "--json").json
    assert facts["kind"] == "array"
    assert facts["n_bytes"] == 100 * 30 * 4
    assert facts["attributes"] == {"by": "hand"}
    assert facts["fill_value"] == 0.0


def test_info_of_a_node_within_the_location(run: Run, image: Path) -> None:
    assert run("info", image, "1", "--json").json["shape"] == [2, 150, 200]
    assert run("info", image / "1", "--json").json["shape"] == [2, 150, 200]


def test_info_of_a_group(run: Run, image: Path, tmp_path: Path) -> None:
    anyzarr.create_group(tmp_path / "g", attributes={"n": [1.5]})
    anyzarr.create_array(tmp_path / "g" / "a", shape=(3,), dtype="int8")
    anyzarr.create_group(tmp_path / "g" / "b")
    facts = run("info", tmp_path / "g", "--json").json
    assert facts["kind"] == "group"
    assert facts["attributes"] == {"n": [1.5]}
    assert facts["members"] == [
        {"name": "a", "kind": "array", "shape": [3], "dtype": "int8"},
        {"name": "b", "kind": "group", "shape": None, "dtype": None},
    ]
    assert "int8" in run("info", tmp_path / "g").out


def test_info_with_an_engine_names_it(run: Run, plain: Path) -> None:
    facts = run("info", plain, "--engine", "zarr", "--json").json
    assert facts["engine"] == "zarr"
    assert facts["io"] in {"own", "byte layer"}


def test_tree_draws_the_hierarchy(run: Run, image: Path) -> None:
    out = run("tree", image).out
    lines = out.splitlines()
    assert lines[0].startswith("image.zarr")
    assert "2 × 300 × 400 uint16" in lines[1]
    assert "2 × 150 × 200 uint16" in lines[2]


def test_tree_tells_the_engines_when_asked(run: Run, image: Path) -> None:
    assert run("tree", image, "--json").json["children"][0]["engine"] is None
    chosen = anyzarr.open(image)["0"].engine
    assert run("tree", image, "--engines", "--json").json["children"][0]["engine"] == chosen
    assert run("tree", image, "--engines").out.splitlines()[1].split()[-1] == chosen


def test_tree_as_json_and_to_a_depth(run: Run, image: Path, tmp_path: Path) -> None:
    node = run("tree", tmp_path / "image.zarr", "--json").json
    assert node["is_image"] is True
    assert [child["path"] for child in node["children"]] == ["0", "1"]
    assert node["children"][0]["shards"] == [1, 300, 400]
    shallow = run("tree", image, "--depth", "0", "--json").json
    assert shallow["children"] == []
    assert shallow["truncated"] is True
    assert "…" in run("tree", image, "-d", "0").out


def test_members_come_in_natural_order(run: Run, tmp_path: Path) -> None:
    group = anyzarr.create_group(tmp_path / "g")
    for name in ("10", "9", "a"):
        group.create_group(name)
    node = run("tree", tmp_path / "g", "--json").json
    assert [child["name"] for child in node["children"]] == ["9", "10", "a"]


def test_engines_explains_each_engine(run: Run, image: Path) -> None:
    facts = run("engines", image, "--json").json
    assert {report["name"] for report in facts["engines"]} == set(anyzarr.list_engines())
    assert [report["chosen"] for report in facts["engines"]].count(True) == 1
    assert facts["engines"][0]["chosen"]
    assert facts["engines"][0]["name"] == anyzarr.open_array(image, path="0").engine
    for report in facts["engines"]:
        assert (report["reason"] is None) == report["usable"]
        assert (report["io"] in {"own", "byte layer"}) == report["usable"]
    out = run("engines", image).out
    assert "taken" in out
    assert all(name in out for name in anyzarr.list_engines())


def test_engines_with_a_choice(run: Run, plain: Path) -> None:
    assert run("engines", plain, "--engine", "zarr", "--json").json["engines"][0]["name"] == "zarr"


def test_engines_without_a_location_lists_what_is_installed(run: Run) -> None:
    facts = run("engines", "--json").json
    engines = {engine["name"]: engine for engine in facts["engines"]}
    assert engines["zarr"]["installed"]
    assert engines["zarr"]["version"][0] == "3"
    assert {backend["name"] for backend in facts["backends"]} == set(anyzarr.list_backends())
    out = run("engines").out
    assert engines["zarr"]["version"] in out


def test_engines_tells_how_to_install_what_is_missing(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    import anyzarr._info._packages as packages

    monkeypatch.setattr(packages, "is_installed", lambda module: module == "anyzarr")
    result = run("engines")
    assert 'pip install "anyzarr[tensorstore]"' in result.out
    engines = {engine["name"]: engine for engine in run("engines", "--json").json["engines"]}
    assert engines["zarrs"]["install"] == 'pip install "anyzarr[zarrs]"'
    assert engines["zarrs"]["version"] is None


def test_the_environment_chooses_the_engine(
    run: Run, plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANYZARR_ENGINE", "zarr")
    assert run("info", plain, "--json").json["engine"] == "zarr"


def test_info_of_what_says_it_is_an_image_of_another_version(run: Run, tmp_path: Path) -> None:
    anyzarr.create_group(
        tmp_path / "new.zarr", attributes={"ome": {"version": "9.9", "multiscales": [{}]}}
    )
    facts = run("info", tmp_path / "new.zarr", "--json").json
    assert facts["kind"] == "group"
    assert "9.9" in facts["note"]
