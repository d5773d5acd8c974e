"""Metadata with other attributes: what parsing the changed document gives."""

from __future__ import annotations

import numpy as np
import pytest

from anyzarr.errors import MetadataError
from anyzarr.metadata import array_document, parse_array


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_other_attributes_give_what_the_changed_document_is_parsed_to(zarr_format: int) -> None:
    metadata = parse_array(
        array_document(shape=(4, 5), dtype="int16", chunks=(2, 5), attributes={"a": 1},
                       zarr_format=zarr_format)
    )  # fmt: skip
    attributes = {"b": {"c": [1, None, "x"]}, "a": np.int64(2)}
    changed = metadata.with_attributes(attributes)
    expected = parse_array({**metadata.document, "attributes": attributes})
    assert changed == expected
    assert changed is expected
    assert changed.attributes == {"b": {"c": [1, None, "x"]}, "a": 2}
    assert list(changed.document) == list(expected.document)
    assert metadata.attributes == {"a": 1}


def test_the_attributes_are_copied() -> None:
    metadata = parse_array(array_document(shape=(4,), dtype="int16", chunks=(2,)))
    attributes = {"listed": [1]}
    changed = metadata.with_attributes(attributes)
    attributes["listed"].append(2)
    assert changed.attributes == {"listed": [1]}


def test_what_is_no_json_is_refused() -> None:
    metadata = parse_array(array_document(shape=(4,), dtype="int16", chunks=(2,)))
    with pytest.raises(MetadataError):
        metadata.with_attributes({"a": {1, 2}})
