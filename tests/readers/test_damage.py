"""Whatever happens to a file, it is read, or refused by an error of ours."""

from __future__ import annotations

import logging
import math
import random
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anyzarr.errors import AnyzarrError
from anyzarr.readers import reader_for

from . import _lif_writer, _nd2_writer

DATA = Path(__file__).parents[1] / "data"
N_TIMES = 40
NEEDS = {
    ".nd2": "nd2", ".lif": "liffile", ".czi": "czifile", ".h5": "h5py", ".gz": "nibabel",
    ".nii": "nibabel", ".png": "imagecodecs", ".jpg": "imagecodecs",
}  # fmt: skip


def volume(*shape: int, dtype: str = "i2") -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).integers(0, 99, shape).astype(dtype)


def write(path: Path) -> None:
    """Write a whole file of the format of a name."""
    match path.name:
        case "a.nd2":
            _nd2_writer.write(path, volume(3, 20, 30, 2, dtype="u2"), {"Z": 3})
        case "deflated.nd2":
            values = volume(3, 20, 30, 2, dtype="u2")
            _nd2_writer.write(path, values, {"T": 3}, compressed=True)
        case "a.lif":
            _lif_writer.write(path, (volume(2, 4, 30, 20, dtype="u2"), "CZYX", {}))
        case "a.czi":
            path.write_bytes((DATA / "libczi-scenes.czi").read_bytes())
        case "a.map.bz2":
            path.write_bytes((DATA / "EMD-3197.map.bz2").read_bytes())
        case "a.npy":
            np.save(path, volume(3, 20, 30))
        case "a.npz":
            np.savez_compressed(path, raw=volume(3, 20, 30))
        case "a.h5":
            import h5py

            with h5py.File(path, "w") as file:
                file.create_dataset("raw", data=volume(3, 20, 30), chunks=True, compression="gzip")
        case "a.nii" | "a.nii.gz":
            import nibabel

            nibabel.save(nibabel.Nifti1Image(volume(20, 30, 3), np.eye(4)), path)
        case _:
            import imagecodecs

            encode = imagecodecs.png_encode if path.suffix == ".png" else imagecodecs.jpeg8_encode
            path.write_bytes(encode(volume(20, 30, 3, dtype="u1")))


def damaged(whole: bytes, chance: random.Random) -> bytes:
    """Return a file cut off, or with some bytes of its beginning or anywhere changed."""
    if chance.random() < 0.2:
        return whole[: chance.randrange(len(whole))]
    raw = bytearray(whole)
    limit = chance.choice([len(raw), min(len(raw), 3000)])
    for _ in range(chance.choice([1, 3, 10])):
        raw[chance.randrange(limit)] = chance.choice([0, 255, chance.randrange(256)])
    return bytes(raw)


def read_all(kind: Any, path: Path) -> None:
    source = kind.open(path)
    try:
        for index in range(min(len(source), 4)):
            shape = source.image(index).shape
            if math.prod(shape) < 10_000_000:
                assert source.read(index, tuple(slice(0, n) for n in shape)).shape == shape
    finally:
        source.close()


@pytest.mark.parametrize(
    "name",
    ["a.nd2", "deflated.nd2", "a.lif", "a.czi", "a.map.bz2", "a.npy", "a.npz", "a.h5", "a.nii",
     "a.nii.gz", "a.png", "a.jpg"],
)  # fmt: skip
def test_damaged_files(tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    if module := NEEDS.get(Path(name).suffix):
        pytest.importorskip(module, minversion="2026" if module == "czifile" else None)
    caplog.set_level(logging.CRITICAL)
    path = tmp_path / name
    write(path)
    kind = reader_for(path)
    read_all(kind, path)
    whole, chance, n_refused = path.read_bytes(), random.Random(name), 0
    for _ in range(N_TIMES):
        path.write_bytes(damaged(whole, chance))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of libraries, about the damage
            try:
                read_all(kind, path)
            except AnyzarrError:
                n_refused += 1
    assert n_refused > N_TIMES // 10
