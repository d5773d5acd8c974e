"""The tree of errors is part of the contract."""

from __future__ import annotations

import pickle

import pytest

from anyzarr import errors

TREE = {
    "AnyzarrError": (Exception, "error"),
    "ConflictError": (errors.AnyzarrError, "conflict"),
    "CorruptDataError": (errors.AnyzarrError, "corrupt_data"),
    "MetadataError": ((errors.AnyzarrError, ValueError), "metadata"),
    "MissingDependencyError": ((errors.AnyzarrError, ImportError), "missing_dependency"),
    "NodeExistsError": (errors.AnyzarrError, "node_exists"),
    "NodeNotFoundError": ((errors.AnyzarrError, KeyError), "node_not_found"),
    "ReadOnlyError": (errors.AnyzarrError, "read_only"),
    "SelectionError": ((errors.AnyzarrError, IndexError), "selection"),
    "StoreError": (errors.AnyzarrError, "store"),
    "UnsupportedError": (errors.AnyzarrError, "unsupported"),
    "ValidationError": (errors.AnyzarrError, "validation"),
}


def test_the_tree_is_complete():
    assert sorted(TREE) == errors.__all__


@pytest.mark.parametrize("name", sorted(TREE))
def test_each_error(name):
    cls = getattr(errors, name)
    bases, kind = TREE[name]
    for base in bases if isinstance(bases, tuple) else (bases,):
        assert issubclass(cls, base)
    error = cls("the sentence", store="s", key="k", path="p", chunk_coords=(1, 2), engine="e")
    assert (str(error), error.kind) == ("the sentence", kind)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is cls
    assert str(again) == "the sentence"
    assert (again.store, again.key, again.path) == ("s", "k", "p")
    assert (again.chunk_coords, again.engine, again.kind) == ((1, 2), "e", kind)
    assert cls("x", kind="special").kind == "special"
