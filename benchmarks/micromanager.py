"""Converting an NDTiff data set of 256 MiB, what Micro-Manager 2 writes, to OME-Zarr 0.5.

Whole processes with their peak memory, as in ``pyramid.py``.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from _micromanager_jobs import JOBS
from _processes import compile_sources, head, measure, rows, save, table_of
from table3 import image

import anyzarr

SIZES = {"time": 2, "channel": 2, "z": 32}
PLANE = (1024, 1024)
CHANNELS = ("DAPI", "GFP")
ROUNDS = 5
SCRIPT = Path(__file__).with_name("_micromanager_jobs.py")
TITLE = "Converting NDTiff (2, 2, 32, 1024, 1024) uint16 to OME-Zarr"
NOTE = """Whole processes, in turns, each with its own defaults of chunks, shards and codecs (iohub:
no shards). iohub writes level 0 alone, so the first row does as well; the second has all levels."""


def expected() -> np.ndarray:
    """Return the pixels: smooth structure with the noise of a camera."""
    volume = image((SIZES["z"], *PLANE))
    return np.array([[np.roll(volume, 7 * t + c, -1) for c in range(2)] for t in range(2)])


def source_folder(folder: Path, pixels: np.ndarray) -> Path:
    """Write the data set with the ndtiff package."""
    from ndtiff import NDTiffDataset, ndtiff_file

    ndtiff_file.MAX_FILE_SIZE = 1 << 30  # so much is allotted at once
    summary = {"PixelSize_um": 0.325, "z-step_um": 2.0}
    dataset = NDTiffDataset(str(folder), summary_metadata=summary, writable=True, name="run")
    for t, c, z in np.ndindex(*SIZES.values()):
        place = {"time": t, "channel": CHANNELS[c], "z": z}
        dataset.put_image(place, pixels[t, c, z], {"ZPosition_um_Intended": 2.0 * z})
    dataset.finish()
    dataset.close()
    return folder / "run_1"


def check(target: Path, pixels: np.ndarray) -> None:
    """Raise unless the pixels are those of the source."""
    with anyzarr.open_ome_zarr(target) as found:
        image = next(iter(found.positions()))[1] if hasattr(found, "positions") else found
        if not np.array_equal(image.data[1], pixels[1]):
            raise ValueError("the pixels are not those of the source")


def main(full: bool = False) -> None:
    """Measure, print and save."""
    compile_sources()
    with tempfile.TemporaryDirectory() as name:
        pixels, target = expected(), Path(name, "out.zarr")
        source = source_folder(Path(name, "in"), pixels)
        commands = {job: [sys.executable, SCRIPT, job, source, target] for job in JOBS}
        rounds = 2 * ROUNDS + 1 if full else ROUNDS
        found, failed = measure(commands, target, lambda where: check(where, pixels), rounds)
    table = rows(found)
    lines = head(TITLE, NOTE) + table_of(table, failed)
    save("micromanager", TITLE, lines, {"rows": table, "failed": failed})


if __name__ == "__main__":
    main()
