"""Readers of other packages, and what is said where the package of a format is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import anyzarr
from anyzarr.errors import MissingDependencyError
from anyzarr.ome import open_ome_zarr
from anyzarr.readers import list_readers

PLUGIN = """
import numpy as np
from anyzarr.ome import axes_of
from anyzarr.readers import ReaderKind, SourceImage

class Source:
    documents = {}
    def __init__(self, path, axes=None):
        self.files = [path]
        self._values = np.frombuffer(path.read_bytes(), "u1").reshape(-1, 10)
    def __len__(self):
        return 1
    def image(self, index):
        return SourceImage("of a plug-in", self._values.shape, self._values.dtype,
                           axes_of("yx"), (2.0, 1.0))
    def read(self, index, region):
        return self._values[region]
    def close(self):
        pass

KIND = ReaderKind("tens", (".tens",), (), Source)
"""


def test_a_package_brings_a_reader(tmp_path: Path) -> None:
    (tmp_path / "tens_reader.py").write_text(PLUGIN)
    info = tmp_path / "tens_reader-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tens-reader\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[anyzarr.readers]\ntens = tens_reader:KIND\nbroken = absent_module:KIND\n"
    )
    (tmp_path / "a.tens").write_bytes(bytes(range(200)))
    script = (
        "import anyzarr, warnings\n"
        "if __name__ == '__main__':\n"
        "    with warnings.catch_warnings(record=True) as said:\n"
        "        warnings.simplefilter('always')\n"
        "        anyzarr.convert('a.tens', 'a.zarr', processes=True)\n"
        "    assert any('broken' in str(w.message) for w in said), said\n"
    )
    (tmp_path / "script.py").write_text(script)
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with open_ome_zarr(tmp_path / "a.zarr") as image:
        np.testing.assert_array_equal(image.data[...], np.arange(200).reshape(20, 10))
        assert (image.name, image.scale) == ("of a plug-in", [2.0, 1.0])


@pytest.mark.parametrize(
    ("name", "module", "extra"),
    [
        ("a.nd2", "nd2", "nd2"),
        ("a.czi", "czifile", "czi"),
        ("a.lif", "liffile", "lif"),
        ("a.nii", "nibabel", "nifti"),
        ("a.h5", "h5py", "hdf5"),
        ("a.png", "PIL.Image", "images"),
    ],
)
def test_what_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, module: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    (tmp_path / name).write_bytes(b"anything")
    with pytest.raises(MissingDependencyError, match=rf'pip install "anyzarr\[{extra}\]"'):
        anyzarr.convert(tmp_path / name, tmp_path / "b.zarr")


def test_all_formats_are_listed() -> None:
    formats = {"ND2", "CZI", "LIF", "MRC", "NIfTI", "HDF5", "NumPy archive", "PNG or JPEG", "bioio"}
    assert formats <= set(list_readers())
