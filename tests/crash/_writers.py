"""Writers that write until they are killed, and what must hold of what they leave.

``python _writers.py KIND FOLDER`` forks one writer for each number that it reads, which tells its
process id when it is at work; when it is dead, ``ended STATUS`` is printed.
"""

from __future__ import annotations

import os
import resource
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import anyzarr
from anyzarr import crud
from anyzarr.stores import LocalStore

SIDE, SHARD, CHUNK = 192, 64, 16
PAD = "x" * 200_000
OUT_OF_MEMORY = 3  # a status
THREAD_MEGABYTES = 16
NOISE = np.random.default_rng(0).integers(1, 2**31, (6, 256, 256), "i4")


@dataclass(frozen=True)
class Writer:
    """A writer.

    Attributes
    ----------
    prepare
        Makes what is there before.
    steps
        Yields after each write, for ever; is given the number of its first.
    check
        Looks at what is there, given what it returned the last time (None at first), and counts
        what is ``old``, ``new`` and ``torn``.
    """

    prepare: Callable[[Path], Any]
    steps: Callable[[Path, int], Iterator[object]]
    check: Callable[[Path, Any, Counter[str]], Any]


def count_from(number: int) -> Iterator[int]:
    while True:
        yield number
        number += 1


# ------------------------------------------------------------------ regions of many shards


def _array(root: Path, **options: Any) -> None:
    defaults = {"chunks": (CHUNK, CHUNK), "shards": (SHARD, SHARD)}
    anyzarr.create_array(root / "a", data=np.ones((SIDE, SIDE), "i4"), **{**defaults, **options})


def _rewriting(engine: str) -> Callable[[Path, int], Iterator[object]]:
    def steps(root: Path, first: int) -> Iterator[object]:
        array = anyzarr.open_array(root / "a", mode="r+", engine=engine)
        for number in count_from(first):
            yield array.__setitem__(..., number)

    return steps


def _judge(cells: list[Any], found: Counter[str]) -> None:
    """Count cells of one value: of the newest write, or else of the one before it."""
    newest = max(int(cell.max()) for cell in cells)
    for cell in cells:
        value = int(cell.flat[0])
        whole = bool((cell == value).all()) and value >= newest - 1
        found["torn" if not whole else "new" if value == newest else "old"] += 1


def _constant_cells(root: Path, _before: Any, found: Counter[str]) -> Any:
    array = anyzarr.open_array(root / "a")
    _judge([array[region] for region in anyzarr.regions(array)], found)


def _patching(engine: str) -> Callable[[Path, int], Iterator[object]]:
    def steps(root: Path, first: int) -> Iterator[object]:
        array = anyzarr.open_array(root / "a", mode="r+", engine=engine)
        for number in count_from(first):
            yield array.__setitem__((slice(5, -5), slice(5, -5)), number)

    return steps


def _patched_cells(root: Path, _before: Any, found: Counter[str]) -> Any:
    values = anyzarr.open_array(root / "a")[...]
    inside = values[5:-5, 5:-5].copy()
    values[5:-5, 5:-5] = 1
    assert (values == 1).all(), "what was not written has changed"
    edges = [(max(0, at - 5), at + SHARD - 5) for at in range(0, SIDE, SHARD)]
    _judge([inside[a:b, c:d] for a, b in edges for c, d in edges], found)


# ------------------------------------------------------------------ documents


def _group(root: Path) -> None:
    group = anyzarr.create_group(root / "a", attributes={"n": 0, "again": 0})
    for name in "bcd":
        group.create_group(name)


def _updates(root: Path, first: int) -> Iterator[object]:
    group = anyzarr.open_group(root / "a", mode="r+")
    for number in count_from(first):
        yield group.attrs.update(n=number, pad=PAD, again=number)


def _whole_document(root: Path, before: Any, found: Counter[str]) -> Any:
    attributes = anyzarr.open_group(root / "a").attrs
    now = attributes["n"]
    if attributes["again"] != now or (now and attributes["pad"] != PAD):
        found["torn"] += 1
    else:
        found["old" if now == before else "new"] += 1
    return now


def _consolidations(root: Path, first: int) -> Iterator[object]:
    group = anyzarr.open_group(root / "a", mode="r+")
    for number in count_from(first):
        yield group["b"].attrs.update(n=number)
        yield group.consolidate()
        yield group.create_array(f"x{number}", data=np.ones(3), chunks=(1,))
        group.consolidate()
        del group[f"x{number}"]


def _true_copies(root: Path, _before: Any, found: Counter[str]) -> Any:
    store = LocalStore(root / "a")
    differing = crud.consolidated_differences(store)
    found["torn" if differing else "old" if differing is None else "new"] += 1
    for name, document in crud.list_children(store):
        if document["node_type"] == "array":
            values = anyzarr.open_array(root / "a" / name)[...]
            # Created and filled, or being created or deleted: never something else.
            found["torn"] += int(not np.isin(values, (0, 1)).all())


def _series(root: Path) -> None:
    anyzarr.create_array(root / "a", data=np.ones((1, 8, 8), "i4"), chunks=(2, 8, 8))


def _appends(root: Path, first: int) -> Iterator[object]:
    array = anyzarr.open_array(root / "a", mode="r+")
    for number in count_from(first):
        yield array.append(np.full((3, 8, 8), number + 1), axis=0)


def _complete_series(root: Path, before: Any, found: Counter[str]) -> Any:
    values = anyzarr.open_array(root / "a")[...]
    found["torn"] += int((values == 0).sum())
    found["old" if len(values) == before else "new"] += 1
    assert before is None or len(values) >= before
    return len(values)


# ------------------------------------------------------------------ whole hierarchies


def _image(root: Path) -> None:
    for name, values in (("one.zarr", NOISE), ("two.zarr", NOISE + 1)):
        with anyzarr.open_ome_zarr(root / name, mode="w", axes="zyx") as image:
            image.create_image("0", values, chunks=(1, 64, 64), shards=False)
    anyzarr.convert(root / "one.zarr", root / "a")


def _conversions(root: Path, first: int) -> Iterator[object]:
    for number in count_from(first):
        source = ("two.zarr", "one.zarr")[number % 2]
        yield anyzarr.convert(root / source, root / "a", overwrite=True)


def _whole_copy(root: Path, before: Any, found: Counter[str]) -> Any:
    def contents(folder: Path) -> dict[str, bytes]:
        files = (path for path in folder.rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}

    here = contents(root / "a")
    which = [name for name in ("one.zarr", "two.zarr") if here == contents(root / name)]
    found["torn" if not which else "old" if which == before else "new"] += 1
    return which


def _flat_image(root: Path) -> None:
    with anyzarr.open_ome_zarr(root / "a", mode="w", axes="zyx") as image:
        image.create_image("0", np.ones((4, 256, 256), "i4"), chunks=(1, 32, 32), shards=False)
        image.compute_pyramid(3)


def _pyramids(root: Path, first: int) -> Iterator[object]:
    image = anyzarr.open_ome_zarr(root / "a", mode="r+")
    for number in count_from(first):
        image.levels[0][...] = number
        yield image.compute_pyramid(3)


def _flat_chunks(root: Path, _before: Any, found: Counter[str]) -> Any:
    image = anyzarr.open_ome_zarr(root / "a")
    newest = int(image.levels[0][...].max())
    for level in image.levels:
        for region in anyzarr.regions(level):
            cell = np.asarray(level[region])
            value = int(cell.flat[0])
            # Made anew, a level has no chunks at first.
            if (cell != value).any() or value > newest:
                found["torn"] += 1
            else:
                found["new" if value == newest else "old"] += 1


WRITERS: dict[str, Writer] = {
    "attributes": Writer(_group, _updates, _whole_document),
    "consolidated": Writer(_group, _consolidations, _true_copies),
    "append": Writer(_series, _appends, _complete_series),
    "convert": Writer(_image, _conversions, _whole_copy),
    "pyramid": Writer(_flat_image, _pyramids, _flat_chunks),
}
for _engine in ("native", "tensorstore", "zarr", "zarrs", "zarrs-python"):
    WRITERS[f"shards, {_engine}"] = Writer(_array, _rewriting(_engine), _constant_cells)
    WRITERS[f"parts of shards, {_engine}"] = Writer(_array, _patching(_engine), _patched_cells)


# ------------------------------------------------------------------ the program


def limit_memory(megabytes: float) -> None:
    """Let this process have so much more address space than it has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + int(megabytes * (1 << 20))
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def use_up_memory() -> None:
    """Take what memory there is, a little at a time, while others work."""
    taken = []
    while True:
        try:
            taken.append(bytearray(1 << 16))
        except MemoryError:
            time.sleep(0.001)


def write_for_ever(writer: Writer, folder: Path, first: int, memory: float) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    steps = writer.steps(folder, first)
    next(steps)
    sys.stdout.write(f"{os.getpid()}\n")
    sys.stdout.flush()
    if memory:
        thread = threading.Thread(target=use_up_memory, daemon=True)
        limit_memory(memory + THREAD_MEGABYTES)
        thread.start()
    for _ in steps:
        pass


def main(kind: str, folder: Path) -> None:
    """Fork a writer for each line, ``NUMBER MEGABYTES``, and wait for its end."""
    for line in sys.stdin:
        number, memory = line.split()
        pid = os.fork()
        if pid == 0:
            try:
                write_for_ever(WRITERS[kind], folder, int(number), float(memory))
            except BaseException as error:  # noqa: BLE001 - the end of this process
                if not float(memory):
                    sys.excepthook(type(error), error, error.__traceback__)
                os._exit(OUT_OF_MEMORY if float(memory) else 1)
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(f"ended {os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
