"""Vector stores of images: made, listed, deleted, packed and read from servers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anyzarr
from anyzarr.errors import MetadataError, NodeExistsError, NodeNotFoundError, UnsupportedError
from anyzarr.vectors import read_points, validate, write_lines, write_points

SPOTS = np.array([[1, 10, 20], [3, 5, 5]])


def image(location: Any, **options: Any) -> Any:
    made = anyzarr.open_ome_zarr(location, mode="w", axes="zyx", **options)
    placed = {"scale": (2.0, 0.5, 0.5), "translation": (10.0, -5.0, 7.0)}
    made.create_image("0", np.zeros((4, 64, 80), "uint8"), **placed)
    for axis in "zyx":
        made.set_unit(axis, "micrometer")
    return made


def with_vectors(location: Any, **options: Any) -> Any:
    made = image(location, **options)
    write_points(made.create_vectors("spots"), made.to_world(SPOTS),
                 vertex_attributes={"i": [5, 6]})  # fmt: skip
    write_lines(made.create_vectors("links"), made.to_world(SPOTS[[[0, 1]]]))
    return made


def test_a_store_has_the_axes_units_and_extent_of_its_image(tmp_path: Path) -> None:
    made = image(tmp_path / "a.zarr")
    spots = made.create_vectors("spots", compressor="zstd")
    found = made.vectors()["spots"]
    assert [axis["name"] for axis in found.metadata.axes] == ["z", "y", "x"]
    assert {axis["unit"] for axis in found.metadata.axes} == {"micrometer"}
    assert found.bounds == ((9.0, -5.25, 6.75), (17.0, 26.75, 46.75))
    assert found.chunk_shape == (5.0, 5.0, 5.0)
    write_points(spots, made.to_world(SPOTS))
    write_points(spots, made.to_world(SPOTS - 1), mode="append")
    back = made.to_index(read_points(made.get_vectors("spots")).positions)
    expected = np.concatenate([SPOTS, SPOTS - 1])
    assert sorted(back.tolist()) == sorted(expected.astype(float).tolist())
    assert validate(spots, level=4).valid


def test_axes_may_come_in_another_order_and_unit() -> None:
    made = image({})
    made.create_vectors("xyz", axes="xyz")
    found = made.vectors()["xyz"]
    assert found.bounds == ((6.75, -5.25, 9.0), (46.75, 26.75, 17.0))
    assert found.metadata.axes[0] == {"name": "x", "type": "space", "unit": "micrometer"}
    axes = [{"name": "x", "type": "space", "unit": "nanometer"}, {"name": "y", "type": "space"}]
    made.create_vectors("nm", axes=axes)
    low, high = made.vectors()["nm"].bounds
    assert (*low, *high) == pytest.approx((6750, -5.25, 46750, 26.75))
    assert made.vectors()["nm"].chunk_shape == pytest.approx((5000, 5.0))
    with pytest.raises(MetadataError) as error:
        made.create_vectors("odd", axes="uv")
    assert error.value.kind == "axes"
    made.create_vectors("odd", axes="uv", bounds=([0, 0], [9, 9]), chunk_shape=(3, 3))
    assert list(made.vectors()) == ["xyz", "nm", "odd"]


def test_vectors_are_listed_replaced_and_deleted() -> None:
    made = with_vectors({})
    assert list(made.vectors()) == made.vector_names == ["spots", "links"]
    assert len(made.vectors()) == 2
    assert "spots" in repr(made.vectors())
    with pytest.raises(NodeExistsError):
        made.create_vectors("spots")
    made.create_vectors("spots", overwrite=True)
    assert read_points(made.get_vectors("spots")).vertex_count == 0
    assert made.vector_names == ["links", "spots"]
    made.delete_vectors("links")
    assert made.vector_names == ["spots"]
    for call in (made.get_vectors, made.delete_vectors, made.vectors().__getitem__):
        with pytest.raises(KeyError, match="'spots'"):
            call("links")
    with pytest.raises(NodeNotFoundError):
        made.vectors()["links"]
    for name in ("", "a/b"):
        with pytest.raises(MetadataError):
            made.create_vectors(name)


def test_stores_that_nobody_lists_are_found_by_their_metadata(tmp_path: Path) -> None:
    image(tmp_path / "a.zarr")
    (tmp_path / "a.zarr/vectors").mkdir()
    found = anyzarr.open_ome_zarr(tmp_path / "a.zarr")
    assert found.vector_names == []
    group = anyzarr.open_group(tmp_path / "a.zarr", mode="r+").require_group("vectors")
    group.create_group("other")
    write_points(tmp_path / "a.zarr/vectors/copied", [[1, 2, 3]])
    assert found.vector_names == ["copied"]
    assert found.vectors()["copied"][0].compute().vertex_count == 1


def test_images_of_zarr_v2_have_no_vectors() -> None:
    old = image({}, version="0.4")
    assert list(old.vectors()) == []
    with pytest.raises(UnsupportedError) as error:
        old.create_vectors("spots")
    assert error.value.kind == "zarr_format"


def test_info_tells_them_and_says_what_is_broken(tmp_path: Path) -> None:
    with_vectors(tmp_path / "a.zarr")
    first, second = anyzarr.info(tmp_path / "a.zarr").vectors
    assert (first.name, first.geometry_types, first.vertex_count) == ("spots", ("point_cloud",), 2)
    assert (second.axes, second.n_levels, second.error) == (("z", "y", "x"), 1, None)
    (tmp_path / "a.zarr/vectors/spots/zarr.json").unlink()
    broken = anyzarr.info(tmp_path / "a.zarr").vectors[0]
    assert broken.error is not None
    (tmp_path / "a.zarr/vectors/zarr.json").write_bytes(b"{")
    (note,) = anyzarr.info(tmp_path / "a.zarr").notes
    assert "vectors cannot be listed" in note


# -- validity


@pytest.mark.oracle
def test_the_image_stays_valid(tmp_path: Path) -> None:
    with_vectors(tmp_path / "a.zarr")
    assert anyzarr.validate(tmp_path / "a.zarr", deep=True).valid
    zarr = pytest.importorskip("zarr", minversion="3")
    models = pytest.importorskip("ome_zarr_models")
    assert len(models.open_ome_zarr(zarr.open_group(tmp_path / "a.zarr", mode="r")).datasets[0]) > 0
    yaozarrs = pytest.importorskip("yaozarrs")
    yaozarrs.validate_zarr_store(str(tmp_path / "a.zarr"))


def test_vectors_of_an_image_are_validated_with_it(tmp_path: Path) -> None:
    with_vectors(tmp_path / "a.zarr")
    fine = anyzarr.validate(tmp_path / "a.zarr", deep=True)
    assert fine.valid
    assert fine.n_nodes > 12
    document = tmp_path / "a.zarr/vectors/spots/0/vertices/zarr.json"
    stored = json.loads(document.read_bytes())
    stored["attributes"]["nonempty_chunks"] = ["0.0.0"]
    document.write_text(json.dumps(stored))
    (tmp_path / "a.zarr/vectors/links/zarr.json").unlink()
    found = anyzarr.validate(tmp_path / "a.zarr", deep=True).errors
    assert {"vectors-missing", "vectors/links"} <= {
        text for f in found for text in (f.rule, f.path)
    }
    assert any(f.path.startswith("vectors/spots/0") for f in found)


def test_a_tree_tells_vector_stores_and_their_levels(tmp_path: Path) -> None:
    with_vectors(tmp_path / "a.zarr")
    told = {node.path: node for node in anyzarr.open(tmp_path / "a.zarr").tree().walk()}
    assert told["vectors/spots"].vectors == "vector store: point_cloud"
    assert told["vectors/links/0"].vectors == "2 vertices"
    assert told["vectors"].vectors is None
    assert told["vectors/spots"].to_dict()["vectors"] == "vector store: point_cloud"
    assert not told["vectors/spots"].is_image


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")
def test_the_package_reads_them(tmp_path: Path) -> None:
    points = pytest.importorskip("zarr_vectors.types.points")
    made = with_vectors(tmp_path / "a.zarr")
    found = points.read_points(str(tmp_path / "a.zarr/vectors/spots"))
    assert np.array_equal(np.sort(found["positions"], axis=0),
                          np.sort(made.to_world(SPOTS), axis=0))  # fmt: skip


# -- archives and servers


def check_vectors(location: Any) -> None:
    found = anyzarr.open_ome_zarr(location)
    assert list(found.vectors()) == ["spots", "links"]
    spots = found.vectors()["spots"][0].compute()
    assert sorted(found.to_index(spots.positions).tolist()) == sorted(SPOTS.astype(float).tolist())
    assert sorted(spots.vertex_attributes["i"].tolist()) == [5, 6]
    assert found.vectors()["links"][0].compute().line_count == 1


@pytest.mark.parametrize("how", ["converted", "written", "zip"])
def test_image_and_vectors_are_packed_together(how: str, tmp_path: Path) -> None:
    target = tmp_path / ("a.zip" if how == "zip" else "a.ozx")
    if how == "written":
        with with_vectors(target):
            pass
    else:
        with_vectors(tmp_path / "a.zarr")
        anyzarr.convert(tmp_path / "a.zarr", target)
    check_vectors(target)
    assert anyzarr.validate(target).valid
    assert [layer.name for layer in anyzarr.info(target).vectors] == ["spots", "links"]
    with pytest.raises(anyzarr.errors.AnyzarrError):
        anyzarr.open_ome_zarr(target).create_vectors("more")
    anyzarr.convert(target, tmp_path / "b.zarr")
    check_vectors(tmp_path / "b.zarr")


def test_they_are_read_from_servers_that_cannot_list(tmp_path: Path, web: str) -> None:
    with_vectors(tmp_path / "a.zarr")
    anyzarr.convert(tmp_path / "a.zarr", tmp_path / "a.ozx")
    check_vectors(f"{web}/a.ozx")
    assert list(anyzarr.open_ome_zarr(f"{web}/a.zarr").vectors()) == ["spots", "links"]
    anyzarr.open_group(tmp_path / "a.zarr", mode="r+").consolidate()
    check_vectors(f"{web}/a.zarr")


@pytest.mark.parametrize("options", [{"chunks": (2, 32, 32)}, {"version": "0.6"}])
def test_other_versions_and_chunks_of_the_image_keep_them(
    options: dict[str, Any], tmp_path: Path
) -> None:
    with_vectors(tmp_path / "a.zarr")
    anyzarr.convert(tmp_path / "a.zarr", tmp_path / "b.zarr", **options)
    check_vectors(tmp_path / "b.zarr")
    assert validate(tmp_path / "b.zarr/vectors/links", level=4).valid


def test_consolidated_metadata_is_kept_in_step(tmp_path: Path) -> None:
    made = with_vectors(tmp_path / "a.zarr")
    anyzarr.open_group(tmp_path / "a.zarr", mode="r+").consolidate()
    made = anyzarr.open_ome_zarr(tmp_path / "a.zarr", mode="r+")
    write_points(made.create_vectors("more"), made.to_world(SPOTS))
    found = anyzarr.open_ome_zarr(tmp_path / "a.zarr")
    assert list(found.vectors()) == ["spots", "links", "more"]
    assert found.vectors()["more"][0].compute().vertex_count == 2
    document = json.loads((tmp_path / "a.zarr/zarr.json").read_bytes())
    known = document.get("consolidated_metadata", {}).get("metadata", {})
    for name, held in known.items():
        stored = json.loads((tmp_path / "a.zarr" / name / "zarr.json").read_bytes())
        assert held["attributes"] == stored["attributes"], name
