"""Our rules agree with the specification's JSON schemas, as ngff-zarr ships them.

What a schema refuses we refuse. What it lets pass and we refuse breaks a rule that the text of
the specification has and the schema cannot or does not express: those are listed here.
"""

from __future__ import annotations

import copy
import json
from functools import cache
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from anyzarr import validate_attributes

from ._documents import CASES, TRANSFORMATIONS, valid_attributes

TEXT_RULES = {
    "no-metadata",
    "axis-type-given",
    "axes-count",
    "axes-names-unique",
    "axes-order",
    "axes-space",
    "axes-unique",
    "coordinate-system-unique",
    "datasets-order",
    "datasets-output",
    "image-label-value",
    "labels-path",
    "omero-color",
    "omero-color-form",
    "omero-window",
    "plate-acquisition-unique",
    "plate-columns-names-unique",
    "plate-rows-names-unique",
    "plate-well-columnIndex",
    "plate-well-index",
    "plate-well-known",
    "plate-well-rowIndex",
    "plate-well-unique",
    "transformation-affine",
    "transformation-type",  # the schema of 0.6 lets the type of a level be left out
    "transformation-input-path",
    "transformation-output-known",
    "transformation-scale-length",
    "transformation-translation-length",
    "transformations-order",
    "transformations-translation",
    "well-image-unique",
}


@cache
def registry(version: str) -> Registry[Any]:
    found = files("ngff_zarr").joinpath("spec", version, "schemas")
    texts = [f.read_text() for f in found.iterdir() if f.name.endswith(".schema")]
    documents = [json.loads(text) for text in texts]
    return Registry().with_resources(
        (document["$id"], DRAFT202012.create_resource(document)) for document in documents
    )


@cache
def schema(version: str, kind: str) -> Draft202012Validator:
    found = files("ngff_zarr").joinpath("spec", version, "schemas", f"{kind}.schema")
    return Draft202012Validator(json.loads(found.read_text()), registry=registry(version))


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    if isinstance(value, dict | list):
        entries = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in entries:
            found += places(inner, (*path, key))
    return found


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 300),
    st.sampled_from([0.5, 3.0, -1.5, 1.0]),
    st.sampled_from(
        ["", "A", "a b", "A/1", "A/1/0", "space", "time", "channel", "custom", "array", "scale",
         "translation", "identity", "sequence", "0.1", "0.3", "0.4", "0.5", "0.6", "meter", "x",
         "..", "__a", "a_b", "00FF00", "GG0000"]
    ),
    st.just([]),
    st.just({}),
    st.just([1, 2]),
    st.just(["x", "x"]),
    st.sampled_from(TRANSFORMATIONS),
)  # fmt: skip


def mutate(document: Any, draw: Any) -> None:
    """Change, drop, repeat or move one thing somewhere in a document."""
    path = draw(st.sampled_from(places(document)[1:]))
    owner = document
    for key in path[:-1]:
        owner = owner[key]
    key = path[-1]
    action = draw(st.sampled_from(["replace", "drop", "repeat", "swap", "replace"]))
    if action == "replace":
        owner[key] = copy.deepcopy(draw(VALUES))
    elif action == "drop":
        del owner[key]
    elif isinstance(owner, list) and action == "repeat":
        owner.append(copy.deepcopy(owner[key]))
    elif isinstance(owner, list):
        owner.reverse()
    else:
        owner[f"{key}-more"] = owner[key]


@pytest.mark.parametrize(("version", "kind"), CASES)
def test_valid_attributes_are_valid_and_warn_of_nothing(version: str, kind: str) -> None:
    document = valid_attributes(version, kind)
    schema(version, kind).validate(document)
    report = validate_attributes(document)
    assert report.errors == ()
    assert report.warnings == ()
    assert report.version == version


@pytest.mark.parametrize(("version", "kind"), CASES)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_broken_attributes_are_judged_as_the_schemas_judge_them(
    version: str, kind: str, data: st.DataObject
) -> None:
    document = valid_attributes(version, kind)
    for _ in range(data.draw(st.integers(1, 3))):
        if len(places(document)) > 1:
            mutate(document, data.draw)
    judge = schema(version, kind)
    report = validate_attributes(document, version=version)
    complaints = [e.message[:200] for e in judge.iter_errors(document)]
    if complaints:
        assert not report.valid, (complaints, document)
    else:
        beyond = {error.rule for error in report.errors} - TEXT_RULES
        assert not beyond, ([str(e) for e in report.errors], document)
