"""A real tractogram as a vector store: converted, looked into, and handed on.

    python examples/tractogram.py [FOLDER]

The 300 streamlines of a human brain come with dipy (``pip install dipy "anyzarr[streamlines]"``).
"""

import sys
from pathlib import Path

import dipy.data
import numpy as np

import anyzarr
from anyzarr.vectors import open_zv, read_polylines

SOURCE = Path(dipy.data.__file__).parent / "files" / "tracks300.trk"


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    store = folder / "brain.zarrvectors"

    report = anyzarr.convert(SOURCE, store, chunk_shape=(20, 20, 20), overwrite=True)
    print(report)

    # Streamlines through a box of 2 cm, found without reading the others.
    middle = np.mean(open_zv(store).bounds, axis=0)
    box = (middle - 10, middle + 10)
    through = read_polylines(store, bbox=box)
    lengths = [np.linalg.norm(np.diff(line, axis=0), axis=1).sum() for line in through.polylines]
    print(f"{through.polyline_count} of {report.object_count} streamlines pass the box; "
          f"their median length is {np.median(lengths):.0f} mm")  # fmt: skip

    for name in ("brain.trx", "brain.trk", "brain.tck"):
        target = folder / name
        anyzarr.convert(store, target, overwrite=True)
        print(f"{name}: {target.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "tractogram"))
