"""``anyzarr.info`` and ``tree``: facts as values, for every kind of node and location."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anyzarr
from anyzarr._info import (
    ArrayInfo,
    GroupInfo,
    ImageInfo,
    LabelsInfo,
    StoredSize,
    backends,
    engines,
    explain_engines,
    info,
    tree,
)
from anyzarr.errors import MetadataError, NodeNotFoundError, UnsupportedError


def memory_array(**options: Any) -> dict[str, bytes]:
    store: dict[str, bytes] = {}
    anyzarr.create_array(store, **{"shape": (30, 20), "chunks": (10, 10), "dtype": "u2", **options})
    return store


def test_array() -> None:
    facts = info(memory_array(attributes={"a": 1}, dimension_names=("y", "x")))
    assert isinstance(facts, ArrayInfo)
    assert (facts.shape, facts.chunks, facts.shards) == ((30, 20), (10, 10), None)
    assert (facts.dtype, facts.fill_value, facts.zarr_format) == ("uint16", 0, 3)
    assert (facts.n_chunks, facts.n_bytes) == (6, 1200)
    assert facts.dimension_names == ("y", "x")
    assert facts.attributes == {"a": 1}
    assert facts.stored is None


def test_sharded_array_tells_subchunks_shards_and_inner_codecs() -> None:
    facts = info(
        memory_array(shards=(20, 20), compressors={"name": "gzip", "configuration": {"level": 4}})
    )
    assert isinstance(facts, ArrayInfo)
    assert (facts.chunks, facts.shards, facts.n_chunks) == ((10, 10), (20, 20), 2)
    assert facts.codecs == ("bytes", "gzip (level 4)")


BLOSC = {"cname": "zstd", "clevel": 1, "shuffle": "bitshuffle", "typesize": 2, "blocksize": 0}


@pytest.mark.parametrize(
    ("codec", "phrase"),
    [
        ({"name": "zstd", "configuration": {"level": 3, "checksum": False}}, "zstd (level 3)"),
        ({"name": "blosc", "configuration": BLOSC}, "blosc (zstd, level 1, bitshuffle)"),
        ({"name": "crc32c"}, "crc32c"),
    ],
)
def test_codecs_as_phrases(codec: dict[str, Any], phrase: str) -> None:
    assert info(memory_array(compressors=[codec])).codecs[-1] == phrase


def test_v2_array() -> None:
    facts = info(memory_array(zarr_format=2, order="F", dtype=">i4"))
    assert isinstance(facts, ArrayInfo)
    assert facts.zarr_format == 2
    assert any(phrase.startswith("transpose") for phrase in facts.codecs)


def test_stored_size_counts_chunks_not_documents() -> None:
    store = memory_array(compressors=None)
    anyzarr.open_array(store)[:15] = 1
    assert info(store, stored=True).stored == StoredSize(4, 4 * 200)
    assert tree(store).to_dict()["kind"] == "array"


def test_named_engine_and_one_that_declines() -> None:
    store = memory_array()
    assert info(store, engine="zarr").engine == "zarr"
    assert info(store, engine="reference").engine == "zarr"
    with pytest.raises(UnsupportedError) as caught:
        info(store, engine="nonsense")
    assert caught.value.kind == "unknown_engine"


def test_array_no_engine_can_read_is_still_told() -> None:
    store = memory_array()
    document = json.loads(store["zarr.json"])
    document["codecs"].append({"name": "made.up", "configuration": {"x": 1}})
    store["zarr.json"] = json.dumps(document).encode()
    facts = info(store)
    assert isinstance(facts, ArrayInfo)
    assert facts.engine is None
    assert facts.io is None
    assert "made.up" in str(facts.engine_reason)
    assert not any(report.chosen for report in explain_engines(store).engines)


def test_group_and_open_nodes() -> None:
    group = anyzarr.create_group({}, attributes={"k": [1]})
    array = group.create_array("a/b", shape=(4,), dtype="f4")
    facts = info(group)
    assert isinstance(facts, GroupInfo)
    assert [member.name for member in facts.members] == ["a"]
    assert info(group, path="a/b").path == "a/b"
    assert info(array).path == "a/b"
    assert info(group["a"], path="b").shape == (4,)
    assert [(n.path, n.kind) for n in tree(group).walk()] == [
        ("", "group"), ("a", "group"), ("a/b", "array"),
    ]  # fmt: skip


def ome_store(**changes: Any) -> dict[str, bytes]:
    steps = [
        {"type": "scale", "scale": [2.0, 0.5]},
        {"type": "translation", "translation": [0.0, 1.0]},
    ]
    multiscale = {
        "name": "n",
        "axes": [{"name": a, "type": "space", "unit": "nanometer"} for a in "yx"],
        "datasets": [{"path": "s0", "coordinateTransformations": steps}],
        **changes,
    }
    store: dict[str, bytes] = {}
    group = anyzarr.create_group(
        store, attributes={"ome": {"version": "0.5", "multiscales": [multiscale]}}
    )
    group.create_array("s0", shape=(8, 6), chunks=(4, 6), dtype="i2")
    return store


def test_image() -> None:
    facts = info(ome_store(), stored=True)
    assert isinstance(facts, ImageInfo)
    assert (facts.name, facts.version, facts.dtype) == ("n", "0.5", "int16")
    assert [(a.name, a.size, a.scale, a.unit) for a in facts.axes] == [
        ("y", 8, 2.0, "nanometer"), ("x", 6, 0.5, "nanometer"),
    ]  # fmt: skip
    (level,) = facts.levels
    assert (level.path, level.translation, level.stored) == ("s0", (0.0, 1.0), StoredSize(0, 0))
    assert facts.channels == ()
    assert facts.labels == ()


def test_image_placed_by_an_unknown_transformation_is_still_told() -> None:
    facts = info(ome_store(coordinateTransformations=[{"type": "affine", "affine": [[1]]}]))
    assert isinstance(facts, ImageInfo)
    assert facts.axes[0].scale is None
    assert facts.levels[0].scale is None


def test_image_whose_axes_do_not_fit_its_array() -> None:
    axes = [{"name": a, "type": "space"} for a in "zyx"]
    with pytest.raises(MetadataError) as caught:
        info(ome_store(axes=axes))
    assert caught.value.kind == "metadata"


def labelled() -> dict[str, bytes]:
    store: dict[str, bytes] = {}
    with anyzarr.open_ome_zarr(store, mode="w", axes="cyx", channel_names=["DAPI"]) as image:
        image.create_image("0", np.zeros((1, 64, 48), "uint16"))
        image.create_label("nuclei", np.ones((64, 48), "uint8"), colors={1: "FF0000"})
        image.create_label("cells", np.ones((64, 48), "uint32"))
    return store


def test_labels_of_an_image() -> None:
    nuclei, cells = info(labelled()).labels
    assert (nuclei.name, nuclei.shape, nuclei.dtype) == ("nuclei", (64, 48), "uint8")
    assert (nuclei.n_levels, nuclei.n_colors, nuclei.source) == (1, 1, "../../")
    assert (cells.name, cells.dtype, cells.n_colors, cells.error) == ("cells", "uint32", 0, None)


def test_label_image_and_list_of_labels() -> None:
    store = labelled()
    listed = info(store, path="labels")
    assert isinstance(listed, LabelsInfo)
    assert [label.name for label in listed.labels] == ["nuclei", "cells"]
    one = info(store, path="labels/nuclei")
    assert isinstance(one, ImageInfo)
    assert one.label is not None
    assert (one.label.n_colors, one.label.source) == (1, "../../")
    assert one.labels == ()
    assert info(store).label is None


def test_label_image_that_is_not_there_is_named() -> None:
    store = ome_store()
    anyzarr.create_group(
        store, path="labels", attributes={"ome": {"version": "0.5", "labels": ["cells"]}}
    )
    (label,) = info(store).labels
    assert (label.name, label.shape) == ("cells", None)
    assert "labels/cells" in str(label.error)


def test_attributes_called_labels_make_no_list_of_labels() -> None:
    group = anyzarr.create_group({}, attributes={"labels": ["a", "b"]})
    assert isinstance(info(group), GroupInfo)


def test_further_multiscales_of_a_group() -> None:
    store = ome_store()
    document = json.loads(store["zarr.json"])
    (first,) = document["attributes"]["ome"]["multiscales"]
    paths = [{**first["datasets"][0], "path": path} for path in ("s0", "gone")]
    document["attributes"]["ome"]["multiscales"].append(
        {**first, "name": "second", "datasets": paths}
    )
    store["zarr.json"] = json.dumps(document).encode()
    (more,) = info(store).more
    assert (more.name, more.axes) == ("second", ("y", "x"))
    assert more.levels == (("s0", (8, 6)), ("gone", None))


def test_to_dict_is_json_whatever_the_values() -> None:
    facts = dataclasses.replace(
        info(memory_array()), attributes={"a": math.nan, "b": (math.inf, np.float32(1))}
    )
    text = json.dumps(facts.to_dict(), allow_nan=False)
    assert json.loads(text)["attributes"] == {"a": "NaN", "b": ["Infinity", 1.0]}


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(NodeNotFoundError) as caught:
        info({})
    assert caught.value.kind == "node_not_found"
    with pytest.raises(NodeNotFoundError):
        tree(memory_array(), path="nope")


def test_engines_and_backends_are_listed_in_order() -> None:
    assert [engine.name for engine in engines()] == anyzarr.list_engines()
    assert {backend.name for backend in backends()} == set(anyzarr.list_backends())
