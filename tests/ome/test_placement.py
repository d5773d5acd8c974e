"""Where images lie: scales, units, transformations, and points from elements to the world."""

import numpy as np
import pytest

import anyzarr
from anyzarr.errors import MetadataError, UnsupportedError
from anyzarr.ome import open_ome_zarr
from anyzarr.ome._transforms import affine_of, chain_of, inverse_of

STEPS = {
    "identity": {"type": "identity"},
    "scale": {"type": "scale", "scale": [2, 3, 4]},
    "translation": {"type": "translation", "translation": [1, -2, 3.5]},
    "affine": {"type": "affine", "affine": [[1, 2, 0, 5], [0, 1, 0, 6], [3, 0, 1, 7]]},
    "rotation": {"type": "rotation", "rotation": [[0, -1, 0], [1, 0, 0], [0, 0, 1]]},
    "mapAxis": {"type": "mapAxis", "mapAxis": [2, 0, 1]},
}
STEPS["sequence"] = {
    "type": "sequence",
    "transformations": [STEPS["scale"], STEPS["mapAxis"], STEPS["affine"]],
}
STEPS["bijection"] = {
    "type": "bijection",
    "forward": STEPS["scale"],
    "inverse": {"type": "scale", "scale": [1 / 2, 1 / 3, 1 / 4]},
}
STEPS["byDimension"] = {
    "type": "byDimension",
    "transformations": [
        {
            "transformation": {"type": "mapAxis", "mapAxis": [1, 0]},
            "inputAxes": [0, 2],
            "outputAxes": [0, 2],
        },
        {
            "transformation": {"type": "scale", "scale": [5]},
            "inputAxes": [1],
            "outputAxes": [1],
        },
    ],
}
STEPS["inverseOf"] = {"type": "inverseOf", "transformation": STEPS["affine"]}
POINTS = np.random.default_rng(0).uniform(-5, 5, (4, 3))


@pytest.mark.oracle
@pytest.mark.parametrize("kind", [k for k in STEPS if k != "inverseOf"])
def test_points_go_where_the_oracle_has_them(kind):
    models = pytest.importorskip(
        "ome_zarr_models.v06.coordinate_transforms", reason="needs ome-zarr-models 1.8 or newer"
    )
    pydantic = pytest.importorskip("pydantic")
    theirs = pydantic.TypeAdapter(models.AnyTransform).validate_python(STEPS[kind])
    expected = [theirs.transform_point(tuple(point)) for point in POINTS]
    np.testing.assert_allclose(affine_of(STEPS[kind], 3)(POINTS), expected, rtol=1e-12)


BY_HAND = {
    "identity": (1, 2, 3),
    "scale": (2, 6, 12),
    "translation": (2, 0, 6.5),
    "affine": (10, 8, 13),
    "rotation": (-2, 1, 3),
    "mapAxis": (3, 1, 2),
    "sequence": (12 + 2 * 2 + 5, 2 + 6, 3 * 12 + 6 + 7),
    "bijection": (2, 6, 12),
    "byDimension": (3, 10, 1),
}


@pytest.mark.parametrize("kind", BY_HAND)
def test_one_point_by_hand(kind):
    assert affine_of(STEPS[kind], 3)((1, 2, 3)).tolist() == list(BY_HAND[kind])


@pytest.mark.parametrize("kind", STEPS)
def test_inverses(kind):
    there = affine_of(STEPS[kind], 3)(POINTS)
    np.testing.assert_allclose(inverse_of(STEPS[kind], 3)(there), POINTS, atol=1e-9)


def test_axes_are_dropped_and_created():
    step = {"type": "projectAxis", "droppedInputs": [0], "createdOutputs": [2]}
    assert affine_of(step, 3)((7, 8, 9)).tolist() == [8, 9, 0]
    assert affine_of({"type": "projectAxis", "droppedInputs": [1]}, 3)((7, 8, 9)).tolist() == [7, 9]
    with pytest.raises(UnsupportedError, match="projectAxis"):
        inverse_of(step, 3)


@pytest.mark.parametrize(
    "step",
    [
        {"type": "displacements", "path": "x"},
        {"type": "coordinates", "path": "x"},
        {"type": "warp"},
        {"type": 3},
        {},
        {"type": "affine", "path": "x"},
        {"type": "sequence", "transformations": [{"type": "displacements", "path": "x"}]},
        {"type": "inverseOf", "transformation": {"type": "scale", "scale": [1, 0, 1]}},
    ],
)
def test_what_is_not_affine_is_named(step):
    with pytest.raises(UnsupportedError) as caught:
        affine_of(step, 3)
    assert repr(step.get("type")) in str(caught.value) or "displacements" in str(caught.value) or (
        "'scale'" in str(caught.value)
    )  # fmt: skip


@pytest.mark.parametrize(
    "step",
    [
        {"type": "scale", "scale": [1, 2]},
        {"type": "scale", "scale": "x"},
        {"type": "scale", "scale": [1, None, 2]},
        {"type": "scale", "scale": [1, float("nan"), 2]},
        {"type": "scale"},
        {"type": "affine", "affine": [[1, 2], [3]]},
        {"type": "affine", "affine": [[1, 0, 0], [0, 1, 0], [0, 0, 1]]},
        {"type": "rotation", "rotation": [[1, 0], [0, 1]]},
        {"type": "mapAxis", "mapAxis": [0, 0, 1]},
        {"type": "mapAxis", "mapAxis": {"x": "y"}},
        {"type": "sequence", "transformations": 3},
        {"type": "sequence"},
        {"type": "bijection", "forward": 3},
        {"type": "byDimension", "transformations": [{"inputAxes": [0]}]},
        {
            "type": "byDimension",
            "transformations": [
                {"transformation": STEPS["identity"], "inputAxes": [0], "outputAxes": [7]}
            ],
        },
        {
            "type": "byDimension",
            "transformations": [
                {"transformation": STEPS["identity"], "inputAxes": [9], "outputAxes": [0]}
            ],
        },
        {"type": "projectAxis", "droppedInputs": [4]},
        {"type": "projectAxis", "createdOutputs": [-1]},
    ],
)
def test_broken_transformations_are_refused(step):
    with pytest.raises(MetadataError, match="transformation"):
        chain_of([step], 3)


def image_with(ome=None, **options):
    image = open_ome_zarr({}, mode="w", axes="zyx", **options)
    image.create_image("0", np.zeros((4, 8, 8), "u1"), scale=(2, 0.5, 0.5), translation=(1, 2, 3))
    image.compute_pyramid(levels=2)
    if ome is not None:
        stored = image.group.attrs["ome"]
        stored["multiscales"][0].update(ome)
        image.group.attrs["ome"] = stored
    return image


@pytest.mark.parametrize("version", ["0.4", "0.5", "0.6"])
def test_points_to_the_world_and_back(version):
    image = image_with(version=version)
    points = np.array([[0, 0, 0], [1, 2, 4]])
    np.testing.assert_array_equal(image.to_world(points), [[1, 2, 3], [3, 3, 5]])
    for level in (0, 1, "1"):
        world = image.to_world(points, level)
        np.testing.assert_allclose(image.to_index(world, level), points, atol=1e-12)
    assert image.to_world([0, 0, 0], 1).tolist() == [1, 2.25, 3.25]
    for bad in ([1, 2], 3, [[1, 2, 3, 4]]):
        with pytest.raises(MetadataError, match="points"):
            image.to_world(bad)


def test_transformations_of_the_whole_image_are_applied_last():
    steps = [{"type": "scale", "scale": [1, 10, 10]}]
    image = image_with({"coordinateTransformations": steps})
    assert image.scale == [2, 5, 5]
    assert image.translation == [1, 20, 30]
    assert image.to_world([1, 1, 1]).tolist() == [3, 25, 35]
    image.set_scale("y", 7.0)
    assert image.scale == [2, 7, 5]
    assert image.get_effective_scale(1) == [2, 14, 10]


def test_other_coordinate_systems():
    image = image_with(version="0.6")
    turned = {
        "type": "rotation",
        "rotation": [[0, 1, 0], [1, 0, 0], [0, 0, 1]],
        "output": {"name": "stage"},
    }
    shifted = {
        "type": "translation",
        "translation": [100, 0, 0],
        "input": {"name": "room"},
        "output": {"name": "stage"},
    }
    image.set_transform("*", [turned, shifted])
    assert [s.name for s in image.metadata.image.systems] == ["physical", "stage", "room"]
    assert image.to_world([0, 0, 0]).tolist() == [1, 2, 3]
    assert image.to_world([0, 0, 0], system="stage").tolist() == [2, 1, 3]
    assert image.to_world([0, 0, 0], system="room").tolist() == [-98, 1, 3]
    for system in ("physical", "stage", "room"):
        world = image.to_world([[1, 2, 3]], 1, system=system)
        np.testing.assert_allclose(image.to_index(world, 1, system=system), [[1, 2, 3]])
    with pytest.raises(MetadataError, match="'elsewhere'"):
        image.to_world([0, 0, 0], system="elsewhere")
    with pytest.raises(MetadataError, match="where it leads"):
        image.set_transform("*", [{"type": "identity"}])
    with pytest.raises(MetadataError, match=r"0\.6"):
        image_with().to_world([0, 0, 0], system="stage")


def test_a_field_is_named_where_it_is_needed_and_nowhere_else():
    image = image_with(version="0.6")
    field = {"type": "displacements", "path": "field", "output": {"name": "atlas"}, "name": "warp"}
    image.set_transform("*", [field])
    assert image.to_world([0, 0, 0]).tolist() == [1, 2, 3]
    with pytest.raises(UnsupportedError, match=r"'warp' of type 'displacements'"):
        image.to_world([0, 0, 0], system="atlas")
    image.set_scale("z", 5)
    (kept,) = image.metadata.image.transformations
    assert field.items() <= kept.items()


def test_numbers_in_an_array():
    image = image_with(version="0.6")
    image.group.create_array("matrix", data=np.array([[1, 0, 0, 5.0], [0, 1, 0, 6], [0, 0, 1, 7]]))
    image.set_transform("*", [{"type": "affine", "path": "matrix", "output": {"name": "w"}}])
    assert image.to_world([0, 0, 0], system="w").tolist() == [6, 8, 10]


def test_an_affine_image_has_no_scale_but_a_place():
    matrix = [[1, 0, 0, 0], [0, 0, 2, 0], [0, 2, 0, 0]]
    image = image_with()
    stored = image.group.attrs["ome"]
    stored["multiscales"][0]["datasets"][0]["coordinateTransformations"] = [
        {"type": "affine", "affine": matrix}
    ]
    image.group.attrs["ome"] = stored
    with pytest.raises(UnsupportedError, match="'affine'"):
        image.scale  # noqa: B018
    assert image.to_world([1, 2, 3]).tolist() == [1, 6, 4]
    assert image.data.shape == (4, 8, 8)


def test_scales_by_axis_mapping_and_list():
    image = image_with()
    image.set_scale("z", 5, "nanometer")
    assert image.axes[0].unit == "nanometer"
    image.set_scale([1, 2, 3])
    assert image.scale == [1, 2, 3]
    assert image.get_effective_scale(1) == [1, 4, 6]
    assert image.translation == [1, 2, 3]
    assert image.get_effective_translation(1) == [1, 3, 4.5]
    image.set_scale({"x": 0.1})
    assert image.scale == [1, 2, 0.1]
    again = open_ome_zarr(image.store)
    assert again.scale == [1, 2, 0.1]


@pytest.mark.parametrize(
    "arguments",
    [
        ("w", 1),
        ("z",),
        ("z", 0),
        ("z", -1),
        ("z", float("nan")),
        ("*", "z", 0.5),
        ("z", 1, "micron"),
        ({"w": 1},),
        ({"z": 1}, 2),
        ({"z": 1}, None, "micrometer"),
        ([1, 2],),
    ],
)
def test_scales_that_are_none(arguments):
    image = image_with()
    before = image.group.attrs.asdict()
    with pytest.raises(MetadataError):
        image.set_scale(*arguments)
    assert image.group.refresh().attrs.asdict() == before


def test_units():
    image = image_with()
    image.set_unit("y", "micrometer")
    assert open_ome_zarr(image.store).axes[1].unit == "micrometer"
    image.set_unit("y", None)
    assert open_ome_zarr(image.store).axes[1].unit is None
    for bad in (("y", "pixel"), ("w", "micrometer")):
        with pytest.raises(MetadataError):
            image.set_unit(*bad)


@pytest.mark.parametrize("version", ["0.4", "0.5", "0.6"])
def test_transformations_of_a_level(version):
    image = image_with(version=version)
    steps = [
        {"type": "scale", "scale": [1, 2, 3]},
        {"type": "translation", "translation": [4, 5, 6]},
    ]
    image.set_transform("1", steps)
    assert image.get_effective_scale(1) == [1, 2, 3]
    assert image.get_effective_translation(1) == [4, 5, 6]
    assert image.scale == [2, 0.5, 0.5]
    with pytest.raises(UnsupportedError, match="affine"):
        image.set_transform(0, [{"type": "affine", "affine": [[1, 1, 0, 0]] * 3}])
    with pytest.raises(MetadataError):
        image.set_transform(0, ["scale"])
    with pytest.raises(MetadataError):
        image.set_transform(0, [{"type": "scale", "scale": [1, 2]}])


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_transformations_of_the_whole_image_are_checked(version):
    image = image_with(version=version)
    image.set_transform("*", [{"type": "scale", "scale": [1, 2, 2]}])
    assert image.scale == [2, 1, 1]
    shift = {"type": "translation", "translation": [1, 1, 1]}
    with pytest.raises(MetadataError, match="one scale"):
        image.set_transform("*", [shift])
    image.set_transform("*", [])
    assert image.scale == [2, 0.5, 0.5]


def test_levels_in_any_order():
    """The largest array is level 0, wherever the metadata lists it."""
    store = {}
    group = anyzarr.create_group(store)
    for path, n in (("a", 4), ("b", 16), ("c", 8)):
        group.create_array(path, data=np.full((n, n), n, "u1"), chunks=(4, 4))
    for scales in ([4, 1, 2], [1, 1, 1]):
        group.attrs["ome"] = {
            "version": "0.5",
            "multiscales": [
                {
                    "axes": [{"name": n, "type": "space"} for n in "yx"],
                    "datasets": [
                        {
                            "path": path,
                            "coordinateTransformations": [{"type": "scale", "scale": [s, s]}],
                        }
                        for path, s in zip("abc", scales, strict=True)
                    ],
                }
            ],
        }
        image = open_ome_zarr(store)
        assert image.data.path == "b"
        assert [level.path for level in image.levels] == ["b", "c", "a"]
        assert image[-1].path == image["a"].path == "a"
        assert image.scale == [scales[1]] * 2
