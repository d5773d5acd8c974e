"""What ``import anyzarr`` costs on top of numpy, in fresh interpreters, taken in turn."""

from __future__ import annotations

import subprocess
import sys

from _measure import Row, compare, save


def run_python(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True)


def main() -> None:
    row = compare(
        "start the interpreter and import",
        {
            "(nothing)": lambda: run_python("pass"),
            "(numpy)": lambda: run_python("import numpy"),
            "anyzarr": lambda: run_python("import anyzarr"),
            "anyzarr, all layers": lambda: run_python(
                "import anyzarr, anyzarr.crud, anyzarr.ome; anyzarr.Array"
            ),
            "zarr": lambda: run_python("import zarr"),
            "tensorstore": lambda: run_python("import tensorstore"),
            "iohub": lambda: run_python("import iohub"),
        },
        ours="anyzarr",
        rounds=11,
    )
    nothing = row.median_ms["(nothing)"]
    over = {n: t - nothing for n, t in row.median_ms.items() if n != "(nothing)"}
    rows: list[Row] = [row, Row("on top of the interpreter", "anyzarr", over, {})]
    save("import_cost", "Import, milliseconds", rows)


if __name__ == "__main__":
    main()
