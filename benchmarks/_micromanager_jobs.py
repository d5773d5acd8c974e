"""Converting a data set of Micro-Manager to OME-Zarr 0.5: one process, one library.

    python _micromanager_jobs.py LIBRARY SOURCE TARGET

Everyone has its own defaults of chunks, shards and codecs; iohub makes no pyramid.
"""

from __future__ import annotations

import sys
from collections.abc import Callable


def anyzarr_with(**options: object) -> Callable[[str, str], None]:
    def work(source: str, target: str) -> None:
        import anyzarr

        anyzarr.convert(source, target, **options)

    return work


def iohub_with(implementation: str | None) -> Callable[[str, str], None]:
    def work(source: str, target: str) -> None:
        from iohub.convert import TIFFConverter

        TIFFConverter(source, target, version="0.5", implementation=implementation)()

    return work


JOBS: dict[str, Callable[[str, str], None]] = {
    "anyzarr": anyzarr_with(levels=1),
    "anyzarr, with a pyramid": anyzarr_with(),
    "iohub": iohub_with(None),
    "iohub (tensorstore)": iohub_with("tensorstore"),
}

if __name__ == "__main__":
    name, source, target = sys.argv[1:]
    JOBS[name](source, target)
