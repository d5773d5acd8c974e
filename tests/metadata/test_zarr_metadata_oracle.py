"""zarr-metadata's validators accept what we build, and what they refuse we refuse."""

from __future__ import annotations

import copy

import pytest

from anyzarr.errors import AnyzarrError
from anyzarr.metadata import array_document, group_document, parse

pytest.importorskip("zarr_metadata", reason="needs zarr-metadata")
models = pytest.importorskip("zarr_metadata.model", reason="needs zarr-metadata")
if not hasattr(models, "ZarrV3ArrayMetadata"):
    pytest.skip("needs zarr-metadata 0.6 or newer", allow_module_level=True)

pytestmark = pytest.mark.oracle

BUILT = [
    {"dtype": "uint16"},
    {"dtype": "float32", "fill_value": "0x7fc00001"},
    {"dtype": "complex128", "fill_value": complex(0, float("nan"))},
    {"dtype": "bool", "compressors": "gzip"},
    {"dtype": "M8[ns]", "compressors": "blosc"},
    {"dtype": "r24"},
    {"dtype": "string"},
    {"dtype": [("a", "i2"), ("b", "f4")]},
    {"dtype": "uint8", "shards": (8, 10)},
    {"dtype": "uint8", "chunks": [[3, 5], 5]},
    {"dtype": "uint8", "dimension_names": ["y", None], "attributes": {"a": [None, 1.5]}},
    {"dtype": "uint8", "filters": [{"name": "transpose", "configuration": {"order": [1, 0]}}]},
]


def documents():
    for kwargs in BUILT:
        yield array_document(**{"shape": (8, 10), "chunks": (4, 5), **kwargs})


@pytest.mark.parametrize("kwargs", BUILT, ids=str)
def test_it_accepts_v3_arrays(kwargs):
    document = array_document(**{"shape": (8, 10), "chunks": (4, 5), **kwargs})
    assert models.ZarrV3ArrayMetadata.from_json(document).to_json() is not None


def test_it_accepts_groups_and_v2():
    assert models.ZarrV3GroupMetadata.from_json(group_document()) is not None
    assert models.ZarrV2GroupMetadata.from_json(group_document(zarr_format=2)) is not None
    for dtype in ("uint16", ">f4", "M8[s]", "string", [("a", "i2")]):
        document = array_document(shape=(8,), chunks=(4,), dtype=dtype, zarr_format=2)
        assert models.ZarrV2ArrayMetadata.from_json(document) is not None


def test_what_it_refuses_we_refuse():
    """Each field of each document removed or replaced in turn."""
    refused = 0
    for document in documents():
        for name in document:
            for value in (..., None, -1, "x", [], {}, [-1, 5], True):
                changed = copy.deepcopy(document)
                if value is ...:
                    del changed[name]
                else:
                    changed[name] = value
                try:
                    models.ZarrV3ArrayMetadata.from_json(changed)
                except Exception:  # noqa: BLE001 - whatever it raises, it refuses
                    refused += 1
                    # null for an optional field is read as absent, as zarr-python writes it
                    if not (name == "dimension_names" and value is None):
                        with pytest.raises(AnyzarrError):
                            parse(changed)
    assert refused > 300
