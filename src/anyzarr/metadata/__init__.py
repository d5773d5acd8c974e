"""Metadata documents of Zarr 2 and 3, parsed once into frozen values and written back.

A *document* is plain JSON (``dict``) in merged form: for v3 the content of ``zarr.json``, for
v2 that of ``.zarray`` or ``.zgroup`` with the content of ``.zattrs`` under ``attributes``.
"""

from __future__ import annotations

from anyzarr.metadata._build import array_document, group_document
from anyzarr.metadata._convert import resized, respelled, single_chunk, subchunk, to_v3_equivalent
from anyzarr.metadata._documents import (
    decode_document,
    document_keys,
    encode_alike,
    encode_documents,
    encode_json,
    is_array_document,
    merge_v2,
)
from anyzarr.metadata._dtypes import data_type_json, data_type_of, dtype_of, parse_data_type
from anyzarr.metadata._elements import array_of, elements_of, ragged_of
from anyzarr.metadata._fill import default_fill, fill_json, is_fill, parse_fill
from anyzarr.metadata._layout import guess_chunks
from anyzarr.metadata._model import (
    ArrayMetadata,
    ChunkGrid,
    ChunkKeyEncoding,
    CodecSpec,
    DataType,
    GroupMetadata,
    ShardingSpec,
)
from anyzarr.metadata._parse import parse, parse_array, parse_group, parse_stored, to_document
from anyzarr.metadata._values import as_array_value

__all__ = [
    "ArrayMetadata",
    "ChunkGrid",
    "ChunkKeyEncoding",
    "CodecSpec",
    "DataType",
    "GroupMetadata",
    "ShardingSpec",
    "array_document",
    "array_of",
    "as_array_value",
    "data_type_json",
    "data_type_of",
    "decode_document",
    "default_fill",
    "document_keys",
    "dtype_of",
    "elements_of",
    "encode_alike",
    "encode_documents",
    "encode_json",
    "fill_json",
    "group_document",
    "guess_chunks",
    "is_array_document",
    "is_fill",
    "merge_v2",
    "parse",
    "parse_array",
    "parse_data_type",
    "parse_fill",
    "parse_group",
    "parse_stored",
    "ragged_of",
    "resized",
    "respelled",
    "single_chunk",
    "subchunk",
    "to_document",
    "to_v3_equivalent",
]
