"""Memory stays within a few shards, however large the image."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

SIDE, PLANES = 2048, 48  # 384 MiB of uint16

SCRIPT = """
import sys, tracemalloc
import anyzarr
anyzarr.config.set(concurrency=2).__enter__()
options = dict(chunks=(1, 512, 512), shards=(1, 2048, 2048), engine=sys.argv[3])
tracemalloc.start()
anyzarr.convert(sys.argv[1], sys.argv[2], **options)
print(tracemalloc.get_traced_memory()[1] >> 20)
"""


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("target", ["a.zarr", "a.ozx"])
def test_a_stack_of_384_mib_takes_a_few_shards(
    tmp_path: Path, compression: str | None, target: str
) -> None:
    plane = (np.arange(SIDE * SIDE, dtype="u4") >> 8).astype("u2").reshape(SIDE, SIDE)
    with tifffile.TiffWriter(tmp_path / "a.tif", bigtiff=True) as tiff:
        tiff.write(
            (plane + np.uint16(i) for i in range(PLANES)),
            shape=(PLANES, SIDE, SIDE), dtype="u2", metadata={"axes": "TYX"},
            photometric="minisblack", compression=compression, rowsperstrip=64,
        )  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, tmp_path / "a.tif", tmp_path / target, "zarrs"],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    shard_mib = SIDE * SIDE * 2 >> 20
    assert int(done.stdout) <= 12 * shard_mib
