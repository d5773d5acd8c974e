"""Documents become frozen values, once for each content, and come back unchanged."""

from __future__ import annotations

import concurrent.futures
import copy
import dataclasses
import multiprocessing
import os
import pickle

import numpy as np
import pytest

from anyzarr.errors import MetadataError, UnsupportedError
from anyzarr.metadata import (
    CodecSpec,
    group_document,
    parse,
    parse_array,
    parse_group,
    parse_stored,
    to_document,
)
from anyzarr.metadata import _parse as implementation


def test_v3_fields(v3):
    metadata = parse_array(v3)
    assert metadata.zarr_format == 3
    assert metadata.shape == (10, 20)
    assert metadata.dtype == np.dtype("u2")
    assert metadata.grid.chunk_shape == (5, 10)
    assert metadata.grid.grid_shape == (2, 2)
    assert metadata.chunk_key("a/b", (1, 0)) == "a/b/c/1/0"
    assert metadata.fill_value == 7
    assert type(metadata.fill_value) is np.uint16
    assert metadata.dimension_names == ("y", None)
    assert metadata.attributes == v3["attributes"]
    assert [spec.name for spec in metadata.codecs] == ["sharding_indexed"]


def test_v3_sharding(v3):
    metadata = parse_array(v3)
    assert metadata.is_exclusively_sharded
    assert metadata.sharding.subchunk_shape == (5, 2)
    assert metadata.sharding.index_location == "start"
    assert [spec.name for spec in metadata.sharding.codecs] == ["bytes", "zstd"]
    assert [spec.name for spec in metadata.sharding.index_codecs] == ["bytes", "crc32c"]
    assert metadata.subchunk_grid.grid_shape == (2, 10)


def test_v2_fields(v2):
    metadata = parse_array(v2)
    assert metadata.zarr_format == 2
    assert metadata.dtype == np.dtype(">i4")
    assert metadata.data_type.name == "int32"
    assert metadata.fill_value == -1
    assert metadata.chunk_key("", (1, 0)) == "1/0"
    assert metadata.attributes == {"a": 1}
    assert metadata.codecs == (
        CodecSpec("transpose", {"order": [1, 0]}),
        CodecSpec("numcodecs.delta", {"dtype": ">i4", "astype": ">i4"}),
        CodecSpec("bytes", {"endian": "big"}),
        CodecSpec(
            "blosc",
            {"typesize": 4, "cname": "lz4", "clevel": 5, "shuffle": "shuffle", "blocksize": 0},
        ),
    )


@pytest.mark.parametrize("missing", ["compressor", "filters", "fill_value", "dimension_separator"])
def test_v2_fields_that_may_be_null_may_be_absent(v2, missing):
    del v2[missing]
    metadata = parse_array(v2)
    assert to_document(metadata) == v2
    if missing == "fill_value":
        assert metadata.fill_value is None
        assert metadata.fill == 0


def test_v2_zero_dimensional_key(v2):
    metadata = parse_array({**v2, "shape": [], "chunks": []})
    assert metadata.chunk_key("a", ()) == "a/0"
    assert metadata.codecs[0].name == "numcodecs.delta"


def test_documents_come_back_unchanged(v2, v3):
    for document in (v2, v3):
        assert to_document(parse_array(document)) == document
        assert list(to_document(parse_array(document))) == list(document)


def test_what_is_parsed_does_not_change_with_the_document(v3):
    before = copy.deepcopy(v3)
    metadata = parse_array(v3)
    v3["attributes"]["a"].append(2)
    to_document(metadata)["attributes"]["a"].append(3)
    assert to_document(metadata) == before
    with pytest.raises(TypeError):
        metadata.document["shape"] = [1, 1]
    with pytest.raises(dataclasses.FrozenInstanceError):
        metadata.shape = (1, 1)


def test_metadata_that_is_parsed_already_is_returned_as_it_is(v3):
    metadata = parse_array(v3)
    assert parse_array(metadata) is metadata
    group = parse_group(group_document())
    assert parse_group(group) is group


def test_one_content_is_parsed_once(v3):
    first = parse_array(v3)
    shuffled = dict(reversed(list(copy.deepcopy(v3).items())))
    shuffled["shape"] = tuple(shuffled["shape"])
    assert parse_array(shuffled) is first
    assert parse_array({**v3, "shape": [10, 21]}) is not first


def test_cache_is_bounded_by_entries_and_by_size(v3, monkeypatch):
    monkeypatch.setattr(implementation, "_cache", implementation._Cache())
    monkeypatch.setattr(implementation, "_MAX_ENTRIES", 5)
    for length in range(1, 20):
        parse_array({**v3, "shape": [length, 20]})
    assert len(implementation._cache) == 5
    monkeypatch.setattr(implementation, "_MAX_CHARACTERS", 3000)
    metadata = parse_array({**v3, "attributes": {"text": "x" * 5000}})
    assert metadata.attributes == {"text": "x" * 5000}
    assert len(implementation._cache) == 0


def test_threads_get_the_same_object(v3, monkeypatch):
    monkeypatch.setattr(implementation, "_cache", implementation._Cache())
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        results = list(pool.map(parse_array, [copy.deepcopy(v3) for _ in range(200)]))
    assert len({id(metadata) for metadata in results}) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this platform")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_cache_is_dropped_after_a_fork(v3):
    parse_array(v3)
    # Held as by a thread of the parent at the moment of the fork.
    with implementation._cache._lock, implementation._stored._lock:
        process = multiprocessing.get_context("fork").Process(target=_in_child, args=(v3,))
        process.start()
    process.join(30)
    assert process.exitcode == 0


def _in_child(document):
    assert len(implementation._cache) == len(implementation._stored) == 0
    assert parse_array(document).shape == (10, 20)
    assert parse_stored((b"a",), lambda: document).shape == (10, 20)


def test_stored_bytes_are_decoded_once(v3, monkeypatch):
    monkeypatch.setattr(implementation, "_stored", implementation._Cache())
    decoded = []

    def decode():
        decoded.append(1)
        return v3

    first = parse_stored((b"one", None), decode)
    assert first is parse_array(v3)
    # A store may give a buffer that changes later.
    buffer = bytearray(b"one")
    assert parse_stored((buffer, None), decode) is first
    buffer[:] = b"two"
    assert parse_stored((b"one", None), decode) is first
    assert len(decoded) == 1
    assert parse_stored((b"one", b""), decode) is first
    assert len(decoded) == 2


def test_stored_bytes_that_are_wrong_are_wrong_again(v3):
    for _ in range(2):
        with pytest.raises(MetadataError):
            parse_stored((b"wrong",), lambda: {**v3, "shape": [-1]})


def test_the_cache_counts_what_it_holds_once(v3, monkeypatch):
    cache = implementation._Cache()
    for _ in range(3):
        cache.put(b"key", parse_array(v3), 10)
    assert cache._characters == 10


def test_pickling_gives_equal_metadata(v2, v3):
    for document in (v2, v3):
        metadata = parse_array(document)
        again = pickle.loads(pickle.dumps(metadata))
        assert again == metadata
        assert hash(again) == hash(metadata)
    group = parse_group(group_document(attributes={"a": 1}))
    assert pickle.loads(pickle.dumps(group)) == group
    assert pickle.loads(pickle.dumps(metadata.data_type)) == metadata.data_type
    assert pickle.loads(pickle.dumps(metadata.sharding)) == metadata.sharding


def test_groups():
    group = parse_group(group_document(zarr_format=2, attributes={"a": 1}))
    assert (group.zarr_format, group.attributes) == (2, {"a": 1})
    changed = group.with_attributes({"b": 2})
    assert to_document(changed) == {"zarr_format": 2, "attributes": {"b": 2}}
    assert isinstance(parse(group_document()), type(group))


def test_consolidated_metadata_is_kept(v3):
    inline = {"kind": "inline", "must_understand": False, "metadata": {"a": v3}}
    for value in (inline, None):
        document = {**group_document(), "consolidated_metadata": value}
        assert to_document(parse_group(document)) == document


def test_arrays_are_no_groups_and_groups_no_arrays(v3):
    with pytest.raises(MetadataError, match="of an array"):
        parse_group(v3)
    with pytest.raises(MetadataError, match="of a group"):
        parse_array(group_document(), path="a/b")


def test_with_document_parses_anew(v3):
    metadata = parse_array(v3).with_document(shape=[30, 20])
    assert metadata.shape == (30, 20)
    assert metadata.grid.grid_shape == (6, 2)
    with pytest.raises(MetadataError):
        metadata.with_document(shape=[-1, 20])


def test_ignorable_unknown_fields_are_kept(v3):
    v3["new"] = {"must_understand": False, "x": 1}
    assert to_document(parse_array(v3))["new"] == {"must_understand": False, "x": 1}
    assert to_document(parse_array(v3).with_document(attributes={}))["new"]["x"] == 1


@pytest.mark.parametrize("value", [1, None, "x", {}, {"must_understand": True}, [1]])
def test_other_unknown_fields_are_refused_by_name(v3, value):
    with pytest.raises(UnsupportedError, match="surprise") as caught:
        parse_array({**v3, "surprise": value})
    assert caught.value.kind == "unsupported"
    with pytest.raises(UnsupportedError, match="surprise"):
        parse_group({**group_document(), "surprise": value})


def test_unknown_fields_of_v2_are_kept(v2):
    v2["surprise"] = 1
    assert to_document(parse_array(v2))["surprise"] == 1


def test_unknown_codecs_are_kept_for_the_engine_to_judge(v3):
    v3["codecs"] = [{"name": "acme.v1", "configuration": {"x": 1}}, "crc32c"]
    assert parse_array(v3).codecs == (CodecSpec("acme.v1", {"x": 1}), CodecSpec("crc32c", {}))


def test_unknown_codecs_that_need_not_be_understood_are_left_out(v3):
    extra = {"name": "acme.hint", "must_understand": False}
    v3["codecs"].append(extra)
    metadata = parse_array(v3)
    assert [spec.name for spec in metadata.codecs] == ["sharding_indexed"]
    assert to_document(metadata)["codecs"][1] == extra


def test_storage_transformers(v3):
    assert parse_array({**v3, "storage_transformers": []}).shape == (10, 20)
    ignorable = {"name": "cache", "must_understand": False}
    assert parse_array({**v3, "storage_transformers": [ignorable]}).shape == (10, 20)
    with pytest.raises(UnsupportedError, match="acme"):
        parse_array({**v3, "storage_transformers": [{"name": "acme"}]})


def test_short_names_are_extension_objects(v3):
    v3["chunk_key_encoding"] = "v2"
    v3["codecs"] = [{"name": "bytes", "configuration": {"endian": "big"}}, "crc32c"]
    v3["data_type"] = {"name": "uint16"}
    metadata = parse_array(v3)
    assert metadata.chunk_key("", (1, 0)) == "1.0"
    assert metadata.codecs[1] == CodecSpec("crc32c", {})


def test_chunks_of_zero_along_an_empty_dimension(v3, v2):
    v3["shape"][0] = v2["shape"][0] = 0
    v3["codecs"] = [{"name": "bytes", "configuration": {"endian": "little"}}]
    v3["chunk_grid"]["configuration"]["chunk_shape"][0] = v2["chunks"][0] = 0
    for document in (v3, v2):
        assert parse_array(document).grid.grid_shape == (0, 2)
        assert to_document(parse_array(document)) == document


def test_the_error_names_the_node(v3):
    with pytest.raises(MetadataError) as caught:
        parse({**v3, "shape": "x"}, path="a/b")
    assert caught.value.path == "a/b"
    assert "'a/b'" in str(caught.value)
    assert "shape is 'x'" in str(caught.value)


DEEP: list = []
for _ in range(100_000):
    DEEP = [DEEP]
CYCLE: list = []
CYCLE.append(CYCLE)

BROKEN_V3 = {
    "shape": [
        None,
        5,
        "x",
        [1.5],
        [-1, 20],
        [True, 20],
        [10],
        [2**63, 20],
        [10**5000, 20],
        {},
        DEEP,
    ],
    "zarr_format": [None, "3", 3.5, True, [3]],
    "node_type": [None, "x", 1],
    "data_type": [
        None,
        5,
        [],
        {},
        {"name": 5},
        "r7",
        "r0",
        {"name": "uint16", "configuration": {"a": 1}},
        {"name": "numpy.datetime64"},
        {"name": "numpy.datetime64", "configuration": {"unit": "x", "scale_factor": 1}},
        {"name": "numpy.datetime64", "configuration": {"unit": "s", "scale_factor": 0}},
        {"name": "numpy.datetime64", "configuration": {"unit": ["s"], "scale_factor": 1}},
        {"name": "fixed_length_utf32", "configuration": {"length_bytes": 5}},
        {"name": "raw_bytes", "configuration": {"length_bytes": 0}},
        {"name": "struct", "configuration": {"fields": []}},
        {"name": "struct", "configuration": {"fields": [["a", "string"]]}},
        {"name": "struct", "configuration": {"fields": [["a", "int8"], ["a", "int8"]]}},
        {"name": "struct", "configuration": {"fields": [{"name": "", "data_type": "int8"}]}},
    ],
    "chunk_grid": [
        None,
        {},
        {"name": "regular"},
        {"name": "regular", "configuration": []},
        {"name": "regular", "configuration": {"chunk_shape": [5]}},
        {"name": "regular", "configuration": {"chunk_shape": [5, 0]}},
        {"name": "regular", "configuration": {"chunk_shape": [5, -1]}},
        {"name": "regular", "configuration": {"chunk_shape": [2**62, 2**62]}},
        {"name": "rectilinear", "configuration": {"chunk_shapes": [5, 5]}},
        {"name": "rectilinear", "configuration": {"kind": "inline", "chunk_shapes": [5]}},
        {"name": "rectilinear", "configuration": {"kind": "inline", "chunk_shapes": [5, []]}},
        {"name": "rectilinear", "configuration": {"kind": "inline", "chunk_shapes": [5, [5]]}},
        {"name": "rectilinear", "configuration": {"kind": "inline", "chunk_shapes": [5, [[5, 0]]]}},
        {
            "name": "rectilinear",
            "configuration": {"kind": "inline", "chunk_shapes": [5, [[5, 1, 1]]]},
        },
    ],
    "chunk_key_encoding": [None, 1, {"name": "default", "configuration": {"separator": "-"}}],
    "fill_value": [None, -1, 2**16, "x", [1], 1.5, True, {}],
    "codecs": [
        None,
        [],
        {},
        [5],
        ["crc32c"],
        ["bytes"],
        ["bytes", "bytes"],
        [{"name": "bytes", "configuration": {"endian": "middle"}}],
        ["crc32c", {"name": "bytes", "configuration": {"endian": "little"}}],
        [{"name": "bytes", "configuration": {"endian": "little"}}, "transpose"],
        [
            {"name": "transpose", "configuration": {"order": [0, 0]}},
            {"name": "bytes", "configuration": {"endian": "little"}},
        ],
        ["vlen-utf8"],
        ["sharding_indexed"],
    ],
    "attributes": [5, [], "x", None],
    "dimension_names": ["xy", ["y"], ["y", 5], {}],
    "storage_transformers": [5, [5]],
}


@pytest.mark.parametrize(
    ("field", "value"),
    [(field, value) for field, values in BROKEN_V3.items() for value in values],
    ids=lambda v: v if isinstance(v, str) else type(v).__name__,
)
def test_broken_v3_documents(v3, field, value):
    with pytest.raises(MetadataError) as caught:
        parse({**v3, field: value}, path="p")
    assert caught.value.kind == "metadata"
    assert caught.value.path == "p"


@pytest.mark.parametrize(
    "field",
    [
        "zarr_format",
        "node_type",
        "shape",
        "data_type",
        "chunk_grid",
        "chunk_key_encoding",
        "fill_value",
        "codecs",
    ],
)
def test_missing_fields_of_v3(v3, field):
    del v3[field]
    with pytest.raises(MetadataError, match=field):
        parse(v3)


@pytest.mark.parametrize(
    "path",
    [
        ("chunk_shape", [5, 3]),
        ("chunk_shape", [5, 0]),
        ("chunk_shape", [5]),
        ("codecs", []),
        ("codecs", None),
        ("index_codecs", ["crc32c"]),
        ("index_codecs", [{"name": "bytes", "configuration": {"endian": "little"}}, "zstd"]),
        ("index_location", "middle"),
        ("index_location", ["end"]),
    ],
)
def test_broken_sharding(v3, path):
    v3["codecs"][0]["configuration"][path[0]] = path[1]
    with pytest.raises(MetadataError, match=path[0]):
        parse(v3)


def test_shards_behind_a_transpose_are_divided_as_transposed(v3):
    v3["codecs"].insert(0, {"name": "transpose", "configuration": {"order": [1, 0]}})
    with pytest.raises(MetadataError, match="divide"):
        parse(v3)
    v3["codecs"][1]["configuration"]["chunk_shape"] = [2, 5]
    metadata = parse(v3)
    assert not metadata.is_exclusively_sharded
    assert metadata.subchunk_grid == metadata.grid


BROKEN_V2 = {
    "shape": [None, [-1, 20], [10]],
    "chunks": [None, [5], [0, 10], [5, 1.5], True],
    "dtype": [
        None,
        5,
        "u2",
        "<x2",
        "<u3",
        "|S0",
        "|O",
        "<M8[xx]",
        [],
        [["a"]],
        [["a", "<u2"], ["a", "<u2"]],
        [["", "<u2"]],
        "<U999999999999",
    ],
    "compressor": [
        5,
        {},
        {"id": 5},
        "zstd",
        {"id": "blosc", "shuffle": 7, "cname": "lz4", "clevel": 1},
    ],
    "fill_value": ["x", [1], 2**31],
    "order": [None, "A", 1],
    "filters": [5, {}, [5], [{}], [{"id": "delta", "dtype": "nonsense"}]],
    "dimension_separator": [None, "-", 5],
    "attributes": [5, None],
}


@pytest.mark.parametrize(
    ("field", "value"),
    [(field, value) for field, values in BROKEN_V2.items() for value in values],
    ids=lambda v: v if isinstance(v, str) else type(v).__name__,
)
def test_broken_v2_documents(v2, field, value):
    with pytest.raises(MetadataError) as caught:
        parse({**v2, field: value})
    assert caught.value.kind == "metadata"


@pytest.mark.parametrize("field", ["shape", "chunks", "dtype", "order"])
def test_missing_fields_of_v2(v2, field):
    del v2[field]
    with pytest.raises(MetadataError, match=field):
        parse(v2)


@pytest.mark.parametrize(
    "changes",
    [
        {"zarr_format": 4},
        {"data_type": "acme"},
        {"data_type": "float8_e9m9"},
        {"chunk_grid": {"name": "acme"}},
        {"chunk_key_encoding": {"name": "fanout"}},
    ],
    ids=str,
)
def test_what_is_unknown_is_unsupported_and_named(v3, changes):
    with pytest.raises(UnsupportedError) as caught:
        parse({**v3, **changes})
    assert caught.value.kind == "unsupported"


@pytest.mark.parametrize("dtype", ["<f16", "|O"])
def test_unsupported_v2_types(v2, dtype):
    v2 |= {"dtype": dtype, "filters": [{"id": "pickle"}], "fill_value": None}
    with pytest.raises(UnsupportedError):
        parse(v2)


@pytest.mark.parametrize("document", [None, 5, "x", [], {}, {"zarr_format": 3}, b"{}"])
def test_what_is_no_document(document):
    with pytest.raises(MetadataError):
        parse(document)


@pytest.mark.parametrize("value", [CYCLE, {1, 2}, b"x", object(), {(1, 2): 3}, DEEP])
def test_attributes_that_are_not_json(v3, value):
    with pytest.raises(MetadataError):
        parse({**v3, "attributes": {"a": value}})
