"""Converting an image of (2, 64, 1024, 1024) uint16 to OME-Zarr 0.5 with a mean pyramid.

Whole processes: starting the interpreter and importing the library count, as they do for whoever
runs a script. Peak memory is what the system says of the process when it has ended, pages of the
mapped source file included.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from _convert_jobs import AXES, JOBS, LEVELS
from _processes import compile_sources, head, measure, rows, save, table_of
from table3 import image

import anyzarr

SHAPE = (2, 64, 1024, 1024)
ROUNDS = 5
TITLE = "Converting (2, 64, 1024, 1024) uint16 to OME-Zarr with a mean pyramid"
NOTE = """Whole processes, in turns, from a .npy file of 256 MiB to three levels, each with its own
defaults of chunks, shards and codecs. yaozarrs makes no pyramids; its levels come from tensorstore.
Of the shorter times a good part is starting the interpreter and importing the library."""


def source_file(folder: Path) -> Path:
    """Write smooth structure with the noise of a camera."""
    path = folder / "image.npy"
    array = np.lib.format.open_memmap(path, "w+", np.uint16, SHAPE)
    for channel in range(SHAPE[0]):
        array[channel] = image(SHAPE[1:])[:: 1 if channel == 0 else -1]
    array.flush()
    return path


def check(source: Path, target: Path) -> None:
    """Raise unless level 0 is the source, and level 1 a mean of it."""
    data = np.load(source, mmap_mode="r")
    with anyzarr.open_ome_zarr(target) as found:
        levels = found.levels
        if found.axis_names != list(AXES) or len(levels) != LEVELS:
            raise ValueError(f"{len(levels)} levels of axes {found.axis_names}")
        for index, level in enumerate(levels):
            shape = (SHAPE[0], *(n >> index for n in SHAPE[1:]))
            if level.shape != shape:
                raise ValueError(f"level {index} has shape {level.shape}, not {shape}")
        if not np.array_equal(levels[0][:, 20:24], data[:, 20:24]):
            raise ValueError("level 0 is not the source")
        means = data[:, 20:22].reshape(2, 1, 2, 512, 2, 512, 2).mean(axis=(2, 4, 6))
        if np.abs(levels[1][:, 10:11] - means).max() > 1:
            raise ValueError("level 1 is no mean of level 0")


def main(full: bool = False) -> None:
    """Measure, print and save."""
    compile_sources()
    script = Path(__file__).with_name("_convert_jobs.py")
    with tempfile.TemporaryDirectory() as folder:
        source, target = source_file(Path(folder)), Path(folder, "out.zarr")
        commands = {name: [sys.executable, script, name, source, target] for name in JOBS}
        rounds = 2 * ROUNDS + 1 if full else ROUNDS
        found, failed = measure(commands, target, lambda where: check(source, where), rounds)
    table = rows(found)
    lines = head(TITLE, NOTE) + table_of(table, failed)
    save("pyramid", TITLE, lines, {"rows": table, "failed": failed})


if __name__ == "__main__":
    main()
