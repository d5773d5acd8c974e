"""``bench``: what is read, that results are compared, and that nothing is written."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import anyzarr
from anyzarr._bench import bench
from anyzarr._bench._jobs import jobs_for
from anyzarr._progress import Progress
from anyzarr.abc import Box
from anyzarr.engines import get_engine, register_engine
from anyzarr.errors import CorruptDataError, UnsupportedError
from anyzarr.stores import LocalStore

Run = Callable[..., Any]


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(p.relative_to(folder)): (p.read_bytes(), p.stat().st_mtime_ns)
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


@pytest.mark.parametrize("node", ["", "0"])
def test_every_engine_reads_level_0_of_an_image(run: Run, image: Path, node: str) -> None:
    before = contents(image)
    report = run("bench", image, node, "--rounds", "1", "--json").json
    assert contents(image) == before
    assert report["shape"] == [2, 300, 400]
    assert report["address"].endswith("image.zarr/0")
    assert [job["name"] for job in report["jobs"]] == ["full read", "crops", "planes"]
    usable = {r.name for r in anyzarr._info.explain_engines(image).engines if r.usable}
    for job in report["jobs"]:
        assert {t["engine"] for t in job["times"]} == usable
        assert not any(t["error"] for t in job["times"])
        took = {t["engine"]: t["median_ms"] for t in job["times"]}
        assert took[job["fastest"]] == min(took.values())
        for time in job["times"]:
            rate = job["n_bytes"] / time["median_ms"] / 1e3
            assert time["mb_per_second"] == pytest.approx(rate)
    full, crops, planes = report["jobs"]
    assert (full["whole"], full["n_bytes"]) == (True, 2 * 300 * 400 * 2)
    assert (crops["n_regions"], crops["shape"]) == (20, [2, 64, 64])
    assert (planes["n_regions"], planes["shape"]) == (2, [1, 300, 400])
    assert {*usable, *report["declined"]} == set(anyzarr.list_engines())


def test_for_people(run: Run, plain: Path) -> None:
    result = run("bench", plain, "--engine", "zarr", "--engine", "zarrista", "--rounds", "1")
    assert result.code == 0
    assert result.err == ""
    for fact in (str(plain), "100 × 30, float32", "everything", "20 of 100 × 30", "MB/s", "zarrs",
                 "full read, ms", "fastest: zarr"):  # fmt: skip
        assert fact in result.out
    assert "tensorstore" not in result.out


def test_a_part_of_a_large_array(run: Run, image: Path) -> None:
    result = run("bench", image, "--max-bytes", "50000", "--rounds", "1", "--engine", "zarr")
    assert "2 × 75 × 100 of its centre" in result.out
    report = bench(image, engines=["zarr"], max_bytes=50_000, rounds=1)
    assert all(job.n_bytes is not None and job.n_bytes <= 50_000 for job in report.jobs)


@given(
    st.lists(st.integers(0, 300), max_size=5),
    st.sampled_from([1, 2, 8]),
    st.integers(1, 10**6),
)
def test_regions_lie_within_the_array_and_the_bound(
    shape: list[int], itemsize: int, max_bytes: int
) -> None:
    jobs = jobs_for(shape, itemsize, max_bytes)
    assert jobs[0].name == "full read"
    assert len(jobs[0].regions) == 1
    for job in jobs:
        assert job.n_bytes <= max(max_bytes, itemsize)
        for region in job.regions:
            assert tuple(s.stop - s.start for s in region) == job.shape
            assert all(s.start >= 0 and s.stop <= n for s, n in zip(region, shape, strict=True))
        assert len({str(region) for region in job.regions}) == len(job.regions) or (
            job.name == "crops"
        )


@pytest.mark.parametrize("shape", [(), (0, 3), (1,), (100_000,), (3, 4), (2, 1, 2, 5, 6)])
def test_any_number_of_dimensions(shape: tuple[int, ...]) -> None:
    store: dict[str, bytes] = {}
    anyzarr.create_array(store, data=np.ones(shape, "int16"))
    report = bench(store, engines=["zarr"], rounds=1)
    assert report.fastest == "zarr"
    assert report.jobs[0].whole
    assert report.n_bytes == 2 * np.prod(shape)


def test_progress_counts_every_reading(plain: Path) -> None:
    steps: list[Progress] = []
    report = bench(plain, engines=["zarr", "zarrs"], rounds=2, progress=steps.append)
    last = {step.label: step for step in steps}
    assert list(last) == [job.name for job in report.jobs]
    assert all(step.done_bytes == step.total_bytes for step in last.values())


@pytest.fixture
def wrong_engine() -> str:
    """An engine whose values are one too large."""
    zarr = get_engine("zarr")

    class Shifted:
        def __init__(self, io: Any) -> None:
            self.io = io

        def __getattr__(self, name: str) -> Any:
            return getattr(self.io, name)

        def read(self, box: Box, out: Any) -> None:
            self.io.read(box, out)
            out[...] += 1

    class Wrong:
        name = "wrong"

        def decline(self, metadata: Any, store: Any) -> str | None:
            return zarr.decline(metadata, store)

        def open(self, metadata: Any, store: Any, path: str) -> Any:
            return Shifted(zarr.open(metadata, store, path))

        def codec(self, metadata: Any) -> Any:
            return zarr.codec(metadata)

    register_engine("wrong", Wrong(), replace=True)
    return "wrong"


@pytest.fixture
def forget_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take back what is registered during the test."""
    from anyzarr.engines import _registry

    monkeypatch.setattr(_registry, "_factories", dict(_registry._factories))
    monkeypatch.setattr(_registry, "_engines", dict(_registry._engines))


@pytest.mark.usefixtures("forget_engines", "wrong_engine")
def test_an_engine_that_reads_something_else_is_not_timed(run: Run, plain: Path) -> None:
    result = run("bench", plain, "--engine", "zarr", "--engine", "wrong", "--rounds", "1")
    assert result.code == 0
    assert "failed" in result.out
    assert "what it read is not what zarr read" in result.out
    report = bench(plain, engines=["zarr", "wrong"], rounds=1)
    for job in report.jobs:
        zarr, wrong = job.times
        assert (wrong.median_ms, wrong.mb_per_second) == (None, None)
        assert zarr.error is None
        assert job.fastest == "zarr"


def test_damage_is_told_per_engine(plain: Path) -> None:
    (plain / "c" / "3" / "0").write_bytes(b"no chunk")
    report = bench(LocalStore(plain, read_only=True), engines=["zarr"], rounds=1)
    with pytest.raises(CorruptDataError) as raised:
        anyzarr.open_array(plain, engine="zarr")[...]
    assert report.jobs[0].times[0].error == str(raised.value)
    assert report.fastest is None


def test_a_group_is_no_array(run: Run, tmp_path: Path) -> None:
    group = anyzarr.create_group(tmp_path / "group.zarr")
    group.create_array("inside", shape=(3,), dtype="u1")
    result = run("bench", tmp_path / "group.zarr")
    assert result.code == 1
    assert "'inside'" in result.sentence


def test_engines_that_cannot(run: Run, plain: Path) -> None:
    assert run("bench", plain, "--engine", "nobody").code == 1
    with pytest.raises(UnsupportedError):
        bench(plain, engines=["nobody"])
    assert run("bench", plain, "--rounds", "0").code == 2
    assert run("bench", plain, "--max-bytes", "0").code == 2
    with pytest.raises(ValueError, match="at least 1"):
        bench(plain, rounds=0)
