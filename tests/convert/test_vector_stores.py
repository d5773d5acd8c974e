"""Vector stores are taken over as the Zarr that they are; elements of any length are compared."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anyzarr
import anyzarr.vectors
from anyzarr._convert import _hierarchy
from anyzarr._progress import Progress
from anyzarr.errors import ConflictError, CorruptDataError, MetadataError, UnsupportedError
from anyzarr.vectors import _redo

POSITIONS = np.random.default_rng(0).random((500, 3)).astype("f4") * 4


@pytest.fixture
def points(tmp_path: Path) -> Path:
    anyzarr.vectors.write_points(tmp_path / "a.zarrvectors", POSITIONS, chunk_shape=(2, 2, 2))
    return tmp_path / "a.zarrvectors"


def sorted_points(location: Any) -> np.ndarray:
    found = anyzarr.vectors.read_points(location).positions
    return found[np.lexsort(found.T)]


def codecs(store: Path, name: str) -> list[str]:
    chain = json.loads((store / "0" / name / "zarr.json").read_text())["codecs"]
    if chain[0]["name"] == "sharding_indexed":
        chain = chain[0]["configuration"]["codecs"]
    return [codec["name"] for codec in chain]


@pytest.mark.parametrize("name", ["b.zarrvectors", "b.ozx"])
@pytest.mark.parametrize("options", [{"compressor": "gzip"}, {"shards": False}, {"shards": "auto"}])
def test_another_codec_and_other_shards(
    points: Path, tmp_path: Path, options: dict[str, Any], name: str
) -> None:
    report = anyzarr.convert(points, tmp_path / name, verify=True, **options)
    assert (report.kind, report.n_arrays) == ("rewrite", 2)
    np.testing.assert_array_equal(sorted_points(tmp_path / name), sorted_points(points))
    assert anyzarr.validate(tmp_path / name).errors == ()
    before, after = (anyzarr.vectors.open_store(p).attrs for p in (points, tmp_path / name))
    assert dict(after) == dict(before)


def test_the_codec_asked_for_is_used(points: Path, tmp_path: Path) -> None:
    assert codecs(points, "vertices") == ["vlen-bytes"]
    anyzarr.convert(points, tmp_path / "b", compressor="gzip")
    assert codecs(tmp_path / "b", "vertices") == ["vlen-bytes", "gzip"]
    assert anyzarr.convert(points, tmp_path / "c").kind == "copy"


def unfinished(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a store be one of which the last addition was decided and not made."""
    with monkeypatch.context() as patched:
        patched.setattr(_redo, "_apply", lambda *args: (_ for _ in ()).throw(OSError("no power")))
        with pytest.raises(OSError, match="power"):
            anyzarr.vectors.write_points(path, [[1.0, 1, 1]], mode="append")


def test_a_store_that_is_being_changed_is_copied_whole_and_not_recoded(
    points: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unfinished(points, monkeypatch)
    assert len(anyzarr.vectors.read_points(points).positions) == 500
    with pytest.raises(ConflictError, match="vacuum"):
        anyzarr.convert(points, tmp_path / "b", compressor="gzip")
    assert not (tmp_path / "b").exists()
    # Wherever the copy lies, what is to come is found and put at its place.
    group = anyzarr.create_group(tmp_path / "deeper")
    anyzarr.convert(points, tmp_path / "deeper" / "c")
    anyzarr.vectors.vacuum(group["c"])
    assert len(anyzarr.vectors.read_points(group["c"]).positions) == 501
    anyzarr.convert(tmp_path / "deeper" / "c", tmp_path / "d", compressor="gzip")
    assert len(anyzarr.vectors.read_points(tmp_path / "d").positions) == 501


def test_who_writes_a_store_is_not_copied(points: Path, tmp_path: Path) -> None:
    (points / ".anyzarr-writer-of-0").write_text("{}")
    anyzarr.convert(points, tmp_path / "b")
    assert not list((tmp_path / "b").glob(".anyzarr*"))


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"version": "0.5"}, MetadataError),
        ({"version": "0.6"}, MetadataError),
        ({"zarr_format": 2}, UnsupportedError),
        ({"chunks": (2, 2, 2)}, UnsupportedError),
        ({"levels": 2}, UnsupportedError),
        ({"scale": {"x": 2}}, UnsupportedError),
    ],
)
def test_what_is_for_images(
    points: Path, tmp_path: Path, options: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        anyzarr.convert(points, tmp_path / "b", **options)
    assert not (tmp_path / "b").exists()


def test_nothing_to_upgrade(points: Path, tmp_path: Path) -> None:
    with pytest.raises(MetadataError, match="no OME-Zarr"):
        anyzarr.ome.upgrade(points, tmp_path / "b", version="0.6")


BYTES = np.array([b"a", b"bb", b"", b"longer than a pointer, so elsewhere"], dtype=object)
STRINGS = np.array(["a", "", "short", "longer than what numpy keeps in place"])


@pytest.mark.parametrize("before", [2, 3])
@pytest.mark.parametrize("options", [{"zarr_format": 2}, {"zarr_format": 3}, {}])
@pytest.mark.parametrize("more", [{"chunks": (3,)}, {"compressor": "gzip"}])
@pytest.mark.parametrize(("dtype", "values"), [("bytes", BYTES), ("string", STRINGS)])
def test_elements_of_any_length(
    dtype: str, values: np.ndarray, more: Any, options: Any, before: Any, tmp_path: Path
) -> None:
    source = anyzarr.create_array(
        tmp_path / "a", shape=(4,), chunks=(2,), dtype=dtype, zarr_format=before
    )
    source[...] = values
    anyzarr.convert(tmp_path / "a", tmp_path / "b", verify=True, **more, **options)
    found = anyzarr.open_array(tmp_path / "b")
    assert found.zarr_format == options.get("zarr_format", before)
    assert found[...].tolist() == values.tolist()


@pytest.mark.parametrize(("dtype", "values"), [("bytes", BYTES), ("string", STRINGS)])
def test_verify_compares_what_elements_point_to(
    dtype: str, values: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data: dict[str, bytes] = {}
    source = anyzarr.create_array(data, shape=(4,), dtype=dtype, compressors=None)
    source[...] = values
    run = _hierarchy.run_job

    def meanwhile(*args: Any) -> None:
        run(*args)
        source[3:] = [values[3][:-1] + values[3][:1]]

    monkeypatch.setattr(_hierarchy, "run_job", meanwhile)
    with pytest.raises(CorruptDataError, match="not those of the source"):
        anyzarr.convert(data, tmp_path / "b", chunks=(2,), verify=True)
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    ("kind", "target"),
    [("file", "b.zarrvectors"), ("file", "b.ozx"), ("file", "b.ply"), ("store", "b.csv")],
)
def test_vectors_that_change_meanwhile(
    points: Path, tmp_path: Path, kind: str, target: str
) -> None:
    source, table = points, tmp_path / "a.csv"
    if kind == "file":
        anyzarr.convert(points, table)
        source = table

    def meanwhile(step: Progress) -> None:
        if kind == "file":
            table.write_text(table.read_text() + "1,2,3\n")
        else:
            (points / "notes.txt").write_text(f"{step.done_bytes} {time.monotonic_ns()}")

    with pytest.raises(ConflictError) as caught:
        anyzarr.convert(source, tmp_path / target, progress=meanwhile)
    assert caught.value.kind == "source_changing"
    assert not (tmp_path / target).exists()
    assert not list(tmp_path.glob(".*"))
