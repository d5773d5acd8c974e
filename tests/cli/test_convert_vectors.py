"""``convert`` of vectors: what the options become, what is printed, and what is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from anyzarr.vectors import read_points, store_info

Run = Callable[..., Any]


def test_a_table_becomes_a_store_and_a_table_again(tmp_path: Path, run: Run) -> None:
    table, store, back = tmp_path / "p.csv", tmp_path / "p.zarrvectors", tmp_path / "q.csv"
    table.write_text("a,b,c,track\n1,2,3,5\n4,5,6,5\n")
    done = run("convert", table, store, "--columns", "x=a,y=b,z=c,object_id=track",
               "--scale", "z=10nm", "--chunk-shape", "2,2,50.5", "--preserve-order")  # fmt: skip
    assert done.code == 0, done.err
    assert "2 vertices, float64" in done.out
    points = read_points(store, object_ids=[5], attribute_names=["input_order"])
    assert points.positions.tolist() == [[1, 2, 30], [4, 5, 60]]
    assert store_info(store).chunk_shape == (2, 2, 50.5)
    done = run("convert", store, back, "--json")
    assert done.json["kind"] == "vectors"
    assert done.json["vertex_count"] == 2
    assert back.read_text().splitlines()[1] == "1,2,30,5,0"


def test_what_is_wrong_is_one_sentence(tmp_path: Path, run: Run) -> None:
    table, store = tmp_path / "p.csv", tmp_path / "p.zv"
    table.write_text("a,b\n1,2\n")
    assert "--columns x=NAME" in run("convert", table, store).sentence
    assert "'a' for" not in run("convert", table, tmp_path / "p.swc").sentence
    for wrong in (["--columns", "x"], ["--chunk-shape", "1,0"], ["--chunk-shape", "one"]):
        assert run("convert", table, store, *wrong).code == 2
    assert not store.exists()


def test_warnings_tell_what_is_left_out(tmp_path: Path, run: Run) -> None:
    swc = tmp_path / "n.swc"
    swc.write_text("1 1 0 0 0 1 -1\n2 1 1 0 0 1 1\n")
    store, out = tmp_path / "n.zv", tmp_path / "out.swc"
    assert run("convert", swc, store, "--scale", "x=8nm,y=8nm,z=8nm").code == 0
    done = run("convert", store, out)
    assert done.code == 0
    assert "nanometer" in done.err


def test_files_in_a_bucket(tmp_path: Path, run: Run, s3: Any) -> None:
    given = [f"{name}={value}" for name, value in s3.options.items()]
    there = [word for option in given for word in ("--option", option)]
    source = [word for option in given for word in ("--source-option", option)]
    table, url = tmp_path / "p.csv", f"s3://{s3.new_bucket()}/p.parquet"
    table.write_text("x,y\n1,2\n")
    run("convert", table, tmp_path / "p.zv")
    done = run("convert", tmp_path / "p.zv", url, "--backend", "obstore", *there)
    assert done.code == 0, done.err
    done = run("convert", url, tmp_path / "q.zv", "--source-backend", "obstore", *source)
    assert done.code == 0, done.err
    assert read_points(tmp_path / "q.zv").positions.tolist() == [[1, 2]]
    assert "no file" in run("convert", url[:-8] + "q.csv", tmp_path / "r.zv", *source).sentence
