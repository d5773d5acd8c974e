"""A program that writes in every way there is to a place that refuses, and says what came of it.

``python _refusals.py HOW FOLDER``; ``HOW`` is ``permissions`` (as root it becomes another user),
``full`` (the folder is a small file system of its own) or ``limit`` (of the size of files). It
prints one JSON document: for each way of writing, the error, and what has changed in the folder.
"""

from __future__ import annotations

import importlib.util
import json
import os
import resource
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import anyzarr
from anyzarr import config
from anyzarr.errors import AnyzarrError
from anyzarr.stores import find_debris

LIMIT_BYTES = 128 << 10
NOBODY = 65534
MODULES = {
    "native": "anyzarr_native",
    "tensorstore": "tensorstore",
    "zarr": "zarr",
    "zarrs": "zarrista",
    "zarrs-python": "zarrs",
}
BIG = {"big": "x" * (3 * LIMIT_BYTES)}
SHAPE = (4, 512, 512)


def engines() -> list[str]:
    """The engines that are installed."""
    return [name for name, module in MODULES.items() if importlib.util.find_spec(module)]


def noise(seed: int) -> Any:
    """A megabyte that no codec makes smaller."""
    return np.random.default_rng(seed).integers(0, 256, SHAPE, "u1")


@dataclass(frozen=True)
class Write:
    """A way of writing: what is there before, and what is refused."""

    prepare: Callable[[Path], Any]
    act: Callable[[Path, Any], Any]
    only: str | None = None


def _array(engine: str, **options: Any) -> Write:
    def prepare(root: Path) -> Any:
        array = anyzarr.create_array(root / "a", data=noise(0), engine=engine, **options)
        array[...]  # what is loaded on first use is there
        return array

    def act(_root: Path, array: Any) -> None:
        array[...] = noise(1)

    return Write(prepare, act)


def _group(root: Path) -> Any:
    group = anyzarr.create_group(root / "g", attributes={"k": 1})
    for number in range(4):
        group.create_group(f"{number}", attributes={"some": "x" * (LIMIT_BYTES // 2)})
    return group


def _documented(root: Path) -> Any:
    return anyzarr.create_array(root / "a", data=noise(0), chunks=SHAPE, attributes=BIG)


def _image(root: Path) -> Any:
    with anyzarr.open_ome_zarr(root / "i.zarr", mode="w", axes="zyx") as image:
        image.create_image("0", noise(0), chunks=(2, 512, 512), shards=False)
    return anyzarr.open_ome_zarr(root / "i.zarr", mode="r+")


def _converted(name: str) -> Write:
    def prepare(root: Path) -> None:
        _image(root)
        anyzarr.convert(root / "i.zarr", root / name)

    def act(root: Path, _: Any) -> None:
        anyzarr.convert(root / "i.zarr", root / name, overwrite=True)

    return Write(prepare, act)


def _archive(root: Path) -> None:
    _direct(root, 0)


def _direct(root: Path, value: Any) -> None:
    overwrite = {} if value == 0 else {"overwrite": True}
    with anyzarr.open_ome_zarr(root / "d.ozx", mode="w", axes="zyx", **overwrite) as image:
        image.create_image("0", noise(value or 1), chunks=(1, 64, 64), shards=False)


def _plate(root: Path) -> Any:

    with anyzarr.open_ome_zarr(root / "p.zarr", mode="w", layout="hcs", axes="zyx") as plate:
        position = plate.create_position("A", "1", "0")
        position.create_image("0", noise(0), chunks=SHAPE)
    return anyzarr.open_ome_zarr(root / "p.zarr", mode="r+")


WRITES: dict[str, Write] = {
    "attributes": Write(_group, lambda _, group: group.attrs.update(BIG)),
    "group": Write(_group, lambda _, group: group.create_group("new", attributes=BIG)),
    "array": Write(
        _group, lambda _, g: g.create_array("new", shape=(1,), dtype="u1", attributes=BIG)
    ),
    "consolidate": Write(_group, lambda _, group: group.consolidate()),
    "resize": Write(_documented, lambda _, array: array.resize((8, 512, 512))),
    "append": Write(_documented, lambda _, array: array.append(noise(1), axis=0)),
    "delete": Write(_group, lambda _, group: group.__delitem__("0"), only="permissions"),
    "pyramid": Write(_image, lambda _, image: image.compute_pyramid(2)),
    "convert": _converted("c.zarr"),
    "pack": _converted("c.ozx"),
    "direct archive": Write(_archive, _direct),
    "rename wells": Write(
        _plate, lambda _, plate: plate.rename_wells({"A/1": "B/2"}), only="permissions"
    ),
    "preview": Write(
        _image,
        lambda root, _: anyzarr.preview(root / "i.zarr", root / "x.png"),
        only="permissions",
    ),
}
for _name in engines():
    WRITES[f"chunk, {_name}"] = _array(_name, chunks=SHAPE)
    WRITES[f"shard, {_name}"] = _array(_name, chunks=(1, 128, 128), shards=SHAPE)


def content(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }


def attempt(write: Write, root: Path, prepared: Any) -> dict[str, Any]:
    before = content(root)
    found: dict[str, Any] = {"error": None}
    try:
        write.act(root, prepared)
    except AnyzarrError as error:
        names = ("kind", "store", "key", "path")
        found = {"error": type(error).__name__, "message": str(error)}
        found |= {name: getattr(error, name, None) for name in names}
    except Exception as error:  # noqa: BLE001 - told to the test
        found = {"error": type(error).__name__, "message": str(error)}
    after = content(root)
    return found | {
        "changed": sorted(key for key in before if after.get(key) != before[key]),
        "added": sorted(after.keys() - before.keys()),
        "debris": [item.path for item in find_debris(root)],
    }


def refuse(how: str, folder: Path) -> None:
    """Let the system refuse whatever is written from now on."""
    if how == "limit":
        resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT_BYTES, LIMIT_BYTES))
    elif how == "full":
        fill(folder / "filler", LIMIT_BYTES)
    else:
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o555 if path.is_dir() else 0o444)
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)


def fill(path: Path, leave: int) -> None:
    """Fill a file system up, and leave a little."""
    status = os.statvfs(path.parent)
    with path.open("wb") as file:
        file.write(bytes(max(0, status.f_bavail * status.f_frsize - leave)))


def main(how: str, folder: Path) -> None:
    """Prepare everything, be refused everything, and print what came of it."""
    chosen = {name: write for name, write in WRITES.items() if write.only in (None, how)}
    # What a way of writing loads on first use, it loads here: another user may not read it.
    warm = folder / "warm"
    for number, write in enumerate(chosen.values()):
        root = warm / str(number)
        root.mkdir(parents=True)
        write.act(root, write.prepare(root))
    shutil.rmtree(warm)
    places = {name: folder / f"{number}" for number, name in enumerate(chosen)}
    prepared = {}
    for name, write in chosen.items():
        places[name].mkdir()
        prepared[name] = write.prepare(places[name])
    locks = folder.parent / f"locks-{how}"
    locks.mkdir(mode=0o700)
    if how == "permissions" and os.geteuid() == 0:
        os.chown(locks, NOBODY, NOBODY)
    refuse(how, folder)
    with config.scope(lock_folder=str(locks)):
        results = {n: attempt(w, places[n], prepared[n]) for n, w in chosen.items()}
    sys.stdout.write(json.dumps(results))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
