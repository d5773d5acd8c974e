"""Writes ND2 files, version 3.0, as nd2 and Nikon's SDK read them; there is no free writer.

Chunks of a magic number, a name and data, found by a map at the end; metadata in the "lite variant"
form (type, name in UTF-16, value; levels that nest); a frame is a time and rows of pixels with the
channels side by side.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

MAGIC = 0x0ABECEDA
LINE = {"uiCount": 1, "pPoint": {"Point0": {"dTValue": 1.0, "dWavelength": 405.0}}}
PROBE = {"m_ExcitationSpectrum": LINE, "m_EmissionSpectrum": LINE}


def variant(name: str, value: Any) -> bytes:
    """Return a value in the lite variant form."""
    title = (name + "\0").encode("utf-16-le")
    if isinstance(value, bool):
        kind, data = 1, struct.pack("<B", value)
    elif isinstance(value, int):
        kind, data = 3, struct.pack("<I", value)
    elif isinstance(value, float):
        kind, data = 6, struct.pack("<d", value)
    elif isinstance(value, str):
        kind, data = 8, (value + "\0").encode("utf-16-le")
    elif isinstance(value, Mapping):
        items = [variant(key, one) for key, one in value.items()]
        body = b"".join(items)
        length = 2 + len(title) + 12 + len(body)
        kind, data = 11, struct.pack("<IQ", len(items), length) + body + bytes(8 * len(items))
    else:
        raise TypeError(value)
    return struct.pack("BB", kind, len(title) // 2) + title + data


def loop(
    kind: int, parameters: Mapping[str, Any], inner: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return one loop of an experiment: 1 time, 2 positions, 4 planes in z."""
    found: dict[str, Any] = {"eType": kind, "uLoopPars": parameters}
    if inner is not None:
        found["ppNextLevelEx"] = {"": inner}
    return found


def experiment(sizes: Mapping[str, int], **known: Any) -> dict[str, Any]:
    """Return the loops of axes ``T P Z``, in their order."""
    inner: dict[str, Any] | None = None
    for name, n in reversed(list(sizes.items())):
        if name == "T":
            period = known.get("period_ms", 2000.0)
            pars = {"uiCount": n, "dStart": 0.0, "dPeriod": period, "dDuration": period * n,
                    "dAvgPeriodDiff": period + 5}  # fmt: skip
            inner = loop(1, pars, inner)
        elif name == "P":
            names = known.get("names") or [f"well {i}" for i in range(n)]
            points = {
                f"i{i:010}": {"dPosX": 100.0 * i, "dPosY": 50.0, "dPosName": names[i]}
                for i in range(n)
            }  # fmt: skip
            inner = loop(2, {"uiCount": n, "bUseZ": True, "Points": points}, inner)
        else:
            inner = loop(
                4, {"uiCount": n, "dZLow": 0.0, "dZHigh": 1.5 * (n - 1), "dZStep": 1.5}, inner
            )
    return inner or {}


def write(
    path: Path,
    frames: Iterable[np.ndarray[Any, Any]],
    sizes: Mapping[str, int],
    *,
    n_planes: int | None = None,
    missing: tuple[int, ...] = (),
    compressed: bool = False,
    padding: int = 0,
    names: Sequence[str] | None = None,
    **changes: Any,
) -> None:
    """Write frames of shape (rows, columns, components); ``n_planes`` of metadata, or one each."""
    frames = list(frames)
    rows, columns, components = frames[0].shape
    item = frames[0].itemsize
    n_planes = components if n_planes is None else n_planes
    row_bytes = columns * components * item + padding
    attributes = {
        "uiWidth": columns, "uiWidthBytes": row_bytes, "uiHeight": rows, "uiComp": components,
        "uiBpcInMemory": item * 8, "uiBpcSignificant": item * 8, "uiSequenceCount": len(frames),
        "eCompression": 0 if compressed else 2, "dCompressionParam": 0.0, **changes,
    }  # fmt: skip
    colors = [0xFF0000, 0x00FF00, 0x0000FF]  # blue, green and red: BGR
    planes = {
        f"a{i}": {"uiCompCount": components // n_planes, "sDescription": ["DAPI", "GFP", "RFP"][i],
                  "uiColor": colors[i], "uiModalityMask": 1, "pFluorescentProbe": PROBE}
        for i in range(n_planes)
    }  # fmt: skip
    picture = {
        "bCalibrated": True, "dCalibration": 0.25, "dTimeAbsolute": 2459000.5,
        "sPicturePlanes": {"uiCount": n_planes, "uiSampleCount": n_planes, "sPlaneNew": planes},
    }  # fmt: skip
    chunks: dict[str, bytes] = {
        "ImageAttributesLV!": variant("SLxImageAttributes", attributes),
        "ImageMetadataSeqLV|0!": variant("SLxPictureMetadata", picture),
        "ImageTextInfoLV!": variant("SLxImageTextInfo", {"TextInfoItem_5": "made by a test"}),
    }
    if sizes:
        chunks["ImageMetadataLV!"] = variant("SLxExperiment", experiment(sizes, names=names))
    for number, frame in enumerate(frames):
        if number not in missing:
            lines = frame.reshape(rows, -1).view(np.uint8)
            data = np.pad(lines, ((0, 0), (0, padding))).tobytes()
            data = zlib.compress(data) if compressed else data
            chunks[f"ImageDataSeq|{number}!"] = struct.pack("<d", number * 2000.0) + data
    chunks["CustomData|AcqTimesCache!"] = struct.pack(f"<{len(frames)}d", *range(len(frames)))
    with path.open("wb") as file:
        _chunk(file, b"ND2 FILE SIGNATURE CHUNK NAME01!", b"Ver3.0".ljust(64, b"\0"), 32)
        places = b""
        for name, data in chunks.items():
            places += name.encode() + struct.pack("<QQ", file.tell(), len(data))
            _chunk(file, name.encode(), data, 4072)
        at = file.tell()
        end = b"ND2 CHUNK MAP SIGNATURE 0000001!" + struct.pack("<Q", at)
        _chunk(file, b"ND2 FILEMAP SIGNATURE NAME 0001!", places + end, 32)


def _chunk(file: Any, name: bytes, data: bytes, name_bytes: int) -> None:
    file.write(
        struct.pack("<IIQ", MAGIC, name_bytes, len(data)) + name.ljust(name_bytes, b"\0") + data
    )
