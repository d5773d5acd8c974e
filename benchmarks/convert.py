"""Converting what a microscope left, by the command of each library: whole processes.

OME-TIFF of (2, 64, 1024, 1024) uint16, stored and compressed, to OME-Zarr 0.5 with a pyramid. Each
has its own defaults. iohub has no command for OME-TIFF of others than Micro-Manager, and
ome-zarr-py none at all, so they are given the file as their documentation says, by tifffile.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile
from _processes import Row, compile_sources, head, measure, rows, save, table_of
from table3 import image

import anyzarr

SHAPE = (2, 64, 1024, 1024)
ROUNDS = 3
TITLE = "Converting OME-TIFF to OME-Zarr"
NOTE = """Whole processes, in turns: (2, 64, 1024, 1024) uint16, 256 MiB, to OME-Zarr 0.5 with a
pyramid, each with its own defaults of levels, chunks, shards and codecs. Memory is that of the
process that was started, pages of mapped files included; not that of its children."""
KINDS = {"stored": None, "zlib": "zlib"}
HEAVY = ["--compressor", "zstd:7"]
"""A codec beside which starting, reading and the pyramid count for little."""


def iohub(source: str, target: str) -> None:
    """Planes by tifffile, levels by iohub."""
    from iohub.ngff import open_ome_zarr
    from iohub.ngff.models import ChannelAxisMeta, SpaceAxisMeta

    data = tifffile.imread(source)
    with open_ome_zarr(
        target,
        layout="fov",
        mode="w-",
        channel_names=["0", "1"],
        axes=[ChannelAxisMeta(name="c"), *(SpaceAxisMeta(name=n) for n in "zyx")],
        version="0.5",
        implementation="tensorstore",
    ) as position:
        position.create_image("0", data)
        position.compute_pyramid(levels=3, method="mean")


def ome_zarr_py(source: str, target: str) -> None:
    """Planes by tifffile and dask."""
    import dask.array
    import zarr
    from ome_zarr.format import FormatV05
    from ome_zarr.writer import write_image

    with tifffile.imread(source, aszarr=True) as store:
        data = dask.array.from_zarr(zarr.open_array(store, mode="r"))
        write_image(data, target, fmt=FormatV05(), axes=list("czyx"))


PEERS: dict[str, Callable[[str, str], None]] = {"iohub": iohub, "ome-zarr-py": ome_zarr_py}


def source_file(folder: Path, compression: str | None) -> Path:
    """Write smooth structure with the noise of a camera."""
    path = folder / f"{compression or 'stored'}.ome.tif"
    first = image(SHAPE[1:])
    with tifffile.TiffWriter(path, bigtiff=True, ome=True) as writer:
        writer.write(
            (plane for channel in (first, first[::-1]) for plane in channel),
            shape=SHAPE,
            dtype="uint16",
            compression=compression,
            predictor=compression is not None,
            photometric="minisblack",
            metadata={"axes": "CZYX", "PhysicalSizeX": 0.5, "PhysicalSizeZ": 0.5},
        )
    return path


def check(source: Path, target: Path) -> None:
    """Raise unless level 0 is the source, and there are more levels."""
    with anyzarr.open_ome_zarr(target) as found:
        if len(found.levels) < 2:
            raise ValueError("there is no pyramid")
        data = found.data[...].reshape(SHAPE)
    if not np.array_equal(data, tifffile.imread(source)):
        raise ValueError("level 0 is not the source")


def commands(source: Path, target: Path) -> dict[str, list[str | Path]]:
    """Return what each library is started with."""
    ours: list[str | Path] = [
        sys.executable, "-m", "anyzarr", "convert", source, target, "--quiet"
    ]  # fmt: skip
    ngff = Path(sys.executable).with_name("ngff-zarr")
    theirs: dict[str, list[str | Path]] = {
        name: [sys.executable, __file__, name, source, target] for name in PEERS
    }
    return {
        "anyzarr": ours,
        "anyzarr --workers 1": [*ours, "--workers", "1"],
        "anyzarr --processes": [*ours, "--processes"],
        "anyzarr --verify": [*ours, "--verify"],
        "ngff-zarr": [ngff, "-q", "-i", source, "-o", target, "--ome-zarr-version", "0.5"],
        **theirs,
    }


def heavy_commands(source: Path, target: Path) -> dict[str, list[str | Path]]:
    """Return what shows how much the second processor does, where the codec dominates."""
    ours = [*commands(source, target)["anyzarr"], *HEAVY]
    return {
        "anyzarr": ours,
        "anyzarr --workers 1": [*ours, "--workers", "1"],
        "anyzarr --processes": [*ours, "--processes"],
    }


def main(full: bool = False) -> None:
    """Measure, print and save."""
    compile_sources()
    lines, tables, failures = head(TITLE, NOTE), {}, {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for kind, compression in KINDS.items():
            source, target = source_file(folder, compression), folder / "out.zarr"

            def right(where: Path, source: Path = source) -> None:
                check(source, where)

            rounds = 2 * ROUNDS + 1 if full else ROUNDS
            jobs = {kind: commands(source, target)}
            if compression is None:
                jobs[f"{kind}, {' '.join(HEAVY)}"] = heavy_commands(source, target)
            for label, started in jobs.items():
                found, failed = measure(started, target, right, rounds)
                table: list[Row] = rows(found)
                lines += [f"### OME-TIFF, {label}", "", *table_of(table, failed), ""]
                tables[label], failures[label] = table, failed
            source.unlink()
    save("convert", TITLE, lines, {"tables": tables, "failed": failures})


if __name__ == "__main__":
    if len(sys.argv) == 4:
        PEERS[sys.argv[1]](*sys.argv[2:])
    else:
        main()
