"""``examples/tractogram.py`` runs, and what it says is true."""

import os
import subprocess
import sys
from pathlib import Path

import dipy.data
import nibabel as nib
import numpy as np

EXAMPLE = Path(__file__).parents[3] / "examples" / "tractogram.py"
TRACKS = Path(dipy.data.__file__).parent / "files" / "tracks300.trk"


def test_a_real_tractogram_is_converted_and_looked_into(tmp_path: Path) -> None:
    blocked = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    done = subprocess.run(
        [sys.executable, str(EXAMPLE), str(tmp_path / "out")],
        capture_output=True, text=True, env={**os.environ, **blocked}, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    judge = nib.streamlines.load(TRACKS).streamlines
    assert f"streamline of {judge.total_nb_rows} vertices, float32" in done.stdout
    data = judge.get_data()
    middle = (data.min(axis=0) + data.max(axis=0)) / 2
    passing = [
        line for line in judge
        if (np.abs(np.linspace(line[:-1], line[1:], 200) - middle) <= 10).all(axis=-1).any()
    ]  # fmt: skip
    assert f"{len(passing)} of 300 streamlines" in done.stdout
    for name in ("brain.trk", "brain.tck"):
        assert nib.streamlines.load(tmp_path / "out" / name).streamlines.total_nb_rows == len(data)
