"""Converting one .npy file to OME-Zarr with a mean pyramid: one process, one library.

    python _convert_jobs.py LIBRARY SOURCE TARGET

Everyone makes three levels by (1, 2, 2, 2), maps the file where it can, and otherwise has its own
defaults. Seconds and megabytes are taken by whoever starts the process.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

AXES = "czyx"
SCALE = (1.0, 0.5, 0.5, 0.5)
LEVELS = 3


def anyzarr(source: str, target: str) -> None:
    import anyzarr

    anyzarr.convert(source, target, axes=AXES, levels=LEVELS)


def anyzarr_api(source: str, target: str) -> None:
    """The same in two steps, as one does with an array that is there."""
    import anyzarr

    data = np.load(source, mmap_mode="r")
    with anyzarr.open_ome_zarr(target, mode="w-", axes=AXES) as image:
        image.create_image("0", data, scale=SCALE)
        image.compute_pyramid(LEVELS)


def iohub_with(implementation: str) -> Callable[[str, str], None]:
    def work(source: str, target: str) -> None:
        from iohub.ngff import open_ome_zarr
        from iohub.ngff.models import ChannelAxisMeta, SpaceAxisMeta

        data = np.load(source, mmap_mode="r")
        with open_ome_zarr(
            target,
            layout="fov",
            mode="w-",
            channel_names=[str(i) for i in range(data.shape[0])],
            axes=[ChannelAxisMeta(name="c"), *(SpaceAxisMeta(name=n) for n in "zyx")],
            version="0.5",
            implementation=implementation,
        ) as position:
            position.create_image("0", data)
            position.compute_pyramid(levels=LEVELS, method="mean")

    return work


def ome_zarr_py(source: str, target: str) -> None:
    from ome_zarr.format import FormatV05
    from ome_zarr.scale import Methods
    from ome_zarr.writer import write_image

    data = np.load(source, mmap_mode="r")
    factors = [{"z": f, "y": f, "x": f} for f in (2, 4)]
    write_image(
        data,
        target,
        scale_factors=factors,
        method=Methods.LOCAL_MEAN,
        fmt=FormatV05(),
        axes=list(AXES),
    )


def ngff_zarr_with(*, tensorstore: bool) -> Callable[[str, str], None]:
    def work(source: str, target: str) -> None:
        import ngff_zarr

        data = np.load(source, mmap_mode="r")
        scale = dict(zip(AXES, SCALE, strict=True))
        image = ngff_zarr.to_ngff_image(data, dims=list(AXES), scale=scale)
        multiscales = ngff_zarr.to_multiscales(
            image,
            scale_factors=[{"z": 2, "y": 2, "x": 2}, {"z": 4, "y": 4, "x": 4}],
            method=ngff_zarr.Methods.DASK_BIN_SHRINK,
        )
        ngff_zarr.to_ngff_zarr(target, multiscales, version="0.5", use_tensorstore=tensorstore)

    return work


def yaozarrs(source: str, target: str) -> None:
    """It makes no pyramids, so its levels come from the fastest that does."""
    import tensorstore
    from yaozarrs import v05
    from yaozarrs.write.v05 import write_image

    levels = [np.load(source, mmap_mode="r")]
    for _ in range(LEVELS - 1):
        finer = tensorstore.array(levels[-1])
        levels.append(tensorstore.downsample(finer, [1, 2, 2, 2], "mean").read().result())
    datasets = []
    for index in range(LEVELS):
        factor = 2**index
        scale = [SCALE[0], *(s * factor for s in SCALE[1:])]
        moved = [0.0, *((factor - 1) / 2 * s for s in SCALE[1:])]
        transforms = [
            v05.ScaleTransformation(scale=scale),
            v05.TranslationTransformation(translation=moved),
        ]
        datasets.append(v05.Dataset(path=str(index), coordinateTransformations=transforms))
    axes = [v05.ChannelAxis(name="c"), *(v05.SpaceAxis(name=n, unit="micrometer") for n in "zyx")]
    image = v05.Image(multiscales=[v05.Multiscale(axes=axes, datasets=datasets)])
    write_image(target, image, levels)


JOBS: dict[str, Callable[[str, str], None]] = {
    "anyzarr": anyzarr,
    "anyzarr, two steps": anyzarr_api,
    "iohub (tensorstore)": iohub_with("tensorstore"),
    "iohub (zarr)": iohub_with("zarr-python"),
    "ome-zarr-py": ome_zarr_py,
    "ngff-zarr": ngff_zarr_with(tensorstore=False),
    "ngff-zarr (tensorstore)": ngff_zarr_with(tensorstore=True),
    "yaozarrs": yaozarrs,
}

if __name__ == "__main__":
    name, source, target = sys.argv[1:]
    assert Path(source).is_file()
    JOBS[name](source, target)
