"""Converting on threads, processes and a cluster; interrupted, gone on with, and read back."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anyzarr
from anyzarr._convert import _images
from anyzarr._convert._journal import JOURNAL
from anyzarr._convert._memory import memory_of, parse_size
from anyzarr._progress import Progress
from anyzarr._pyramid import downsample
from anyzarr.errors import (
    ConflictError,
    CorruptDataError,
    MetadataError,
    StoreError,
    UnsupportedError,
)
from anyzarr.ome import open_ome_zarr
from anyzarr.readers import _npy

RNG = np.random.default_rng(0)
SHAPE = (3, 20, 300, 400)
LAYOUT: dict[str, Any] = {"axes": "czyx", "chunks": (1, 5, 100, 100), "shards": (1, 10, 200, 200)}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("source") / "a.npy"
    np.save(path, RNG.integers(0, 60_000, SHAPE).astype("u2"))
    return path


@pytest.fixture(autouse=True)
def _everything_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_images, "LONG_BYTES", 1)


def check(target: Path, source: Path) -> None:
    values = np.load(source)
    with open_ome_zarr(target) as image:
        for level in image.levels:
            factors = [-(-a // b) for a, b in zip(values.shape, level.shape, strict=True)]
            if max(factors) > 1:
                values = downsample(values, factors, "mean")
            np.testing.assert_array_equal(level[...], values)
        assert len(image) == 2
    if target.is_dir():
        assert sorted(os.listdir(target)) == ["0", "1", "zarr.json"]
    left = [name for name in os.listdir(target.parent) if name.endswith(".partial")]
    assert left == []


# -- workers --------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("name", ["out.zarr", "out.ozx"])
def test_threads(source: Path, tmp_path: Path, workers: int, name: str) -> None:
    report = anyzarr.convert(source, tmp_path / name, workers=workers, verify=True, **LAYOUT)
    check(tmp_path / name, source)
    assert report.verification is not None
    assert report.verification.n_bytes == np.prod(SHAPE) * 2
    assert "verified" in str(report)


@pytest.mark.parametrize("workers", [0, -1, 1.5, "two", True])
@pytest.mark.parametrize("name", ["out.zarr", "out.ozx"])
def test_what_is_no_number_of_workers(
    source: Path, tmp_path: Path, workers: Any, name: str
) -> None:
    with pytest.raises(MetadataError, match="workers"):
        anyzarr.convert(source, tmp_path / name, workers=workers, **LAYOUT)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("method", ["mean", "gaussian"])
def test_processes(source: Path, tmp_path: Path, method: str) -> None:
    steps: list[Progress] = []
    anyzarr.convert(
        source, tmp_path / "out.zarr", workers=2, processes=True, method=method,
        progress=steps.append, **LAYOUT,
    )  # fmt: skip
    anyzarr.convert(source, tmp_path / "threads.zarr", method=method, **LAYOUT)
    for path in sorted((tmp_path / "threads.zarr").rglob("*")):
        if path.is_file():
            other = tmp_path / "out.zarr" / path.relative_to(tmp_path / "threads.zarr")
            assert other.read_bytes() == path.read_bytes(), path
    assert {step.label for step in steps} == {"converting"}
    assert steps[-1].done_bytes <= (steps[-1].total_bytes or 0)


def test_memory_of_this_process_takes_no_others(source: Path) -> None:
    target: dict[str, bytes] = {}
    with pytest.raises(UnsupportedError, match="memory of this process"):
        anyzarr.convert(source, target, processes=True, **LAYOUT)
    assert target == {}


def test_a_worker_that_is_killed(source: Path, tmp_path: Path) -> None:
    """The work stops with an error; what is done stays and is gone on with."""

    def kill_a_child(step: Progress) -> None:
        if step.done_bytes:
            children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
            for child in children:
                command = Path(f"/proc/{child}/cmdline").read_bytes()
                if b"spawn_main" in command:
                    os.kill(int(child), signal.SIGKILL)

    options: dict[str, Any] = {"workers": 2, "processes": True, **LAYOUT}
    with pytest.raises(anyzarr.errors.StoreError) as caught:
        anyzarr.convert(source, tmp_path / "out.zarr", progress=kill_a_child, **options)
    assert caught.value.kind == "worker_lost"
    assert any("resume=True" in note for note in caught.value.__notes__)
    assert not (tmp_path / "out.zarr").exists()
    report = anyzarr.convert(source, tmp_path / "out.zarr", resume=True, **options)
    assert report.n_resumed >= 1
    check(tmp_path / "out.zarr", source)


# -- interrupted ----------------------------------------------------------------------------

_SLOWLY = """
import sys, time
import anyzarr
from anyzarr._convert import _images
from anyzarr.readers import _npy

_images.LONG_BYTES = 1
read = _npy._NpyImage.read

def slowly(self, region):
    time.sleep(0.02)
    print(".", end="", flush=True)
    return read(self, region)

_npy._NpyImage.read = slowly
anyzarr.convert(
    sys.argv[1], sys.argv[2], axes="czyx", chunks=(1, 5, 100, 100), shards=(1, 10, 200, 200),
    workers=1,
)
"""


def killed(source: Path, target: Path, *, after: int) -> None:
    """Convert in another process and kill it when it has read so many blocks."""
    command = [sys.executable, "-c", _SLOWLY, str(source), str(target)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert len(process.stdout.read(after)) == after
        process.kill()
    assert not target.exists()


@pytest.mark.parametrize("name", ["out.zarr", "out.ozx"])
def test_kill_and_resume(
    source: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / name
    killed(source, target, after=14)
    staging = next(tmp_path.glob(".out*.partial"))
    n_done = len(list((staging / JOURNAL / "done").iterdir()))
    assert n_done
    # Every shard that is there is whole: reading one again is not needed to know.
    done_before = {p: p.stat().st_mtime_ns for p in staging.rglob("c/*/*/*/*") if p.is_file()}
    assert done_before
    report = anyzarr.convert(source, target, resume=True, verify=True, **LAYOUT)
    assert report.n_resumed == n_done
    check(target, source)


def test_finished_shards_are_not_written_again(source: Path, tmp_path: Path) -> None:
    killed(source, tmp_path / "out.zarr", after=14)
    staging = next(tmp_path.glob(".out*.partial"))
    done = [path.name for path in (staging / JOURNAL / "done").iterdir()]
    before = {
        p.relative_to(staging): p.stat().st_ino for p in staging.rglob("0/c/**/*") if p.is_file()
    }
    anyzarr.convert(source, tmp_path / "out.zarr", resume=True, **LAYOUT)
    after = {path: (tmp_path / "out.zarr" / path).stat().st_ino for path in before}
    kept = [path for path in before if before[path] == after[path]]
    assert len(kept) >= len(done)
    check(tmp_path / "out.zarr", source)


def test_without_resume_it_starts_again(source: Path, tmp_path: Path) -> None:
    killed(source, tmp_path / "out.zarr", after=14)
    report = anyzarr.convert(source, tmp_path / "out.zarr", **LAYOUT)
    assert report.n_resumed == 0
    check(tmp_path / "out.zarr", source)


def test_resume_with_nothing_to_go_on_from(source: Path, tmp_path: Path) -> None:
    assert anyzarr.convert(source, tmp_path / "out.zarr", resume=True, **LAYOUT).n_resumed == 0
    check(tmp_path / "out.zarr", source)


def test_resume_with_other_settings_or_another_source_is_refused(
    source: Path, tmp_path: Path
) -> None:
    own = tmp_path / "own.npy"
    own.write_bytes(source.read_bytes())
    killed(own, tmp_path / "out.zarr", after=14)
    with pytest.raises(ConflictError) as caught:
        anyzarr.convert(own, tmp_path / "out.zarr", resume=True, axes="czyx", levels=1)
    assert caught.value.kind == "settings_changed"
    np.save(own, np.load(own) + 1)
    with pytest.raises(ConflictError) as caught:
        anyzarr.convert(own, tmp_path / "out.zarr", resume=True, **LAYOUT)
    assert caught.value.kind == "source_changed"
    anyzarr.convert(own, tmp_path / "out.zarr", **LAYOUT)
    check(tmp_path / "out.zarr", own)


def test_two_conversions_to_one_target(source: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", _SLOWLY, str(source), str(tmp_path / "out.zarr")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.read(3)
        with pytest.raises(ConflictError, match="another process"):
            anyzarr.convert(source, tmp_path / "out.zarr", **LAYOUT)
        process.stdout.read()
    assert process.returncode == 0
    check(tmp_path / "out.zarr", source)


def test_resume_on_an_object_store(source: Path, tmp_path: Path) -> None:
    """In place, without a rename: the root comes last, the journal goes."""
    fsspec = pytest.importorskip("fsspec")

    class Stop(Exception):
        pass

    def stop(step: Progress) -> None:
        if step.done_bytes > np.prod(SHAPE):
            raise OSError("no more room")

    def opened() -> Any:
        return fsspec.filesystem("dir", path=str(tmp_path / "bucket"), target_protocol="file")

    (tmp_path / "bucket").mkdir()
    with pytest.raises(OSError, match="room"):
        anyzarr.convert(source, opened(), progress=stop, workers=1, **LAYOUT)
    assert not (tmp_path / "bucket/zarr.json").exists()
    assert (tmp_path / "bucket" / JOURNAL / "done").is_dir()
    report = anyzarr.convert(source, opened(), resume=True, **LAYOUT)
    assert report.n_resumed >= 1
    check(tmp_path / "bucket", source)


# -- the source and the target as they are --------------------------------------------------


def test_a_source_that_changes_meanwhile(source: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.npy"
    own.write_bytes(source.read_bytes())

    def touch(step: Progress) -> None:
        os.utime(own)

    with pytest.raises(ConflictError) as caught:
        anyzarr.convert(own, tmp_path / "out.zarr", progress=touch, **LAYOUT)
    assert caught.value.kind == "source_changing"
    assert os.listdir(tmp_path) == ["own.npy"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 10 MiB, which the result does not fit into."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=10m", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount command, and so no small file system to fill up")
    if done.returncode:
        pytest.skip(f"no small file system can be mounted to fill it up: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize("name", ["out.zarr", "out.ozx"])
def test_a_full_disk_and_then_more_room(source: Path, small_disk: Path, name: str) -> None:
    with pytest.raises(StoreError, match="space"):
        anyzarr.convert(source, small_disk / name, **LAYOUT)
    assert not (small_disk / name).exists()
    with pytest.raises(StoreError, match="space"):
        anyzarr.convert(source, small_disk / name, resume=True, **LAYOUT)
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    report = anyzarr.convert(source, small_disk / name, resume=True, verify=True, **LAYOUT)
    assert report.n_resumed > 0
    check(small_disk / name, source)


def test_verify_finds_what_differs(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = _npy._NpyImage.read
    calls = [0]

    def moody(self: Any, region: Any) -> Any:
        calls[0] += 1
        values = read(self, region)
        if calls[0] == 2:
            values = values.copy()
            values[..., -1] ^= 1
        return values

    monkeypatch.setattr(_npy._NpyImage, "read", moody)
    with pytest.raises(CorruptDataError, match="not those of the source"):
        anyzarr.convert(source, tmp_path / "out.zarr", verify=True, workers=1, **LAYOUT)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("text", "size"),
    [("4GB", 4 * 10**9), ("1.5 GiB", 3 << 29), ("512MiB", 512 << 20), ("7", 7), ("2k", 2000)],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size == memory_of(text)


@pytest.mark.parametrize("text", ["", "many", "-1", "4 XB", "1e9"])
def test_what_is_no_size(source: Path, tmp_path: Path, text: str) -> None:
    with pytest.raises(MetadataError, match="no size"):
        anyzarr.convert(source, tmp_path / "out.zarr", memory=text)


# -- a cluster ------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_cluster_whose_workers_come_later(source: Path, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=0, threads_per_worker=1, processes=True, dashboard_address=None,
            host="127.0.0.1",
        ) as cluster,
        distributed.Client(cluster, timeout=1) as client,
    ):  # fmt: skip
        coming = threading.Timer(2.5, cluster.scale, [1])
        coming.start()
        anyzarr.convert(source, tmp_path / "out.zarr", cluster=client, **LAYOUT)
        coming.join()
    check(tmp_path / "out.zarr", source)


@pytest.mark.slow
def test_a_cluster_that_loses_a_worker(source: Path, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None,
            host="127.0.0.1",
        ) as cluster,
        distributed.Client(cluster) as client,
    ):  # fmt: skip
        killed_one = [False]

        def kill_one(step: Progress) -> None:
            if step.done_bytes and not killed_one[0]:
                killed_one[0] = True
                pid = next(iter(client.run(os.getpid).values()))
                os.kill(pid, signal.SIGKILL)

        report = anyzarr.convert(
            source, tmp_path / "out.zarr", cluster=client, progress=kill_one, verify=True, **LAYOUT
        )
        assert killed_one == [True]
        assert report.verification is not None
        check(tmp_path / "out.zarr", source)
        anyzarr.convert(source, tmp_path / "b.zarr", cluster=cluster.scheduler_address, **LAYOUT)
        check(tmp_path / "b.zarr", source)


_SBATCH = """#!/bin/sh
# What a batch system does with a job: run the script, somewhere, some time.
for script; do :; done
mkdir -p {folder}
sh "$script" > {folder}/$$.log 2>&1 &
echo $! > {folder}/$!.pid
echo "Submitted batch job $!"
"""


@pytest.mark.slow
def test_jobs_of_a_batch_system(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if importlib.util.find_spec("dask_jobqueue") is None:
        pytest.skip("needs dask-jobqueue")
    import dask

    jobs = tmp_path / "jobs"
    (tmp_path / "bin").mkdir()
    for name, script in (
        ("sbatch", _SBATCH.format(folder=jobs)),
        ("scancel", "#!/bin/sh\nkill $1"),
    ):
        (tmp_path / "bin" / name).write_text(script)
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    settings = {
        "cores": 1, "memory": "1GB", "processes": 1, "python": sys.executable, "interface": "lo",
        "local-directory": str(tmp_path / "scratch"), "log-directory": None,
        "scheduler-options": {"dashboard_address": None, "interface": "lo"},
    }  # fmt: skip
    with dask.config.set({f"jobqueue.slurm.{key}": value for key, value in settings.items()}):
        anyzarr.convert(source, tmp_path / "out.zarr", cluster="slurm", workers=2, **LAYOUT)
    check(tmp_path / "out.zarr", source)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    pids = [int(path.stem) for path in jobs.glob("*.pid")]
    assert len(pids) == 2
    deadline = time.monotonic() + 30
    while any(os.path.exists(f"/proc/{pid}") for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not [pid for pid in pids if os.path.exists(f"/proc/{pid}")], "a job is left"


@pytest.mark.parametrize("cluster", ["nowhere", "tcp://127.0.0.1:1"])
def test_no_such_cluster(source: Path, tmp_path: Path, cluster: str) -> None:
    distributed = pytest.importorskip("distributed")
    import dask

    started = time.perf_counter()
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "0.5s"}),
        pytest.raises(anyzarr.errors.AnyzarrError, match="scheduler"),
    ):
        anyzarr.convert(source, tmp_path / "out.zarr", cluster=cluster, **LAYOUT)
    assert time.perf_counter() - started < 60
    assert distributed is not None
    assert os.listdir(tmp_path) == []
