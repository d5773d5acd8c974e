"""The main job, end to end, on real microscopy images that ship inside scikit-image.

Each image is written as OME-TIFF, converted to OME-Zarr with a pyramid, packed into one .ozx
file, and read back through every engine from both, with every value compared. Nothing is
downloaded. Run it with ``make demo``, or::

    python examples/demo.py [OUTPUT_FOLDER]
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import skimage.color
import skimage.data
import tifffile
from rich import box
from rich.console import Console
from rich.table import Table

import anyzarr

REPEATS = 5


@dataclass(frozen=True)
class Sample:
    """An image to start from.

    Attributes
    ----------
    name
        Name of its files.
    pixels
        Values as they are written to the TIFF.
    axes
        One letter per dimension, as tifffile names them (``S`` for colour samples).
    pixel_size_um
        Width of a pixel, or None where nobody knows.
    channels
        Channel names and their colours, six hex digits.
    about
        What it shows.
    """

    name: str
    pixels: npt.NDArray[np.generic]
    axes: str
    pixel_size_um: float | None
    channels: dict[str, str]
    about: str


@dataclass(frozen=True)
class Reading:
    """How an engine read an image from a store."""

    engine: str
    store: str
    milliseconds: float
    equal: bool
    refused: str = ""


def samples() -> list[Sample]:
    """Return the three images, each of another kind: channels, one plane, colour."""
    tissue = skimage.data.immunohistochemistry()
    return [
        Sample(
            "tissue",
            stains(tissue),
            "CYX",
            0.5,
            {"Hematoxylin": "5070FF", "DAB": "FF9030"},
            "colon tissue, two stains separated by colour deconvolution (pixel size nominal)",
        ),
        Sample(
            "cell",
            skimage.data.cell(),
            "YX",
            0.107,
            {"Phase": "FFFFFF"},
            "a cell floating in saline, quantitative phase",
        ),
        Sample("retina", skimage.data.retina(), "YXS", None, {}, "human retina, colour"),
    ]


def stains(tissue: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint16]:
    """Return the amounts of hematoxylin and DAB as ``(C, Y, X)`` of uint16."""
    amounts = np.moveaxis(skimage.color.rgb2hed(tissue), -1, 0)[[0, 2]]
    return np.rint(np.clip(amounts, 0, None) * 40_000).astype("uint16")


def write_tiff(sample: Sample, path: Path) -> None:
    """Write the image as OME-TIFF, as a microscope's software would."""
    metadata: dict[str, object] = {"axes": sample.axes, "Name": sample.name}
    if sample.channels:
        metadata["Channel"] = {
            "Name": list(sample.channels),
            "Color": [ome_color(digits) for digits in sample.channels.values()],
        }
    if sample.pixel_size_um is not None:
        metadata |= {f"PhysicalSize{axis}": sample.pixel_size_um for axis in "XY"}
        metadata |= {f"PhysicalSize{axis}Unit": "µm" for axis in "XY"}
    colour = "rgb" if sample.axes.endswith("S") else "minisblack"
    tifffile.imwrite(path, sample.pixels, ome=True, photometric=colour, metadata=metadata)


def ome_color(digits: str) -> int:
    """Return a colour as OME-XML has it: red, green, blue, alpha in a signed 32-bit integer."""
    return int.from_bytes(bytes.fromhex(f"{digits}FF"), "big", signed=True)


def expected_values(sample: Sample) -> npt.NDArray[np.generic]:
    """Return what OME-Zarr must hold, ``(C, Y, X)``: colour samples are channels there."""
    if sample.axes.endswith("S"):
        return np.moveaxis(sample.pixels, -1, 0)
    return sample.pixels if "C" in sample.axes else sample.pixels[np.newaxis]


def read_back(sample: Sample, location: Path, engine: str) -> Reading:
    """Read level 0 through one engine, check every value, and time it."""
    store = "ozx" if location.suffix == ".ozx" else "folder"
    try:
        array = anyzarr.open_ome_zarr(location, engine=engine).data
        values = array[...]
    except anyzarr.UnsupportedError as error:
        return Reading(engine, store, float("nan"), False, str(error))
    equal = values.dtype == sample.pixels.dtype and np.array_equal(values, expected_values(sample))
    return Reading(engine, store, median_ms(lambda: array[...]), equal)


def median_ms(work: Callable[[], object]) -> float:
    """Return the median time of a few runs in milliseconds."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1000


def table_of(readings: dict[str, list[Reading]]) -> Table:
    """Return the table engine × store × time, one column of times per image."""
    title = f"Full resolution read back, median of {REPEATS} in ms"
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", title_style="bold")
    table.add_column("engine")
    table.add_column("store")
    for name in readings:
        table.add_column(name, justify="right")
    table.add_column("equal")
    for row in zip(*readings.values(), strict=True):
        equal = all(reading.equal for reading in row)
        refused = next((reading.refused for reading in row if reading.refused), "")
        verdict = "[green]yes[/green]" if equal else f"[red]no[/red] {refused}"
        times = [f"{reading.milliseconds:.2f}" for reading in row]
        table.add_row(row[0].engine, row[0].store, *times, verdict)
    return table


def process(sample: Sample, folder: Path) -> tuple[dict[str, Path], list[Reading]]:
    """Take one image all the way; return its files and how it was read back."""
    files = {
        "tiff": folder / f"{sample.name}.ome.tif",
        "folder": folder / f"{sample.name}.ome.zarr",
        "ozx": folder / f"{sample.name}.ozx",
        "preview": folder / f"{sample.name}.png",
    }
    write_tiff(sample, files["tiff"])
    anyzarr.convert(files["tiff"], files["folder"])
    anyzarr.convert(files["folder"], files["ozx"])
    anyzarr.preview(files["ozx"], files["preview"])
    readings = [
        read_back(sample, files[store], engine)
        for engine in anyzarr.list_engines()
        for store in ("folder", "ozx")
    ]
    return files, readings


def main() -> int:
    """Run the demo; return 1 if any value differs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("output", nargs="?", default="demo-output", type=Path)
    folder = parser.parse_args().output
    for name in ("tissue", "cell", "retina"):  # only what an earlier run left
        shutil.rmtree(folder / f"{name}.ome.zarr", ignore_errors=True)
        (folder / f"{name}.ozx").unlink(missing_ok=True)
    folder.mkdir(parents=True, exist_ok=True)

    console = Console(highlight=False)
    readings: dict[str, list[Reading]] = {}
    files: dict[str, dict[str, Path]] = {}
    for sample in samples():
        console.print(f"[bold]{sample.name}[/bold]  {sample.about}", soft_wrap=True)
        files[sample.name], readings[sample.name] = process(sample, folder)
        image = anyzarr.open_ome_zarr(files[sample.name]["folder"])
        shapes = ", ".join(" × ".join(map(str, level.shape)) for level in image.levels)
        console.print(f"  [dim]OME-TIFF → OME-Zarr ({shapes}) → .ozx → preview[/dim]")
    console.print()
    console.print(table_of(readings))
    for name, paths in files.items():
        console.print(f"\n[bold]{name}[/bold]")
        for kind, path in paths.items():
            console.print(f"  [dim]{kind:<8}[/dim] {path.resolve()}", soft_wrap=True)
    different = [r for rows in readings.values() for r in rows if not r.equal]
    if different:
        console.print("\n[red]Some values differ, or an engine could not read; see above.[/red]")
        return 1
    console.print("\n[green]Every engine read equal values from every folder and .ozx.[/green]")
    program = Path(sys.executable).with_name("anyzarr")
    console.print(
        f"Look further: {program} info {files['tissue']['ozx'].resolve()}", soft_wrap=True
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
