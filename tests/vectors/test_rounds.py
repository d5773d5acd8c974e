"""What a read asks of a store far away at once: a round of requests costs as much as a request."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Barrier
from typing import Any

import numpy as np
import pytest

from anyzarr import consolidate_metadata, open_group
from anyzarr.errors import MetadataError, NodeNotFoundError
from anyzarr.stores import MemoryStore
from anyzarr.vectors import (
    delete_objects,
    read_graph,
    read_mesh,
    read_points,
    read_polylines,
    write_graph,
    write_mesh,
    write_points,
    write_polylines,
)

PATIENCE_SECONDS = 20.0
BOX = ([0.0, 0.0], [12.0, 12.0])
NAMES = ["k", "l", "m"]


class Far(MemoryStore):
    """A store as one on the network, which cannot list; remembers the keys of each request."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[list[str]] = []
        self.lists = True
        self.awaited: list[str] = []
        self.meeting = Barrier(1)

    @property
    def capabilities(self) -> Any:
        return dataclasses.replace(super().capabilities, in_process=False, listable=self.lists)

    def get(self, key: str, byte_range: Any = None) -> Any:
        self._note([key])
        return super().get(key, byte_range)

    def get_many(self, requests: Any) -> Any:
        wanted = list(requests)
        self._note([wish if isinstance(wish, str) else wish[0] for wish in wanted])
        return super().get_many(wanted)

    def _note(self, keys: list[str]) -> None:
        self.asked.append(keys)
        for part in [part for part in self.awaited if part in keys[0]]:
            self.awaited.remove(part)
            self.meeting.wait(PATIENCE_SECONDS)  # breaks where they do not come together

    @contextmanager
    def together(self, *parts: str) -> Iterator[None]:
        """Answer the first requests of keys with these parts once all have come."""
        self.asked.clear()
        self.awaited, self.meeting = [*parts], Barrier(len(parts))
        yield
        assert not self.awaited

    @property
    def documents(self) -> list[list[str]]:
        """The requests for documents."""
        return [keys for keys in self.asked if any(key.endswith("zarr.json") for key in keys)]


def points(store: Any, **more: Any) -> None:
    values = np.random.default_rng(0).uniform(0, 30, (200, 2))
    columns = {name: np.arange(200.0) for name in NAMES}
    write_points(store, values, chunk_shape=(10, 10), vertex_attributes=columns, **more)


def test_the_documents_of_points_come_with_the_roots_and_then_all_arrays_at_once() -> None:
    store = Far()
    points(store, shard_shape=None)
    expected = read_points(store, bbox=BOX, attribute_names=NAMES)
    with store.together("vertices/c", *(f"vertex_attributes/{name}/c" for name in NAMES)):
        found = read_points(store, bbox=BOX, attribute_names=NAMES)
    arrays = ["vertices", "vertex_fragments", *(f"vertex_attributes/{name}" for name in NAMES)]
    documents = {"zarr.json", "0/zarr.json", *(f"0/{array}/zarr.json" for array in arrays)}
    # The root again tells at last whether the store was edited meanwhile.
    assert [set(keys) for keys in store.documents] == [documents, {"zarr.json"}]
    assert len(store.asked) == 1 + 1 + len(NAMES) + 1
    assert np.array_equal(found.positions, expected.positions)
    assert found.vertex_attributes["m"].tolist() == expected.vertex_attributes["m"].tolist()


def network(kind: str, store: Any) -> Callable[..., Any]:
    """Write five walks as a geometry, and return what reads them."""
    rng = np.random.default_rng(1)
    walks = [rng.uniform(0, 20, 2) + np.cumsum(rng.normal(0, 4, (6, 2)), axis=0) for _ in range(5)]
    nodes, owner = np.concatenate(walks), np.repeat(np.arange(5) * 2, 6)
    within = np.arange(30).reshape(5, 6)
    options: dict[str, Any] = {"chunk_shape": (10, 10), "vertex_attributes": {"i": np.arange(30)}}
    edges = np.stack([within[:, :-1], within[:, 1:]], axis=-1).reshape(-1, 2)
    if kind == "polyline":
        write_polylines(store, walks, object_ids=np.arange(5) * 2, **options)
        return read_polylines
    if kind == "mesh":
        write_mesh(store, nodes, within[:, :3], object_ids=owner, **options)
        return read_mesh
    write_graph(store, nodes, edges, object_ids=owner, **options)
    return read_graph


@pytest.mark.parametrize("kind", ["polyline", "graph", "mesh"])
def test_manifests_are_read_once_and_ids_meanwhile(kind: str) -> None:
    store = Far()
    read = network(kind, store)
    consolidate_metadata(store)
    store.lists = False
    expected = read(store, bbox=BOX, attribute_names=["i"])
    with store.together("object_index/manifests/c", "object_index/object_ids/c"):
        found = read(store, bbox=BOX, attribute_names=["i"])
    assert len(store.documents) == 2  # all of them, and the root to see that nothing was edited
    manifests = [keys for keys in store.asked if "object_index/manifests/c" in keys[0]]
    assert len(manifests) == 3  # the index of the shard, what is in it, and whether it is the same
    rows = "vertices" if kind == "mesh" else "positions"
    assert np.array_equal(getattr(found, rows), getattr(expected, rows))
    assert np.array_equal(found.vertex_attributes["i"], expected.vertex_attributes["i"])


def test_consolidated_metadata_is_believed_though_documents_come_with_it() -> None:
    store = Far()
    points(store)
    consolidate_metadata(store)
    assert read_points(store, attribute_names=NAMES).vertex_count == 200
    store.put("0/vertices/zarr.json", b"{ cut off")
    store.delete("0/vertex_attributes/l/zarr.json")
    assert len(read_points(store, attribute_names=NAMES).vertex_attributes["l"]) == 200


def test_what_is_no_store_is_named_as_before() -> None:
    store = Far()
    with pytest.raises(NodeNotFoundError):
        read_points(store)
    points(store)
    with pytest.raises(NodeNotFoundError, match="no level 3"):
        read_points(store, level=3)
    with pytest.raises(NodeNotFoundError, match="'x'"):
        read_points(store, attribute_names=["x"])
    with pytest.raises(MetadataError) as error:
        read_points(other())
    assert error.value.kind == "not_vectors"


def other() -> Far:
    """Return a store with a group that holds no vectors."""
    store = Far()
    open_group(store, mode="w-", attributes={"a": 1})
    return store


def test_documents_of_a_store_that_was_edited_are_asked_for_after_its_root() -> None:
    store = Far()
    points(store, object_ids=np.arange(200) % 4)
    delete_objects(store, [1])
    store.asked.clear()
    assert read_points(store, attribute_names=NAMES).vertex_count == 150
    assert "0/vertices/zarr.json" in store.documents[1]
    assert store.documents[2:] == [["zarr.json"]]
