"""Writes LIF files of version 2, as Leica describes them ("LIF file format description").

There is no free writer of the format; liffile, an independent reader, is the judge of what is
written here.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np

NUMBERS = {"X": 1, "Y": 2, "Z": 3, "T": 4, "λ": 5, "M": 10}
LENGTHS = {"X": (2e-7, "m"), "Y": (5e-7, "m"), "Z": (-1e-6, "m"), "T": (1.5, "s"), "M": (0, "")}


def element(number: int, values: np.ndarray[Any, Any], names: str, **options: Any) -> str:
    """Return the XML of an image with values of axes ``names`` (slowest first, ``C`` channels)."""
    item = values.itemsize
    dims, channels = "", ""
    for name, n, step in zip(names, values.shape, values.strides, strict=True):
        if name == "C":
            luts, tags = options.get("luts", ["Green", "Red", "Blue"]), options.get("tags", [0] * n)
            dyes = options.get("dyes", [])
            for c in range(n):
                dye = f"<ChannelProperty><Key>DyeName</Key><Value>Leica/{dyes[c]}</Value>" \
                      "</ChannelProperty>" if dyes else ""  # fmt: skip
                channels += (
                    f'<ChannelDescription DataType="0" ChannelTag="{tags[c]}" '
                    f'Resolution="{item * 8}" NameOfMeasuredQuantity="" Min="0" Max="255" Unit="" '
                    f'LUTName="{luts[c]}" IsLUTInverted="0" BytesInc="{c * step}" BitInc="0">{dye}'
                    "</ChannelDescription>"
                )
        else:
            length, unit = LENGTHS.get(name, (0, ""))
            dims += (
                f'<DimensionDescription DimID="{NUMBERS[name]}" NumberOfElements="{n}" Origin="0" '
                f'Length="{length * (n - 1)}" Unit="{unit}" BytesInc="{step}" BitInc="0"/>'
            )
    *folders, name = options.get("name", f"Series{number}").split("/")
    before = "".join(f'<Element Name="{folder}"><Data/><Children>' for folder in folders)
    return (
        f'{before}<Element Name="{name}" UniqueID="u{number}"><Data>'
        f"<Image><ImageDescription><Channels>{channels}</Channels><Dimensions>{dims}</Dimensions>"
        f"</ImageDescription>{options.get('more', '')}</Image></Data>"
        f'<Memory Size="{values.nbytes}" MemoryBlockID="MemBlock_{number}"/></Element>'
        + "</Children></Element>"
        * len(folders)
    )


def write(path: Path, *images: tuple[np.ndarray[Any, Any], str, dict[str, Any]]) -> None:
    parts = [element(i, values, names, **more) for i, (values, names, more) in enumerate(images)]
    xml = (
        '<LMSDataContainerHeader Version="2"><Element Name="run"><Children>'
        f"{''.join(parts)}</Children></Element></LMSDataContainerHeader>"
    )
    text = xml.encode("utf-16-le")
    data = struct.pack("<IIBI", 0x70, len(text) + 5, 0x2A, len(xml)) + text
    for i, (values, _, _) in enumerate(images):
        name = f"MemBlock_{i}"
        data += struct.pack(
            "<IIBQBI", 0x70, 2 * len(name) + 14, 0x2A, values.nbytes, 0x2A, len(name)
        )
        data += name.encode("utf-16-le") + values.tobytes()
    path.write_bytes(data)
