"""Table 4: the image of table 1 from a server on loopback that takes 20 ms more per request."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
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

DELAY_SECONDS = 0.02
JOBS: dict[str, Slices] = {
    "whole array": np.s_[0:2048, 0:2048],
    "[100:1900]²": np.s_[100:1900, 100:1900],
    "one row": np.s_[1000:1001, 0:2048],
}

Reader = Callable[[Slices], Array]


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder from a process of its own."""
    program = Path(__file__).with_name("_server.py")
    process = subprocess.Popen(
        [sys.executable, str(program), str(folder), str(DELAY_SECONDS)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def readers(url: str) -> dict[str, Reader]:
    """Return everyone with the array open."""
    found: dict[str, Reader] = {}
    for engine in ENGINES:
        if engine != "zarrs-python":
            found[f"anyzarr {engine}"] = anyzarr.open_array(url, engine=engine).__getitem__
    for name, pipeline in PIPELINES.items():
        if name != "zarrs-python":
            found[name] = with_pipeline(url, pipeline)
    found["zarrista"] = with_zarrista(url)
    tensor = ts.open(
        {"driver": "zarr3", "kvstore": {"driver": "http", "base_url": f"{url}/"}}, open=True
    ).result()
    found["tensorstore"] = lambda where: tensor[where].read().result()
    return found


def object_store(url: str) -> Any:
    """Return the store that zarr-python and zarrista read."""
    return obstore.store.from_url(url, client_options={"allow_http": True})


def with_pipeline(url: str, pipeline: str) -> Reader:
    setting = {"codec_pipeline.path": pipeline, "async.concurrency": 64}
    store = zarr.storage.ObjectStore(object_store(url), read_only=True)
    with zarr.config.set(setting):
        array = zarr.open_array(store, mode="r")

    def read(where: Slices) -> Array:
        with zarr.config.set(setting):
            return np.asarray(array[where])

    return read


def with_zarrista(url: str) -> Reader:
    # obstore's futures belong to the loop they are made in: one loop for all calls.
    loop = asyncio.new_event_loop()

    async def opened() -> Any:
        return await zarrista.AsyncArray.open(object_store(url), "/")

    array = loop.run_until_complete(opened())

    async def read(where: Slices) -> Array:
        return np.asarray((await array.retrieve_array_subset(where)).to_numpy())

    return lambda where: loop.run_until_complete(read(where))


def row_for(job: str, found: dict[str, Reader], where: Slices, data: Array, url: str) -> Row:
    """Return one row, with the requests of one reading each."""
    expected = data[where]
    requests: dict[str, float] = {}

    def check(name: str, result: Any) -> None:
        if not np.array_equal(result, expected):
            raise ValueError("the result is wrong")
        count(url)
        found[name](where)
        requests[name] = count(url)

    works = {name: lambda read=read: read(where) for name, read in found.items()}
    return replace(compare(job, works, check=check), extra={"requests": requests})


def count(url: str) -> int:
    """Return the number of requests since the last call."""
    with urllib.request.urlopen(f"{url}/:count") as answer:
        return int(answer.read())


def main(full: bool = False) -> None:
    """Measure, print and save."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for kind, data in table1.images().items():
            location = Path(folder) / kind
            create(location, data, chunks=(64, 64), shards=(512, 512), compressors="zstd:3")
            with served(location) as url:
                found = readers(url)
                rows += [
                    row_for(f"{kind}: {job}", found, where, data, url)
                    for job, where in JOBS.items()
                ]
    save("remote", "Table 4: a server that takes 20 ms more per request", rows, requests_of(rows))


def requests_of(rows: list[Row]) -> str:
    """Return a Markdown table of the number of requests."""
    names = list(rows[0].extra["requests"])
    lines = ["Requests of one reading, the array being open:", ""]
    lines += [f"| job | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for row in rows:
        counts = row.extra["requests"]
        cells = [f"{counts[name]:.0f}" if name in counts else "–" for name in names]
        lines.append(f"| {row.job} | {' | '.join(cells)} |")
    lines += ["", "zarr-python with 64 requests at once; the others as they are."]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
