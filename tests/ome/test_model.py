"""Metadata documents: read, kept, written again; refused in words where they cannot be."""

import copy

import numpy as np
import pytest

from anyzarr.errors import MetadataError, UnsupportedError
from anyzarr.ome import Channel, ImageMetadata, Window, default_channels

MULTISCALE = {
    "name": "cells",
    "axes": [
        {"name": "c", "type": "channel"},
        {"name": "y", "type": "space", "unit": "micrometer", "long_name": "height"},
        {"name": "x", "type": "space", "unit": "micrometer"},
    ],
    "datasets": [
        {
            "path": "s0",
            "coordinateTransformations": [
                {"type": "scale", "scale": [1, 0.5, 0.5]},
                {"type": "translation", "translation": [0, 10, 20]},
            ],
            "note": "kept",
        },
        {"path": "s1", "coordinateTransformations": [{"type": "scale", "scale": [1, 1, 1]}]},
    ],
    "coordinateTransformations": [{"type": "scale", "scale": [1, 2, 2]}],
    "type": "gaussian",
    "metadata": {"method": "other"},
    "vendor": [1, 2],
}
OMERO = {
    "id": 3,
    "channels": [
        {
            "label": "DAPI",
            "color": "0000FF",
            "active": True,
            "coefficient": 1,
            "window": {"min": 0, "max": 255, "start": 3, "end": 200, "by": "hand"},
        }
    ],
    "rdefs": {"model": "color"},
}
V05 = {"ome": {"version": "0.5", "multiscales": [MULTISCALE], "omero": OMERO, "other": {"a": 1}}}
V04 = {"multiscales": [{"version": "0.4", **MULTISCALE}], "omero": OMERO}


@pytest.mark.parametrize("attributes", [V05, V04])
def test_what_is_read_is_written_again(attributes):
    before = copy.deepcopy(attributes)
    metadata = ImageMetadata.from_attributes(attributes)
    assert metadata.to_attributes() == before
    assert attributes == before


def test_values():
    metadata = ImageMetadata.from_attributes(V05)
    assert metadata.version == "0.5"
    image = metadata.image
    assert image.placement(0) == ((1, 0.5, 0.5), (0, 10, 20))
    assert image.effective_placement(0) == ((1, 1, 1), (0, 20, 40))
    assert image.effective_placement(1) == ((1, 2, 2), (0, 0, 0))
    window = metadata.omero.channels[0].window
    assert (window.min, window.max, window.start, window.end) == (0, 255, 3, 200)
    assert window.extra == {"by": "hand"}
    assert metadata.omero.channels[0].label == "DAPI"


def test_other_attributes_of_a_group_are_no_business_of_ours():
    attributes = ImageMetadata.from_attributes({**V04, "author": "me"}).to_attributes()
    assert "author" not in attributes


@pytest.mark.parametrize(
    "change",
    [
        {"multiscales": []},
        {"multiscales": "x"},
        {"multiscales": [3]},
        {"multiscales": [{**MULTISCALE, "datasets": []}]},
        {"multiscales": [{**MULTISCALE, "datasets": [{"no": "path"}]}]},
        {"multiscales": [{**MULTISCALE, "coordinateTransformations": 3}]},
        {"omero": {"channels": 3}},
    ],
)
def test_broken_documents_are_refused(change):
    with pytest.raises(MetadataError):
        ImageMetadata.from_attributes({"ome": {**V05["ome"], **change}})


def test_versions_not_known_are_named():
    with pytest.raises(UnsupportedError, match=r"0\.9"):
        ImageMetadata.from_attributes({"ome": {**V05["ome"], "version": "0.9"}})


def test_odd_parts_are_kept_where_they_are_not_needed():
    odd = {
        **MULTISCALE,
        "metadata": "a string",
        "datasets": [{"path": "0", "coordinateTransformations": [{"type": "affine", "path": "x"}]}],
    }
    attributes = {"ome": {"version": "0.5", "multiscales": [odd], "omero": "odd"}}
    metadata = ImageMetadata.from_attributes(attributes)
    assert metadata.to_attributes() == attributes
    with pytest.raises(UnsupportedError, match="affine"):
        metadata.image.placement(0)


def test_wrong_number_of_scales():
    bad = {**MULTISCALE, "coordinateTransformations": [{"type": "scale", "scale": [1, 2]}]}
    metadata = ImageMetadata.from_attributes({"ome": {"version": "0.5", "multiscales": [bad]}})
    with pytest.raises(MetadataError, match="2 numbers"):
        metadata.image.effective_placement(0)


def test_default_channels_are_complete():
    channels = default_channels(3, np.dtype("u1"), names=["a", "b", "c"])
    assert [c.label for c in channels] == ["a", "b", "c"]
    assert all(len(c.color) == 6 for c in channels)
    assert channels[0].window == Window(0, 255, 0, 255)
    (kept,) = default_channels(1, np.dtype("f4"), given=[Channel("x", "123ABC")])
    assert (kept.label, kept.color, kept.window) == ("x", "123ABC", Window(0, 1, 0, 1))


@pytest.mark.parametrize("color", ["red", "#FF0000", "FF00", "FF0000FF"])
def test_colours_have_six_digits(color):
    with pytest.raises(MetadataError, match="six hexadecimal"):
        default_channels(1, np.dtype("u1"), given=[Channel("x", color)])


def test_number_of_channels_must_fit():
    with pytest.raises(MetadataError, match="2 channels"):
        default_channels(2, np.dtype("u1"), names=["a"])
