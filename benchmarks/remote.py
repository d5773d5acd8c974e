"""Table 4: the image of table 1 from HTTP and S3 on loopback, taking 20 ms more per request."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import obstore
import table1
import tensorstore as ts
import zarr
import zarrista
from _jobs import create
from _measure import Row, compare, save
from _peers import ENGINES, PIPELINES, Array, Slices

import anyzarr
from anyzarr.stores import ObstoreStore

DELAY_SECONDS = 0.02
MEMBERS = 10
JOBS: dict[str, Slices] = {
    "whole array": np.s_[0:2048, 0:2048],
    "[100:1900]²": np.s_[100:1900, 100:1900],
    "one row": np.s_[1000:1001, 0:2048],
}

Reader = Callable[[Slices], Array]
Opener = Callable[[], object]


@dataclass(frozen=True)
class Service:
    """Where the folder of a bucket is, and how everyone is told so."""

    name: str
    address: str
    bucket: str

    def url(self, path: str) -> str:
        """Return the location of a node."""
        base = self.address if self.name == "HTTP" else "s3:/"
        return f"{base}/{self.bucket}/{path}"

    @property
    def options(self) -> dict[str, Any]:
        """Return what obstore is told besides."""
        if self.name == "HTTP":
            return {"client_options": {"allow_http": True}}
        config = {"endpoint": self.address, "region": "us-east-1", "skip_signature": "true"}
        return {"config": config, "client_options": {"allow_http": True}}

    def tensorstore(self, path: str) -> dict[str, Any]:
        """Return what tensorstore is told."""
        if self.name == "HTTP":
            return {"driver": "http", "base_url": f"{self.url(path)}/"}
        return {
            "driver": "s3",
            "bucket": self.bucket,
            "path": f"{path}/",
            "endpoint": self.address,
            "aws_region": "us-east-1",
            "aws_credentials": {"type": "anonymous"},
        }

    def ours(self, path: str) -> ObstoreStore:
        """Return our store."""
        return ObstoreStore(self.url(path), **self.options)

    def obstore(self, path: str) -> Any:
        """Return the store that zarr-python and zarrista read."""
        return obstore.store.from_url(self.url(path), **self.options)

    def count(self) -> int:
        """Return the number of requests since the last call."""
        with urllib.request.urlopen(f"{self.address}/:count") as answer:
            return int(answer.read())


@contextlib.contextmanager
def served(folder: Path, delay: float = DELAY_SECONDS) -> Iterator[str]:
    """Serve a folder from a process of its own, which waits so many seconds before it answers."""
    program = Path(__file__).with_name("_server.py")
    process = subprocess.Popen(
        [sys.executable, str(program), str(folder), str(delay)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def readers(service: Service, path: str) -> dict[str, Reader]:
    """Return everyone with the array open."""
    found: dict[str, Reader] = {}
    for engine in ENGINES:
        if engine != "zarrs-python":
            array = anyzarr.open_array(service.ours(path), engine=engine)
            found[f"anyzarr {engine}"] = array.__getitem__
    for name, pipeline in PIPELINES.items():
        if name != "zarrs-python":
            found[name] = with_pipeline(service, path, pipeline)
    found["zarrista"] = with_zarrista(service, path)
    tensor = with_tensorstore(service, path)
    found["tensorstore"] = lambda where: tensor[where].read().result()
    return found


def with_tensorstore(service: Service, path: str) -> Any:
    """Open an array with tensorstore."""
    spec = {"driver": "zarr3", "kvstore": service.tensorstore(path)}
    return ts.open(spec, open=True).result()


def with_pipeline(service: Service, path: str, pipeline: str) -> Reader:
    setting = {"codec_pipeline.path": pipeline, "async.concurrency": 64}
    store = zarr.storage.ObjectStore(service.obstore(path), read_only=True)
    with zarr.config.set(setting):
        array = zarr.open_array(store, mode="r")

    def read(where: Slices) -> Array:
        with zarr.config.set(setting):
            return np.asarray(array[where])

    return read


def with_zarrista(service: Service, path: str) -> Reader:
    # obstore's futures belong to the loop they are made in: one loop for all calls.
    loop = asyncio.new_event_loop()

    async def opened() -> Any:
        return await zarrista.AsyncArray.open(service.obstore(path), "/")

    array = loop.run_until_complete(opened())

    async def read(where: Slices) -> Array:
        return np.asarray((await array.retrieve_array_subset(where)).to_numpy())

    return lambda where: loop.run_until_complete(read(where))


def array_openers(service: Service, path: str, zarr_format: int | None) -> dict[str, Opener]:
    """Return everyone who opens an array, given its address, the format told or not."""
    told = {} if zarr_format is None else {"zarr_format": zarr_format}
    loop = asyncio.new_event_loop()
    live = service.obstore(path)

    async def with_zarrista() -> Any:
        return await zarrista.AsyncArray.open(live, "/")

    def with_zarr() -> Any:
        store = zarr.storage.ObjectStore(live, read_only=True)
        return zarr.open_array(store, mode="r", **told)

    found: dict[str, Opener] = {
        "anyzarr native": lambda: anyzarr.open_array(service.ours(path), engine="native", **told),
        "zarr-python": with_zarr,
    }
    if zarr_format is None:
        found["zarrista"] = lambda: loop.run_until_complete(with_zarrista())
    else:  # its driver is for one format
        found["tensorstore"] = lambda: with_tensorstore(service, path)
    return found


def group_openers(service: Service, path: str) -> dict[str, Opener]:
    """Return everyone who opens a consolidated group with its arrays."""

    def ours() -> Any:
        group = anyzarr.open_group(service.ours(path), zarr_format=3)
        return [group[f"level {n}"] for n in range(MEMBERS)]

    live = service.obstore(path)

    def with_zarr() -> Any:
        store = zarr.storage.ObjectStore(live, read_only=True)
        group = zarr.open_consolidated(store, mode="r", zarr_format=3)
        return [group[f"level {n}"] for n in range(MEMBERS)]

    return {"anyzarr native": ours, "zarr-python": with_zarr}


def row_of(service: Service, job: str, works: dict[str, Opener], expected: Array | None) -> Row:
    """Return one row, with the requests of doing it once more after the first time."""
    requests: dict[str, float] = {}

    def check(name: str, result: Any) -> None:
        if expected is not None and not np.array_equal(result, expected):
            raise ValueError("the result is wrong")
        service.count()
        works[name]()
        requests[name] = service.count()

    row = compare(f"{service.name}, {job}", works, check=check)
    return replace(row, extra={"requests": requests})


def rows_of(service: Service, images: dict[str, Array]) -> Iterator[Row]:
    """Yield the rows of one service."""
    for kind, data in images.items():
        found = readers(service, kind)
        for job, where in JOBS.items():
            works = {name: lambda read=read, w=where: read(w) for name, read in found.items()}
            yield row_of(service, f"{kind}: {job}", works, data[where])
    path = next(iter(images))
    yield row_of(service, "open, format told", array_openers(service, path, 3), None)
    yield row_of(service, "open", array_openers(service, path, None), None)
    group = group_openers(service, "group")
    yield row_of(service, f"open a consolidated group and {MEMBERS} arrays", group, None)


def fill(bucket: Path, images: dict[str, Array]) -> None:
    """Write what is read."""
    for kind, data in images.items():
        create(bucket / kind, data, chunks=(64, 64), shards=(512, 512), compressors="zstd:3")
    group = anyzarr.create_group(bucket / "group")
    for n in range(MEMBERS):
        group.create_array(f"level {n}", shape=(64, 64), dtype="uint8", chunks=(32, 32))
    anyzarr.consolidate_metadata(bucket / "group")


def main(full: bool = False) -> None:
    """Measure, print and save."""
    rows: list[Row] = []
    images = dict(table1.images())
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder) / "bucket", images)
        with served(Path(folder)) as address:
            for name in ("HTTP", "S3"):
                rows += rows_of(Service(name, address, "bucket"), images)
    title = "Table 4: services that take 20 ms more per request"
    save("remote", title, rows, requests_of(rows))


def requests_of(rows: list[Row]) -> str:
    """Return a Markdown table of the number of requests."""
    names = list(dict.fromkeys(name for row in rows for name in row.extra["requests"]))
    lines = ["Requests of doing it once more, which may know what the first time taught:", ""]
    lines += [f"| job | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for row in rows:
        counts = row.extra["requests"]
        cells = [f"{counts[name]:.0f}" if name in counts else "–" for name in names]
        lines.append(f"| {row.job} | {' | '.join(cells)} |")
    lines += [
        "",
        "zarr-python with 64 requests at once; the others as they are. Clients and their ",
    ]
    lines[-1] += "connections are there before the clock starts, everyone's."
    return "\n".join(lines)


if __name__ == "__main__":
    main()
