"""What ``import anyzarr`` loads, and what using it leaves alone. Each in a fresh interpreter."""

from __future__ import annotations

import json
import subprocess
import sys


def run(code: str) -> dict:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    return json.loads(done.stdout)


def test_import_loads_numpy_the_standard_library_and_us() -> None:
    loaded = run(
        """
import sys, json
import numpy
before = set(sys.modules)
import anyzarr
names = {name.partition(".")[0] for name in set(sys.modules) - before}
print(json.dumps({"names": sorted(n for n in names if n not in sys.stdlib_module_names)}))
"""
    )
    assert set(loaded["names"]) <= {"anyzarr"}


def test_local_and_memory_use_loads_no_cloud_client_or_viewer() -> None:
    loaded = run(
        """
import sys, json, tempfile
import anyzarr
with tempfile.TemporaryDirectory() as folder:
    array = anyzarr.create_array(folder + "/a.zarr", shape=(4,), dtype="uint8", engine="zarrs")
    array[:] = 1
    assert array[:].sum() == 4
names = {name.partition(".")[0] for name in sys.modules}
print(json.dumps({"names": sorted(names)}))
"""
    )
    unwanted = {"zarr", "tensorstore", "obstore", "fsspec", "dask", "tifffile", "PIL", "rich"}
    assert not unwanted & set(loaded["names"])


def test_no_threads_are_started_at_import() -> None:
    counted = run(
        "import json, threading, anyzarr, anyzarr.crud, anyzarr.engines;"
        "print(json.dumps({'threads': threading.active_count()}))"
    )
    assert counted["threads"] == 1


def test_other_libraries_global_configuration_is_left_alone() -> None:
    result = run(
        """
import json, warnings
import numpy as np
import zarr, dask.array, distributed, fsspec.config, logging
def snapshot():
    return json.dumps(
        [zarr.config.config, dask.config.config, fsspec.config.conf, np.get_printoptions(),
         np.geterr(), logging.getLogger().level, len(logging.getLogger().handlers),
         [str(f) for f in warnings.filters]],
        default=str, sort_keys=True,
    )
before = snapshot()
import anyzarr
memory = {}
engines = ["zarr", "zarrs", "zarrs-python", "tensorstore"]
values = []
for name in engines:
    array = anyzarr.create_array(memory, name=name, data=np.arange(12).reshape(3, 4), engine=name)
    values.append(int(anyzarr.open(memory, path=name, engine=name)[...].sum()))
    array.to_dask().sum().compute(scheduler="synchronous")
print(json.dumps({"same": before == snapshot(), "values": values}))
"""
    )
    assert result == {"same": True, "values": [66, 66, 66, 66]}
