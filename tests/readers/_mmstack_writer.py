"""Files of a Micro-Manager stack, by its published format; no package at hand writes them."""

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

ENTRIES = 13  # readers count on this number: pixels follow at once
Place = tuple[int, int, int, int]


def write_file(
    path: Path,
    planes: Mapping[Place, Any],
    summary: dict[str, Any],
    *,
    ome_xml: str = "",
    about: dict[str, Any] | None = None,
) -> None:
    """Write planes by (channel, z, time, position)."""
    described = json.dumps(summary).encode()
    out = bytearray(40) + described
    out += bytes(-len(out) % 2)
    first = len(out)
    offsets = []
    for place in planes:
        offsets.append((*place, len(out)))
        is_last = len(offsets) == len(planes)
        _page(out, planes[place], about or {}, ome_xml if len(offsets) == 1 else "", last=is_last)
    index = len(out)
    out += struct.pack("<2I", 3453623, len(offsets))
    for row in offsets:
        out += struct.pack("<5I", *row)
    head = struct.pack("<2sHI", b"II", 42, first)
    head += struct.pack("<8I", 54773648, index, 483765892, 0, 99384722, 0, 2355492, len(described))
    out[:40] = head
    path.write_bytes(out)


def _page(out: bytearray, pixels: Any, about: dict[str, Any], xml: str, *, last: bool) -> None:
    """Append a directory, the pixels after it, then the texts."""
    height, width = pixels.shape[:2]
    samples = 3 if pixels.ndim == 3 else 1
    bits = 8 * pixels.dtype.itemsize
    start = len(out)
    pixel_offset = start + 2 + 12 * ENTRIES + 4
    after = pixel_offset + pixels.nbytes
    bits_value = bits
    extra = b""
    if samples == 3:
        bits_value, extra = after, struct.pack("<3H", bits, bits, bits)
    text = json.dumps(about).encode() + b"\0"
    text_offset = after + len(extra)
    described = xml.encode() + b"\0\0\0\0"
    xml_offset = text_offset + len(text)
    end = xml_offset + len(described)
    end += end % 2
    tags = [
        (256, 4, 1, width), (257, 4, 1, height), (258, 3, samples, bits_value), (259, 3, 1, 1),
        (262, 3, 1, 2 if samples == 3 else 1), (270, 2, len(described), xml_offset),
        (273, 4, 1, pixel_offset), (277, 3, 1, samples), (278, 3, 1, height),
        (279, 4, 1, pixels.nbytes), (296, 3, 1, 3),
        (339, 3, 1, 3 if pixels.dtype.kind == "f" else 1), (51123, 2, len(text), text_offset),
    ]  # fmt: skip
    assert len(tags) == ENTRIES
    out += struct.pack("<H", len(tags))
    for tag in tags:
        out += struct.pack("<HHII", *tag)
    out += struct.pack("<I", 0 if last else end)
    out += np.ascontiguousarray(pixels).tobytes() + extra + text + described
    out += bytes(end - len(out))
