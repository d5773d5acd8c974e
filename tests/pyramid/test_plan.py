"""Factors, shapes, scales and translations of pyramid levels."""

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anyzarr._pyramid import LARGEST_TOP_LEVEL, default_factors, plan_levels
from anyzarr.errors import MetadataError


def test_isotropic_volume_halves_every_axis():
    assert default_factors((600, 600, 600), (0, 1, 2), (1, 1, 1)) == ((2, 2, 2), (2, 2, 2))


def test_z_waits_until_voxels_are_nearly_cubes():
    # 2 µm against 0.25 µm: in-plane 0.5, 1, 2 (z joins once in-plane is 2 / √2 or more)
    factors = default_factors((40, 8192, 8192), (0, 1, 2), (2.0, 0.25, 0.25))
    assert [f[0] for f in factors] == [1, 1, 1, 2, 2]
    assert all(f[1:] == (2, 2) for f in factors)


@pytest.mark.parametrize(("ratio", "expected"), [(1.0, 2), (1.41, 2), (1.42, 1), (0.5, 2)])
def test_the_limit_is_the_root_of_two(ratio, expected):
    factors = default_factors((300, 300, 300), (0, 1, 2), (ratio, 1, 1))
    assert factors[0][0] == expected


def test_in_plane_axes_are_halved_whatever_their_proportions():
    assert default_factors((600, 600), (0, 1), (3, 1)) == ((2, 2), (2, 2))
    assert default_factors((600, 1, 1), (0, 1, 2), (9, 1, 1)) == ((2, 1, 1), (2, 1, 1))


def test_time_and_channels_are_never_mixed():
    factors = default_factors((9, 4, 1, 2048, 2048), (2, 3, 4), (1, 1, 1, 1, 1))
    assert factors == ((1, 1, 1, 2, 2),) * 3


def test_small_images_have_one_level():
    assert default_factors((256, 256), (0, 1), (1, 1)) == ()


def test_number_of_levels_is_kept_where_the_shape_allows():
    assert len(default_factors((100, 100), (0, 1), (1, 1), n_levels=4)) == 3
    assert len(default_factors((4, 4), (0, 1), (1, 1), n_levels=9)) == 2
    assert default_factors((4096, 4096), (0, 1), (1, 1), n_levels=1) == ()


@given(
    st.tuples(*[st.integers(1, 10**6)] * 3),
    st.tuples(*[st.floats(1e-3, 1e3)] * 3),
)
@settings(max_examples=200, deadline=None)
def test_pyramids_end_and_end_small(shape, voxel_size):
    factors = default_factors(shape, (0, 1, 2), voxel_size)
    levels = plan_levels(shape, voxel_size, (0, 0, 0), factors)
    assert max(levels[-1].shape) <= LARGEST_TOP_LEVEL
    if len(levels) > 1:
        assert max(levels[-2].shape) > LARGEST_TOP_LEVEL
    for finer, coarser in itertools.pairwise(levels):
        assert any(f > 1 for f in coarser.factors)
        assert coarser.shape == tuple(
            math.ceil(n / f) for n, f in zip(finer.shape, coarser.factors, strict=True)
        )


def test_centres_move_by_half_a_window():
    levels = plan_levels((3, 100, 100), (1, 0.5, 0.25), (0, 10, 20), [(1, 2, 2), (1, 2, 2)])
    assert levels[0].translation == (0, 10, 20)
    assert levels[1].scale == (1, 1.0, 0.5)
    assert levels[1].translation == (0, 10.25, 20.125)
    assert levels[2].scale == (1, 2.0, 1.0)
    assert levels[2].translation == (0, 10.75, 20.375)


def test_nearest_keeps_the_place_of_the_first_element():
    levels = plan_levels((8, 8), (1, 1), (5, 6), [(2, 2)], centred=False)
    assert levels[1].translation == (5, 6)


@pytest.mark.parametrize("factors", [(2,), (2, 0), (2, 1.5), (2, 2, 2)])
def test_bad_factors_are_refused(factors):
    with pytest.raises(MetadataError):
        plan_levels((8, 8), (1, 1), (0, 0), [factors])
