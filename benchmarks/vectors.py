"""Points, streamlines and meshes in chunked stores, beside the package zarr-vectors.

Every candidate reads what it wrote itself, in files per chunk and in shards of all chunks. The
geometry is made from a seed: a million points, 2,000 streamlines of 200 vertices, a sphere.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from _measure import Row, Work, compare, save
from remote import Service, served

import anyzarr.vectors as ours

OURS, RAW, THEIRS = "anyzarr", "anyzarr, raw", "zarr-vectors"
EDGE, CHUNK = 1000.0, 100.0
BOUNDS = ([0.0] * 3, [EDGE - 0.05] * 3)
NAMES = ("a", "b", "c")
DELAY_SECONDS = 0.05
NOTE = """
*Raw*: one file per chunk and array; *sharded*: all chunks of an array in one file. Nothing is
compressed. Streamlines and the mesh are stored as each does it by default, ours in shards. Boxes
hold 1 % of the points' volume. Requests are those of one read of a store that was opened before; a
server answers each after 50 ms.
"""

Array = npt.NDArray[Any]
Libraries = Mapping[str, Any]


def peers() -> dict[str, Any]:
    """Return the modules of both packages that have the functions of every geometry."""
    found: dict[str, Any] = {OURS: ours}
    try:
        import zarr_vectors.types.meshes as meshes
        import zarr_vectors.types.points as points
        import zarr_vectors.types.polylines as polylines
    except ImportError:
        return found
    found[THEIRS] = _Theirs(points, polylines, meshes)
    return found


class _Theirs:
    def __init__(self, *modules: Any) -> None:
        for module in modules:
            for name in dir(module):
                if name.startswith(("write_", "read_")):
                    setattr(self, name, getattr(module, name))


def shard_of(name: str, sharded: bool) -> Any:
    """Return the argument that puts all chunks of an array into one shard."""
    if not sharded:
        return None
    return "auto" if name == OURS else round(EDGE / CHUNK)


def with_raw(libraries: Libraries) -> dict[str, Any]:
    """Return the libraries with their own defaults, and ours without its shards too."""
    return {OURS: ours, RAW: ours, **libraries}


def raw_of(name: str) -> dict[str, Any]:
    """Return what is to be said for one file per chunk; it is the default of the package."""
    return {"shard_shape": None} if name == RAW else {}


def files_below(folder: Path) -> int:
    """Return how many files there are."""
    return sum(len(names) for _, _, names in os.walk(folder))


def removing(folder: Path, write: Callable[[Path], object]) -> Callable[[], Path]:
    """Return what writes to a folder that is not there yet; the removal is timed with it."""

    def work() -> Path:
        shutil.rmtree(folder, ignore_errors=True)
        write(folder)
        return folder

    return work


def result_of(found: Any, key: str) -> Any:
    """Return a value of a result, which both packages let be asked for by keys."""
    return found[key]


# ------------------------------------------------------------------ points


def points_rows(folder: Path, libraries: Libraries, count: int) -> list[Row]:
    rng = np.random.default_rng(0)
    positions = rng.uniform(0, EDGE - 0.1, (count, 3)).astype("float32")
    columns = {name: rng.random(count, dtype="float32") for name in NAMES}
    low, high = np.full(3, 100.0), np.full(3, 100.0 + EDGE * 0.01 ** (1 / 3))
    inside = int(((positions >= low) & (positions <= high)).all(axis=1).sum())
    box = (low.tolist(), high.tolist())
    rows = []
    for sharded in (False, True):
        kind = "sharded" if sharded else "raw"
        places = {name: folder / f"points-{kind}-{n}" for n, name in enumerate(libraries)}

        def write(name: str, place: Path, sharded: bool = sharded) -> object:
            return libraries[name].write_points(
                place if name == OURS else str(place), positions, chunk_shape=(CHUNK,) * 3,
                bounds=BOUNDS, vertex_attributes=columns, shard_shape=shard_of(name, sharded),
            )  # fmt: skip

        writes = {
            name: removing(place, lambda at, name=name: write(name, at))
            for name, place in places.items()
        }
        row = compare(f"points, {kind}: write", writes, ours=OURS, rounds=3, seconds=0)
        row.extra["files"] = {name: float(files_below(place)) for name, place in places.items()}
        rows.append(row)
        for what, expected, options in [
            ("all", count, {}),
            ("all, 3 attributes", count, {"attribute_names": list(NAMES)}),
            ("box of 1 %", inside, {"bbox": box}),
            ("box of 1 %, 3 attributes", inside, {"bbox": box, "attribute_names": list(NAMES)}),
        ]:
            reads = read_works("read_points", libraries, places, options)
            rows.append(
                compare(f"points, {kind}: read {what}", reads, ours=OURS,
                        check=has_count("vertex_count", expected))
            )  # fmt: skip
    return rows


def read_works(
    function: str, libraries: Libraries, places: Mapping[str, Path], options: Mapping[str, Any]
) -> dict[str, Work]:
    """Return what reads each one's own store."""
    return {
        name: lambda name=name: getattr(libraries[name], function)(str(places[name]), **options)
        for name in libraries
    }


def has_count(key: str, expected: int, least: bool = False) -> Callable[[str, object], None]:
    """Return the check of how many there are of something."""

    def check(name: str, found: Any) -> None:
        count = result_of(found, key)
        right = count >= expected if least else count == expected
        assert right, f"{count} of {expected} are there ({key})"

    return check


def remote_rows(folder: Path, libraries: Libraries) -> list[Row]:
    """Read boxes of the points that are there over HTTP."""
    low, high = [100.0] * 3, [100.0 + EDGE * 0.01 ** (1 / 3)] * 3
    options = {"bbox": (low, high), "attribute_names": list(NAMES)}
    rows = []
    with served(folder, DELAY_SECONDS) as address:
        service = Service("HTTP", address, "")
        for kind in ("raw", "sharded"):
            urls = {name: f"{address}/points-{kind}-{n}" for n, name in enumerate(libraries)}
            works = {
                name: lambda name=name, urls=urls: libraries[name].read_points(
                    urls[name], backend="obstore" if name == OURS else "fsspec", **options
                )
                for name in libraries
            }
            requests: dict[str, float] = {}
            for name, work in works.items():
                try:
                    work()
                    service.count()
                    work()
                except Exception:  # noqa: BLE001, compare says why it cannot
                    continue
                requests[name] = float(service.count())
            row = compare(f"points, {kind}, HTTP: read box, 3 attributes", works, ours=OURS,
                          rounds=3, seconds=0)  # fmt: skip
            row.extra["requests"] = requests
            rows.append(row)
    return rows


# ------------------------------------------------------------------ streamlines


def streamlines(count: int, length: int) -> list[Array]:
    """Return paths that bend a little, of about half the volume's edge, reflected at its faces."""
    rng = np.random.default_rng(1)
    turns = rng.normal(0, 0.05, (count, length, 3)).cumsum(axis=1) + rng.normal(size=(count, 1, 3))
    steps = EDGE / 2 / length * turns / np.linalg.norm(turns, axis=2, keepdims=True)
    paths = rng.uniform(0, EDGE, (count, 1, 3)) + steps.cumsum(axis=1)
    inside = EDGE / 2 - np.abs(np.abs(paths) % (2 * EDGE) / 2 - EDGE / 2)
    return list(np.clip(2 * inside, 0, EDGE - 0.1).astype("float32"))


def polyline_rows(folder: Path, libraries: Libraries, count: int) -> list[Row]:
    lines = streamlines(count, 200)
    low, high = [450.0] * 3, [550.0] * 3
    touched = sum(bool(((line >= low) & (line <= high)).all(axis=1).any()) for line in lines)
    libraries = with_raw(libraries)
    places = {name: folder / f"lines-{n}" for n, name in enumerate(libraries)}

    def write(name: str, place: Path) -> object:
        return libraries[name].write_polylines(
            str(place), lines, chunk_shape=(CHUNK,) * 3, bounds=BOUNDS,
            **raw_of(name),
        )  # fmt: skip

    writes = {
        name: removing(place, lambda at, name=name: write(name, at))
        for name, place in places.items()
    }
    rows = [compare(f"{count} streamlines: write", writes, ours=OURS, rounds=3, seconds=0)]
    for n_ids in (1, 100, count):
        ids = list(range(0, count, count // n_ids))
        reads = read_works("read_polylines", libraries, places, {"object_ids": ids})
        rows.append(
            compare(f"{count} streamlines: read {n_ids} by id", reads, ours=OURS,
                    check=has_count("polyline_count", len(ids), least=True))
        )  # fmt: skip
    reads = read_works("read_polylines", libraries, places, {"bbox": (low, high)})
    rows.append(
        compare(f"{count} streamlines: read a box", reads, ours=OURS,
                check=has_count("polyline_count", touched, least=True))
    )  # fmt: skip
    return rows


# ------------------------------------------------------------------ meshes


def sphere(rows: int, columns: int) -> tuple[Array, Array]:
    """Return vertices and faces of a grid on a sphere."""
    u, v = np.meshgrid(np.linspace(0.1, 3.04, rows), np.linspace(0, 6.2, columns), indexing="ij")
    unit = np.stack([np.sin(u) * np.cos(v), np.sin(u) * np.sin(v), np.cos(u)], axis=-1)
    number = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = number[:-1, :-1], number[1:, :-1], number[:-1, 1:], number[1:, 1:]
    faces = np.concatenate([np.stack([a, b, c], -1), np.stack([b, d, c], -1)]).reshape(-1, 3)
    return (unit.reshape(-1, 3) * 450 + 500).astype("float32"), faces.astype("int64")


def mesh_rows(folder: Path, libraries: Libraries) -> list[Row]:
    vertices, faces = sphere(39, 40)
    libraries = with_raw(libraries)
    places = {name: folder / f"mesh-{n}" for n, name in enumerate(libraries)}

    def write(name: str, place: Path) -> object:
        return libraries[name].write_mesh(
            str(place), vertices, faces, chunk_shape=(CHUNK,) * 3, bounds=BOUNDS,
            **raw_of(name),
        )  # fmt: skip

    writes = {
        name: removing(place, lambda at, name=name: write(name, at))
        for name, place in places.items()
    }
    reads = read_works("read_mesh", libraries, places, {})
    check = has_count("face_count", len(faces))
    return [
        compare(f"mesh of {len(faces)} faces: write", writes, ours=OURS, rounds=3, seconds=0),
        compare(f"mesh of {len(faces)} faces: read", reads, ours=OURS, check=check, seconds=0),
    ]


def main(full: bool = False) -> None:
    libraries = peers()
    warnings.simplefilter("ignore")  # of zarr-python, about data types without a specification
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = points_rows(folder, libraries, 1_000_000)
        rows += remote_rows(folder, libraries)
        rows += polyline_rows(folder, libraries, 20_000 if full else 2_000)
        rows += mesh_rows(folder, libraries)
    save("vectors", "Vectors, milliseconds", rows, NOTE)


if __name__ == "__main__":
    main()
