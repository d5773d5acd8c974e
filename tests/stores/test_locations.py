"""Which backend a location belongs to, what can be opened, and what is said where it cannot."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import pickle
import shutil
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from anyzarr import config
from anyzarr.abc import StoreSpec
from anyzarr.errors import (
    AnyzarrError,
    MissingDependencyError,
    NodeNotFoundError,
    ReadOnlyError,
    StoreError,
    UnsupportedError,
)
from anyzarr.stores import (
    SCHEMES_LOCAL,
    SCHEMES_OBJECT_STORE,
    FsspecStore,
    LocalStore,
    MemoryStore,
    ObstoreStore,
    SubStore,
    ZipStore,
    _registry,
    at_prefix,
    from_spec,
    join,
    list_backends,
    open_store,
    register_backend,
    resolve_backend_name,
)


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANYZARR_BACKEND", raising=False)


@pytest.fixture
def backends(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The registered backends; what a test adds is gone after it."""
    copy = dict(_registry._factories)
    monkeypatch.setattr(_registry, "_factories", copy)
    return copy


def missing(monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
    for module in modules:
        monkeypatch.setitem(sys.modules, module, None)
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, package=None: None if name in modules else real(name, package),
    )


# ------------------------------------------------------------------------------- the backend's name


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("/data/image.zarr", "local"),
        ("image.zarr", "local"),
        ("~/image.zarr", "local"),
        (Path("image.zarr"), "local"),
        ("file:///data/image.zarr", "local"),
        ("FILE:///data/image.zarr", "local"),
        ("file:/data/image.zarr", "local"),
        ("local:///data/image.zarr", "local"),
        ("C:/data/image.zarr", "local"),
        ("memory://name", "memory"),
        ("Memory://name/a", "memory"),
        ("image.zip", "zip"),
        ("image.OZX", "zip"),
        (Path("image.Zip"), "zip"),
        ("file:///data/image.ozx", "zip"),
        ("s3://bucket/image.ozx", "zip"),
        ("https://host/image.zip?token=1", "zip"),
        ("s3://bucket/a.zip|zip:inner/path/|zarr3:", "zip"),
        ("/data/anything|zip:", "zip"),
        ("/data/anything|ZIP", "zip"),
        ("/data/anything|zarr3:", "local"),
        *((f"{scheme}://bucket/image.zarr", "obstore") for scheme in sorted(SCHEMES_OBJECT_STORE)),
        *((f"{scheme.upper()}://b/image.zarr", "obstore") for scheme in ("s3", "gs", "https")),
        ("sftp://host/image.zarr", "fsspec"),
        ("hdfs://host/image.zarr", "fsspec"),
        ("SFTP://host/image.zarr", "fsspec"),
        ("zip::s3://bucket/image.zip", "fsspec"),
        ({}, "memory"),
        (MemoryStore(), "memory"),
    ],
)
def test_backends_by_location(location: Any, expected: str) -> None:
    assert resolve_backend_name(location) == expected


def test_the_tables_of_schemes() -> None:
    assert {"file", "local"} == SCHEMES_LOCAL
    assert {"s3", "gs", "gcs", "az", "azure", "abfs", "http", "https"} <= SCHEMES_OBJECT_STORE


def test_archives_are_known_by_their_content(tmp_path: Path) -> None:
    path = tmp_path / "image"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("zarr.json", "{}")
    assert resolve_backend_name(path) == "zip"
    assert resolve_backend_name(path.as_uri()) == "zip"
    assert open_store(path).get("zarr.json") == b"{}"
    folder = tmp_path / "folder.zip"
    folder.mkdir()
    assert resolve_backend_name(folder) == "local"
    assert isinstance(open_store(folder), LocalStore)


def test_the_argument_comes_before_settings_and_they_before_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = "s3://bucket/image.zarr"
    assert resolve_backend_name(url) == "obstore"
    monkeypatch.setenv("ANYZARR_BACKEND", "fsspec")
    assert resolve_backend_name(url) == "fsspec"
    with config.scope(backend="obstore"):
        assert resolve_backend_name(url) == "obstore"
        assert resolve_backend_name(url, backend="fsspec") == "fsspec"
    assert resolve_backend_name(url) == "fsspec"
    monkeypatch.setenv("ANYZARR_BACKEND", "memory")
    assert resolve_backend_name("/data/image.zarr") == "local", "a path is no memory store"
    monkeypatch.setenv("ANYZARR_BACKEND", "obstore")
    assert resolve_backend_name("/data/image.zarr") == "obstore"
    assert resolve_backend_name({}) == "memory", "a live object is what it is"


def test_unknown_backends_are_refused_wherever_they_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def check() -> None:
        with pytest.raises(StoreError, match="local, memory, obstore") as caught:
            resolve_backend_name("/data", backend="fspec")
        assert caught.value.kind == "unknown_backend"

    check()
    with pytest.raises(StoreError):
        open_store({}, backend="fspec")
    monkeypatch.setenv("ANYZARR_BACKEND", "fspec")
    with pytest.raises(StoreError) as caught:
        resolve_backend_name("s3://bucket/a")
    assert caught.value.kind == "unknown_backend"
    with pytest.raises(StoreError):
        from_spec(StoreSpec("fspec", "/data"))


def test_without_obstore_fsspec_is_taken_and_without_both_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    missing(monkeypatch, "obstore")
    assert resolve_backend_name("s3://bucket/a") == "fsspec"
    missing(monkeypatch, "fsspec")
    with pytest.raises(MissingDependencyError, match=r'pip install "anyzarr\[obstore\]"') as caught:
        resolve_backend_name("s3://user:hush@bucket/a")
    assert "hush" not in str(caught.value)
    assert isinstance(caught.value, ImportError)


@pytest.mark.parametrize(
    ("module", "extra", "location", "backend"),
    [
        ("obstore", "obstore", "s3://bucket/a", "obstore"),
        ("obstore.store", "obstore", "https://host/a", "obstore"),
        ("fsspec", "fsspec", "s3://bucket/a", "fsspec"),
        ("fsspec", "fsspec", "sftp://host/a", None),
        ("s3fs", "s3fs", "s3://bucket/a", "fsspec"),
    ],
)
def test_a_missing_package_is_named_with_its_command(
    monkeypatch: pytest.MonkeyPatch, module: str, extra: str, location: str, backend: str | None
) -> None:
    if module == "s3fs":
        known = importlib.import_module("fsspec.registry")._registry
        monkeypatch.delitem(known, "s3", raising=False)
    missing(monkeypatch, module)
    with pytest.raises(MissingDependencyError) as caught:
        open_store(location, backend=backend)
    assert f'pip install "anyzarr[{extra}]"' in str(caught.value)
    assert "\n" not in str(caught.value)


# ------------------------------------------------------------------------------------ plugins


class _Point:
    group = "anyzarr.backends"

    def __init__(self, name: str, factory: Any) -> None:
        self.name = name
        self.value = f"{name}_package:open"
        self._factory = factory

    def load(self) -> Any:
        if isinstance(self._factory, Exception):
            raise self._factory
        return self._factory


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch, backends: dict[str, Any]) -> list[_Point]:
    points: list[_Point] = []
    monkeypatch.setattr(_registry, "_plugins", None)
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: list(points))
    return points


def test_a_broken_plugin_warns_and_breaks_nothing_else(plugins: list[_Point]) -> None:
    shelf = MemoryStore({"k": b"1"})
    plugins += [
        _Point("broken", ImportError("no module named 'left_behind'")),
        _Point("worse", RuntimeError("at import")),
        _Point("shelf", lambda root, *, read_only=False: shelf),
    ]
    with pytest.warns(RuntimeWarning) as caught:
        names = list_backends()
    assert len(caught) == 2
    assert "left_behind" in str(caught[0].message)
    assert "shelf" in names
    assert not {"broken", "worse"} & set(names)
    assert resolve_backend_name("SHELF://x") == "shelf"
    assert open_store("shelf://x").get("k") == b"1"
    assert open_store("anything://x", backend="shelf").get("k") == b"1"
    with pytest.raises(StoreError) as refused:
        open_store("x://y", backend="broken")
    assert refused.value.kind == "unknown_backend"


def test_backends_can_be_registered(backends: dict[str, Any]) -> None:
    asked: list[Any] = []

    def factory(root: str, *, read_only: bool = False, colour: str = "") -> Any:
        asked.append((root, read_only, colour))
        return MemoryStore({"k": b"1"}, read_only=read_only)

    register_backend("mine", factory)
    assert "mine" in list_backends()
    assert open_store("mine://a/b|zarr:x", mode="r+", colour="red").capabilities.writable
    assert asked == [("mine://a/b", False, "red")]
    assert not open_store("mine://a").capabilities.writable
    with pytest.raises(StoreError):
        register_backend("", factory)


# ------------------------------------------------------------------------------ opening locations


def test_nothing_is_created_by_opening(tmp_path: Path) -> None:
    path = tmp_path / "new.zarr"
    for mode in ("w", "w-", "a"):
        store = open_store(path, mode=mode)
        assert store.capabilities.writable
        assert list(store.list()) == []
        assert not path.exists()
    store.put("k", b"1")
    assert open_store(path).get("k") == b"1"


@pytest.mark.parametrize("mode", ["r", "r+"])
def test_what_is_not_there_is_said_so(tmp_path: Path, mode: Any) -> None:
    for location in (tmp_path / "nothing", f"{tmp_path.as_uri()}/nothing", "memory://nothing-here"):
        with pytest.raises(NodeNotFoundError) as caught:
            open_store(location, mode=mode)
        assert caught.value.kind == "node_not_found"
        assert "nothing" in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("mode", ["r", "r+", "a", "w", "w-"])
@pytest.mark.parametrize("backend", [None, "local", "obstore", "fsspec"])
def test_a_file_in_place_of_a_folder(tmp_path: Path, mode: Any, backend: str | None) -> None:
    path = tmp_path / "image.tif"
    path.write_bytes(b"II*\0")
    with pytest.raises(StoreError, match="convert") as caught:
        open_store(path, mode=mode, backend=backend)
    assert caught.value.store == str(path)
    assert path.read_bytes() == b"II*\0"


@pytest.mark.parametrize("backend", ["local", "obstore", "fsspec"])
def test_paths_by_every_backend_of_files(tmp_path: Path, backend: str) -> None:
    folder = tmp_path / "a b ü%20.zarr"
    folder.mkdir()
    store = open_store(folder, backend=backend, mode="r+")
    store.put("k/ü x", b"1")
    assert (folder / "k" / "ü x").read_bytes() == b"1"
    assert store.capabilities.local_root == str(folder)
    assert open_store(folder.as_uri(), backend=backend).get("k/ü x") == b"1"
    assert open_store(store.url, backend=backend) == open_store(folder, backend=backend)


@pytest.mark.parametrize(
    ("location", "error"),
    [
        ("", StoreError),
        ("  ", StoreError),
        ("|zip:", StoreError),
        ("a\0b", StoreError),
        ("file://otherhost/data", StoreError),
        ("file:", StoreError),
        ("nosuchscheme://host/a", StoreError),
        ("memory://", NodeNotFoundError),
        ("/data|tar:", UnsupportedError),
        ("/data|gzip:", StoreError),
        ("s3://user:hush@bucket/a|nosuch:", UnsupportedError),
        (3, StoreError),
        (None, StoreError),
        ([1], StoreError),
        (object(), StoreError),
    ],
)
def test_what_is_no_location(location: Any, error: type[AnyzarrError]) -> None:
    with pytest.raises(error) as caught:
        open_store(location)
    assert "\n" not in str(caught.value)
    assert "hush" not in str(caught.value)
    assert "hush" not in (caught.value.store or "")


def test_unknown_modes_options_and_backends_that_do_not_fit(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as caught:
        open_store(tmp_path, mode="rw")
    assert caught.value.kind == "unknown_mode"
    with pytest.raises(StoreError, match="colour"):
        open_store({}, colour="red")
    with pytest.raises(StoreError, match="colour"):
        open_store("s3://bucket/a", backend="obstore", colour="red")
    with pytest.raises(StoreError):
        open_store({}, backend="local")
    with pytest.raises(AnyzarrError):
        open_store("memory://name", backend="obstore", mode="a")
    with pytest.raises(AnyzarrError):
        open_store(tmp_path, colour="red")


@pytest.mark.parametrize(
    ("location", "backend"),
    [
        ("s3://bucket/a", "local"),
        ("https://host/a.zip", "local"),
        ("s3://bucket/a", "memory"),
        ("a", "memory"),
    ],
)
def test_a_url_is_never_taken_for_a_path_or_a_name(
    location: str, backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    mode: Any = "r" if location.endswith(".zip") else "a"
    with pytest.raises(StoreError, match=f"{backend!r} cannot open"):
        open_store(location, backend=backend, mode=mode)
    if location != "a":  # for a path, a setting that cannot open it does not count
        with config.set(backend=backend), pytest.raises(StoreError, match="cannot open"):
            open_store(location, mode=mode)
    assert list(tmp_path.iterdir()) == []


def test_packages_of_file_systems_are_named_with_their_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("fsspec", reason="whose file systems they are")
    missing(monkeypatch, "paramiko")
    with pytest.raises(MissingDependencyError, match="pip install paramiko"):
        open_store("sftp://host/a")


def test_read_only_is_kept_and_never_lifted() -> None:
    closed = MemoryStore({"k": b"1"}, read_only=True)
    with pytest.raises(ReadOnlyError):
        open_store(closed, mode="r+")
    with pytest.raises(ReadOnlyError):
        open_store(open_store({"k": b"1"}), mode="a")
    assert not open_store(closed).capabilities.writable
    below = at_prefix(closed, "a")
    assert not below.capabilities.writable


class Foreign:
    """Somebody's own store, that knows nothing of ours but the protocol."""

    def __init__(self) -> None:
        self._inner = MemoryStore()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name.endswith("_async"):
            raise AttributeError(name)
        return getattr(self._inner, name)


for _name in ("get", "get_many", "put", "delete", "delete_prefix", "head", "list", "list_level"):
    setattr(
        Foreign,
        _name,
        lambda self, *args, _name=_name, **kwargs: getattr(self._inner, _name)(*args, **kwargs),
    )
for _name in ("spec", "capabilities"):
    setattr(Foreign, _name, property(lambda self, _name=_name: getattr(self._inner, _name)))


async def test_a_store_of_ones_own_is_taken_as_it_is() -> None:
    own: Any = Foreign()
    assert open_store(own, mode="a") is own
    view = open_store(own)
    assert isinstance(view, SubStore)
    own.put("a/k", b"1")
    assert view.get("a/k") == b"1"
    assert await view.get_async("a/k") == b"1"
    assert await at_prefix(own, "a").get_async("k") == b"1"
    with pytest.raises(ReadOnlyError):
        view.put("a/k", b"2")


def test_live_objects_are_wrapped_without_copies(tmp_path: Path) -> None:
    obstore = pytest.importorskip("obstore.store", reason="its stores are wrapped")
    fsspec = pytest.importorskip("fsspec", reason="its file systems are wrapped")
    storage = pytest.importorskip("zarr.storage", reason="its stores are wrapped")
    for live, cls in (
        (obstore.LocalStore(tmp_path), ObstoreStore),
        (storage.LocalStore(tmp_path), LocalStore),
        (storage.ObjectStore(obstore.LocalStore(tmp_path)), ObstoreStore),
        (fsspec.get_mapper(str(tmp_path)), FsspecStore),
        (fsspec.filesystem("dir", path=str(tmp_path), fs=fsspec.filesystem("file")), FsspecStore),
    ):
        store = open_store(live, mode="a")
        assert type(store) is cls
        store.put("k", cls.__name__.encode())
        assert (tmp_path / "k").read_bytes() == cls.__name__.encode()
        assert store.capabilities.local_root == str(tmp_path)
        assert pickle.loads(pickle.dumps(store)) == store
    closed = storage.LocalStore(tmp_path, read_only=True)
    with pytest.raises(ReadOnlyError):
        open_store(closed, mode="a")


def test_secrets_are_not_shown() -> None:
    options = {"access_key_id": "an-id", "secret_access_key": "hush-hush", "region": "eu-west-1"}
    for backend in ("obstore", "fsspec"):
        store = open_store("s3://bucket/a", backend=backend, mode="a", **options)
        assert "hush-hush" in str(dict(store.spec.options))
        for text in (repr(store), str(store), repr(store.spec), str(store.spec), store.url):
            assert "hush" not in text
        assert from_spec(store.spec) == store
    url = "https://user:hush@host/a"
    assert "hush" not in repr(open_store(url))
    assert "hush" not in repr(open_store(url).spec)


def test_keys_are_joined_as_strings() -> None:
    assert join("a", "b/", "/c") == "a/b/c"
    assert join("", "a", "") == "a"
    assert join() == ""


def test_an_archive_over_another_backend(tmp_path: Path) -> None:
    path = tmp_path / "a b.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("zarr.json", "{}")
    for backend in (None, "local", "obstore", "fsspec"):
        store = open_store(path, backend=backend)
        assert isinstance(store, ZipStore)
        assert store.get("zarr.json") == b"{}"
        assert pickle.loads(pickle.dumps(store)) == store


def test_one_client_for_the_same_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    def client(**options: Any) -> Any:
        return ObstoreStore("s3://bucket/data", region="us-east-1", **options).obstore

    first = client(client_options={"timeout": "30s"})
    assert client(client_options={"timeout": "30s"}) is first
    assert client(client_options={"timeout": "31s"}) is not first
    assert client(client_options={"timeout": "30s"}, anon=True) is not first
    monkeypatch.setenv("AWS_ENDPOINT", "http://127.0.0.1:9")
    assert client(client_options={"timeout": "30s"}) is not first


def test_folders_are_made_each_time(tmp_path: Path) -> None:
    for _ in range(2):
        ObstoreStore((tmp_path / "new").as_uri(), mkdir=True).put("a", b"1")
        shutil.rmtree(tmp_path / "new")
