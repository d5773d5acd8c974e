"""Axes: the rules of the specification, and what the oracles think of what passes."""

from typing import get_args

import pytest

from anyzarr.errors import MetadataError
from anyzarr.ome import Axis, axes_of, check_axes, default_axes
from anyzarr.ome._axes import SPACE_UNITS, TIME_UNITS, metres


@pytest.mark.parametrize("text", ["yx", "zyx", "cyx", "tyx", "czyx", "tzyx", "tcyx", "tczyx"])
def test_usual_axes_pass(text):
    axes = axes_of(text)
    check_axes(axes)
    assert "".join(axis.name for axis in axes) == text


@pytest.mark.parametrize(
    ("axes", "rule"),
    [
        ("x", "2 to 5"),
        ("tczyxw", "2 to 5"),
        ("yy", "unique"),
        ("ty", "2 or 3"),
        ("cty", "2 or 3"),
        ("ctyx", "time comes first"),
        ("yxc", "time comes first"),
        ("zcyx", "time comes first"),
        ("caYX", "at most one"),
    ],
)
def test_broken_rules_are_named(axes, rule):
    with pytest.raises(MetadataError, match=rule):
        check_axes(axes_of(axes))


def test_units_are_checked_by_kind():
    check_axes([Axis("t", "time", "second"), *axes_of("yx")])
    check_axes([Axis("a", "angle", "degree"), *axes_of("yx")])
    for bad in (Axis("t", "time", "meter"), Axis("z", "space", "µm"), Axis("z", "space", "pixel")):
        with pytest.raises(MetadataError, match=repr(bad.unit)):
            check_axes([bad, *axes_of("yx")])


def test_documents_keep_what_is_not_known():
    document = {"name": "z", "type": "space", "unit": "micrometer", "orientation": "up"}
    (axis,) = axes_of([document])
    assert axis.to_document() == document
    assert axes_of(["T"])[0].type == "time"
    assert axes_of(["w"])[0].to_document() == {"name": "w"}


@pytest.mark.parametrize("bad", [[3], [{}], [{"name": 3}], [None]])
def test_what_is_no_axis_is_refused(bad):
    with pytest.raises(MetadataError, match="no axis"):
        axes_of(bad)


def test_default_axes():
    assert "".join(a.name for a in default_axes(3)) == "zyx"
    assert "".join(a.name for a in default_axes(3, has_channels=True)) == "cyx"
    for ndim in (1, 6):
        with pytest.raises(MetadataError):
            default_axes(ndim)


def test_lengths():
    assert metres(Axis("x", "space", "nanometer")) == pytest.approx(1e-9)
    assert metres(Axis("x", "space")) == pytest.approx(1e-6)


@pytest.mark.oracle
def test_units_are_those_of_the_oracle():
    axis = pytest.importorskip("yaozarrs._axis")
    assert set(get_args(axis.ValidSpaceUnit)) == SPACE_UNITS
    assert set(get_args(axis.ValidTimeUnit)) == TIME_UNITS
