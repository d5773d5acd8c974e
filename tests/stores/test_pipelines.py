"""URL pipelines: what each step gives, how steps compose, and what is said where they do not."""

from __future__ import annotations

import gzip
import importlib.metadata
import io
import json
import os
import pickle
import struct
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import anyzarr
from anyzarr import crud
from anyzarr._url import hide_bars, parse_location, show_bars
from anyzarr.abc import ByteRange
from anyzarr.errors import (
    AnyzarrError,
    CorruptDataError,
    MetadataError,
    MissingDependencyError,
    NodeNotFoundError,
    ReadOnlyError,
    StoreError,
    UnsupportedError,
)
from anyzarr.metadata import group_document
from anyzarr.stores import (
    DecodedStore,
    FsspecStore,
    LocalStore,
    MemoryStore,
    ObstoreStore,
    UrlSource,
    ZipStore,
    at_prefix,
    list_url_adapters,
    open_store,
    register_url_adapter,
    resolve_backend_name,
)
from anyzarr.stores import _decoded as decoded_module
from anyzarr.stores._adapters import _registry
from anyzarr.stores._fsspec_options import url_of

VALUES = np.arange(12).reshape(3, 4)


def zstd_module() -> Any:
    if sys.version_info >= (3, 14):
        return importlib.import_module("compression.zstd")
    return pytest.importorskip("backports.zstd", reason="what the step zstd: decompresses with")


def packed(name: str = "") -> bytes:
    """Return an archive of an array."""
    store = MemoryStore()
    anyzarr.create_array(store, name=name, data=VALUES, chunks=(2, 2))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for info in store.list():
            archive.writestr(info.key, store.get(info.key) or b"")
    return buffer.getvalue()


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with an array in every wrapping."""
    data = packed()
    (tmp_path / "a.zip").write_bytes(data)
    (tmp_path / "a.zip.gz").write_bytes(gzip.compress(data[:700]) + gzip.compress(data[700:]))
    (tmp_path / "outer.zip").write_bytes(zipped({"in ner.zip": packed("x.zarr/0")}))
    (tmp_path / "blob").write_bytes(b"before" + data + b"after")
    anyzarr.create_array(tmp_path / "a.zarr", data=VALUES, chunks=(2, 2))
    return tmp_path


def pipelines(folder: Path) -> dict[str, str]:
    """Return pipelines to the array, each with its canonical form."""
    size = (folder / "a.zip").stat().st_size
    base = folder.as_uri()
    return {
        f"{folder}/a.zarr|zarr3": f"{base}/a.zarr|zarr3:",
        f"{folder}/a.zarr|ZARR:": f"{base}/a.zarr",
        f"{folder}|zarr3:/a.zarr/": f"{base}/a.zarr|zarr3:",
        f"{folder}/a.zip|zip:": f"{base}/a.zip|zip:",
        f"{folder}/a.zip|OZX: | zarr3: ": f"{base}/a.zip|zip:|zarr3:",
        f"{base}/a.zip.gz|gzip:|zip:": f"{base}/a.zip.gz|gzip:|zip:",
        f"{base}/blob|byte-range:6-{6 + size}|zip:|zarr:": (
            f"{base}/blob|byte-range:6-{6 + size}|zip:"
        ),
        f"{base}/outer.zip|zip:in ner.zip|zip:x.zarr|zarr3:0": (
            f"{base}/outer.zip|zip:in%20ner.zip|zip:x.zarr/0|zarr3:"
        ),
    }


# ------------------------------------------------------------------------------------ composition


def test_steps_compose_and_the_url_given_back_is_canonical(folder: Path) -> None:
    for location, canonical in pipelines(folder).items():
        array = anyzarr.open_array(location)
        assert array.url == canonical
        assert np.array_equal(array[:], VALUES)
        for again in (anyzarr.open_array(canonical), pickle.loads(pickle.dumps(array))):
            assert again == array
            assert again.url == canonical
            assert np.array_equal(again[1:], VALUES[1:])
            store: Any = array.store
        assert open_store(store.url) == open_store(store)


def test_a_step_of_zstd(folder: Path) -> None:
    zstd = zstd_module()
    data = (folder / "a.zip").read_bytes()
    frames = zstd.compress(data[:99]) + zstd.compress(data[99:])
    (folder / "a.zst").write_bytes(frames)
    array = anyzarr.open_array(f"{folder}/a.zst|zstd:|zip:|zarr3:")
    assert np.array_equal(array[:], VALUES)
    (folder / "short.zst").write_bytes(frames[:-3])
    with pytest.raises(CorruptDataError, match="cut short"):
        open_store(f"{folder}/short.zst|zstd:|zip:")


def test_without_zstd_the_command_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if sys.version_info >= (3, 14):
        pytest.skip("Python has zstd")
    monkeypatch.setitem(sys.modules, "backports.zstd", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "anyzarr\[zstd\]"'):
        open_store(f"{folder}/a.zip|zstd:|zip:")


def test_pipelines_over_other_backends(folder: Path, web: str) -> None:
    MemoryStore("pipes").put("x y/a.zip.gz", (folder / "a.zip.gz").read_bytes())
    for location, options in (
        ("memory://pipes/x%20y/a.zip.gz|gzip:|zip:|zarr3:", {}),
        (f"{folder}/a.zip.gz|gzip:|zip:", {"backend": "obstore"}),
        (f"{folder}/a.zip.gz|gzip:|zip:", {"backend": "fsspec"}),
        (f"{web}/outer.zip|zip:in%20ner.zip|zip:x.zarr/0|zarr3:", {}),
        (f"{web}/outer.zip|zip:in%20ner.zip|zip:x.zarr/0|zarr3:", {"backend": "fsspec"}),
        (f"{web}/blob|byte-range:6-{6 + len((folder / 'a.zip').read_bytes())}|zip:", {}),
        (f"{web}/a.zip.gz|gzip:|zip:", {"cache": 1_000_000}),
    ):
        array: Any = anyzarr.open(location, **options)
        assert np.array_equal(array[:], VALUES), location
        again: Any = anyzarr.open(array.url, **options)
        assert np.array_equal(again[:], VALUES)


def test_backends_of_pipelines(folder: Path) -> None:
    for location, name in (
        ("s3://bucket/outer.zip|zip:inner.zip|ozx:", "zip"),
        ("s3://bucket/a.gz|gzip:|zip:|zarr3:", "zip"),
        ("/data/a|zarr2:", "local"),
        ("/data/repository|icechunk:", "icechunk"),
    ):
        assert resolve_backend_name(location) == name
    with pytest.raises(UnsupportedError):
        resolve_backend_name("/data/a|nosuch:|zip:")
    assert anyzarr.open(f"{folder}/outer.zip|zip:in ner.zip|zip:x.zarr/0").backend == "zip"


def test_what_is_made_of_something_else_is_read_only(folder: Path) -> None:
    location = f"{folder}/a.zip.gz|gzip:|zip:"
    assert anyzarr.open_array(location).read_only
    for mode in ("r+", "a", "w", "w-"):
        with pytest.raises(ReadOnlyError):
            open_store(location, mode=mode)
    before = (folder / "a.zip.gz").read_bytes()
    with pytest.raises(ReadOnlyError):
        anyzarr.create_array(location, data=VALUES, overwrite=True)
    assert (folder / "a.zip.gz").read_bytes() == before
    with pytest.raises(ReadOnlyError):
        DecodedStore((LocalStore(folder), "a.zip.gz"), "gzip").put("a.zip.gz", b"")


# --------------------------------------------------------------------------------- told formats


def test_a_told_format_is_enforced(folder: Path) -> None:
    anyzarr.create_array(folder / "two.zarr", data=VALUES, zarr_format=2)
    for location, found in ((f"{folder}/a.zarr|zarr2:", 3), (f"{folder}/two.zarr|zarr3:", 2)):
        for open_it in (anyzarr.open, anyzarr.open_array, anyzarr.open_group, anyzarr.info):
            with pytest.raises(MetadataError, match=f"is Zarr v{found}.*location says") as caught:
                open_it(location)
            assert caught.value.kind == "zarr_format"
        with pytest.raises(MetadataError):
            crud.read_metadata(open_store(location))
    with pytest.raises(MetadataError, match="zarr_format=2 was asked for"):
        anyzarr.open(f"{folder}/a.zarr|zarr3:", zarr_format=2)
    with pytest.raises(NodeNotFoundError):
        anyzarr.open(f"{folder}|zarr3:nothing")
    assert anyzarr.open(f"{folder}/two.zarr|zarr2:").zarr_format == 2
    assert anyzarr.open(f"{folder}/two.zarr|zarr:").zarr_format == 2


def test_what_is_created_is_of_the_told_format(tmp_path: Path) -> None:
    group = anyzarr.create_group(f"{tmp_path}/g.zarr|zarr2:")
    assert group.zarr_format == 2
    assert group.create_array("a", data=VALUES).url == f"{tmp_path.as_uri()}/g.zarr/a|zarr2:"
    assert anyzarr.create_array(f"{tmp_path}/b.zarr|zarr2:", data=VALUES).zarr_format == 2
    assert anyzarr.create_array(f"{tmp_path}/c.zarr|zarr:", data=VALUES).zarr_format == 3
    for create in (anyzarr.create_group, anyzarr.open_group):
        options: dict[str, Any] = {"mode": "w"} if create is anyzarr.open_group else {}
        with pytest.raises(MetadataError) as caught:
            create(f"{tmp_path}/d.zarr|zarr2:", zarr_format=3, **options)
        assert caught.value.kind == "zarr_format"
    with pytest.raises(MetadataError):
        anyzarr.open_ome_zarr(f"{tmp_path}/e.zarr|zarr2:", mode="w", version="0.5")
    store = open_store(f"{tmp_path}/g.zarr|zarr2:", mode="a")
    with pytest.raises(MetadataError):
        crud.create_overwrite_group(group_document(zarr_format=3), store)
    assert np.array_equal(anyzarr.open_array(f"{tmp_path}/g.zarr|zarr2:a")[:], VALUES)
    assert not (tmp_path / "d.zarr").exists()


def test_members_of_another_format_are_no_members(tmp_path: Path) -> None:
    group = anyzarr.create_group(tmp_path / "g.zarr")
    group.create_array("three", data=VALUES)
    anyzarr.create_array(tmp_path / "g.zarr", name="two", data=VALUES, zarr_format=2)
    assert set(anyzarr.open_group(f"{tmp_path}/g.zarr|zarr:")) == {"three", "two"}
    told = anyzarr.open_group(f"{tmp_path}/g.zarr|zarr3:")
    assert set(told) == {"three"}
    with pytest.raises(MetadataError):
        told["two"]


class Counting(MemoryStore):
    def get(self, key: str, byte_range: ByteRange | None = None) -> bytes | None:
        self.asked.append(key)
        return super().get(key, byte_range)

    def get_many(self, requests: Any) -> Any:
        self.asked += [key for key, _ in requests]
        return super().get_many(requests)

    asked: list[str]


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_opening_costs_one_request_when_the_format_is_told(zarr_format: Any) -> None:
    store = Counting()
    store.asked = []
    anyzarr.create_array(store, data=VALUES, zarr_format=zarr_format)
    store.asked = []
    anyzarr.open_array(store.with_zarr_format(zarr_format))
    expected = {3: ["zarr.json"], 2: [".zarray", ".zgroup", ".zattrs"]}[zarr_format]
    assert store.asked == expected, "one request, or one batch of requests"


def test_convert_writes_and_takes_over_the_told_format(folder: Path) -> None:
    report = anyzarr.convert(f"{folder}/a.zip.gz|gzip:|zip:", f"{folder}/new.zarr|zarr3:")
    assert report.kind == "copy"
    assert np.array_equal(anyzarr.open_array(folder / "new.zarr")[:], VALUES)
    with pytest.raises(MetadataError, match="is taken over as it is"):
        anyzarr.convert(folder / "a.zarr", f"{folder}/other.zarr|zarr2:")
    assert not (folder / "other.zarr").exists()
    anyzarr.convert(folder / "a.zarr", f"{folder}/new.zip|zip:|zarr3:")
    assert np.array_equal(anyzarr.open_array(f"{folder}/new.zip|zip:|zarr3:")[:], VALUES)


# ------------------------------------------------------------------------------- canonical form

NAMES = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cc", "Cs"]),
    min_size=1,
    max_size=12,
).filter(lambda name: name not in {".", ".."} and len(name.encode()) < 120)
MEMBERS = NAMES.filter(lambda name: not {"\\", ":"} & set(name))
"""Names that are not taken for a path of Windows."""
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
FEW = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@FEW
@given(path=PATHS, told=st.sampled_from([None, 2, 3]))
def test_urls_of_folders_give_the_same_node(tmp_path: Path, path: str, told: Any) -> None:
    root = tmp_path / str(len(list(tmp_path.iterdir())))
    base = f"{root.as_uri()}|zarr{told}:" if told else root
    array = anyzarr.create_array(base, name=path, data=VALUES, overwrite=True)
    again = anyzarr.open_array(array.url)
    assert again.url == array.url
    assert np.array_equal(again[:], VALUES)
    assert "|" not in array.url.replace("|zarr", "")


@FEW
@given(outer=MEMBERS, path=st.lists(MEMBERS, min_size=1, max_size=3).map("/".join))
def test_urls_of_members_give_the_same_node(tmp_path: Path, outer: str, path: str) -> None:
    inner = zipped({f"{path}/zarr.json": json.dumps(group_document()).encode()})
    (tmp_path / "o.zip").write_bytes(zipped({outer: inner}))
    store = ZipStore((ZipStore(tmp_path / "o.zip"), outer))
    url = anyzarr.open(store, path=path).url
    again = anyzarr.open(url)
    assert again.url == url
    assert again.store == at_prefix(store, path)


@FEW
@given(path=PATHS, more=PATHS)
@pytest.mark.parametrize("kind", ["memory", "obstore", "fsspec", "local"])
def test_addresses_agree_from_wherever_they_are_asked(kind: str, path: str, more: str) -> None:
    """One object has one address, which is also the name of its lock."""
    store: Any = {
        "memory": lambda: MemoryStore("addresses"),
        "obstore": lambda: ObstoreStore("s3://bucket/data", region="x", anon=True),
        "fsspec": lambda: FsspecStore("s3://bucket/data", anon=True),
        "local": lambda: LocalStore("/data"),
    }[kind]()
    options = {"obstore": {"region": "x", "anon": True}, "fsspec": {"anon": True}}.get(kind, {})
    below: Any = at_prefix(store, path)
    assert below.address_at(more) == store.address_at(f"{path}/{more}")
    if kind in ("memory", "local"):
        return
    if "::" in path or "?" in path or "#" in path:
        return  # fsspec and obstore read these in a URL in ways of their own
    again: Any = open_store(below.url, backend=kind, mode="a", **options)
    assert again.address == below.address


@settings(deadline=None)
@given(st.text(alphabet="%257Cc|a", max_size=12))
def test_bars_are_hidden_and_shown_again(text: str) -> None:
    assert show_bars(hide_bars(text)) == text
    assert "|" not in hide_bars(text)


@pytest.mark.parametrize("path", [":", "ab:", ":/:", "a b", "%7C", "|zarr3:", "~", "@", "?#"])
def test_urls_of_odd_names(tmp_path: Path, path: str) -> None:
    store = LocalStore(tmp_path)
    anyzarr.create_group(store)
    anyzarr.create_array(store, name=path, data=VALUES)
    (tmp_path / "o.zip").write_bytes(
        zipped({info.key: store.get(info.key) or b"" for info in store.list()})
    )
    for base in (tmp_path, f"{tmp_path}/o.zip|zip:"):
        url = anyzarr.open_array(base, path=path).url
        assert anyzarr.open_array(url).url == url
        assert anyzarr.open_array(f"{url}|zarr3:").url == f"{url}|zarr3:"


def test_names_that_are_no_utf8(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.zarr")
    for engine in anyzarr.list_engines():
        array = anyzarr.create_array(tmp_path / engine / name, data=VALUES, engine=engine)
        assert anyzarr.open(array.url) == array
        assert np.array_equal(anyzarr.open_array(array.url, engine=engine)[:], VALUES)


def test_urls_name_the_server_and_the_repository(ftp: str) -> None:
    store: Any = open_store(f"{ftp}/a b|zarr:c", mode="a")
    host = ftp.rpartition("@")[2]
    assert store.url == f"ftp://user@{host}/a b/c"
    assert pickle.loads(pickle.dumps(store)) == store
    again: Any = open_store(store.url, mode="a", password="hush")
    assert again.address == store.address
    assert "hush" not in repr(store) + repr(store.spec) + store.url
    code = SimpleNamespace(  # the real one asks GitHub when it is made
        protocol="github", storage_options={"org": "someone", "repo": "something", "sha": "v1"}
    )
    assert url_of(code, "data.zarr") == "github://someone:something@v1/data.zarr"


def test_a_folder_with_an_archives_name(tmp_path: Path) -> None:
    group = anyzarr.create_group("memory://odd-names", overwrite=True)
    group.create_array("a.zip", data=VALUES)
    assert group["a.zip"].url == "memory://odd-names/a.zip/"
    assert np.array_equal(anyzarr.open_array(group["a.zip"].url)[:], VALUES)


def test_nodes_of_images_give_their_urls(tmp_path: Path) -> None:
    with anyzarr.open_ome_zarr(f"{tmp_path}/i.ozx|zip:|zarr3:", mode="w-", axes="yx") as image:
        image.create_image("0", VALUES.astype("uint8"))
    opened = anyzarr.open_ome_zarr(f"{tmp_path}/i.ozx|zip:|zarr3:")
    assert opened.url == f"{tmp_path.as_uri()}/i.ozx|zip:|zarr3:"
    assert opened.data.url == f"{tmp_path.as_uri()}/i.ozx|zip:0|zarr3:"
    assert np.array_equal(anyzarr.open_ome_zarr(opened.url).data[:], VALUES)


# ---------------------------------------------------------------------------- malformed pipelines


@pytest.mark.parametrize(
    ("steps", "error", "kind"),
    [
        ("a.zip||zip:", StoreError, "malformed_pipeline"),
        ("a.zip|zip:|", StoreError, "malformed_pipeline"),
        ("a.zip|zip/inner", StoreError, "malformed_pipeline"),
        ("a.zip|3zip:", StoreError, "malformed_pipeline"),
        ("a.zip|zarr3:|zip:", StoreError, "malformed_pipeline"),
        ("a.zip|zarr3:|zarr3:", StoreError, "malformed_pipeline"),
        ("a.zip|byte-range:|zip:", StoreError, "malformed_pipeline"),
        ("a.zip|byte-range:5|zip:", StoreError, "malformed_pipeline"),
        ("a.zip|byte-range:5-|zip:", StoreError, "malformed_pipeline"),
        ("a.zip|byte-range:9-5|zip:", StoreError, "malformed_pipeline"),
        ("a.zip|byte-range:-5-9|zip:", StoreError, "malformed_pipeline"),
        ("a.zip|byte-range:0-10", StoreError, "malformed_pipeline"),
        ("a.zip|byte-range:0-100000|zip:", CorruptDataError, "corrupt_data"),
        ("a.zip|byte-range:10-900|zip:", CorruptDataError, "corrupt_data"),
        ("a.zip.gz|gzip:inner|zip:", StoreError, "malformed_pipeline"),
        ("a.zip.gz|gzip:", StoreError, "malformed_pipeline"),
        ("a.zip.gz|gzip:|zarr3:", StoreError, "malformed_pipeline"),
        ("a.zip|gzip:|zip:", CorruptDataError, "corrupt_data"),
        ("nothing|gzip:|zip:", StoreError, "store"),
        ("a.zip|zip:|zip:", StoreError, "malformed_pipeline"),
        ("a.zip|json:", CorruptDataError, "corrupt_data"),
        ("a.zarr/zarr.json|json:x", StoreError, "malformed_pipeline"),
        ("a.zarr/zarr.json|json:/shape", StoreError, "store"),
        ("a.zarr/zarr.json|json:/shape/9", NodeNotFoundError, "node_not_found"),
        ("nothing|json:", NodeNotFoundError, "node_not_found"),
        ("a.zip|zip:|icechunk:", UnsupportedError, "unsupported"),
        ("a.zip|nosuch:", UnsupportedError, "unknown_url_adapter"),
    ],
)
def test_what_is_no_pipeline(folder: Path, steps: str, error: Any, kind: str) -> None:
    if "icechunk" in steps:
        pytest.importorskip("icechunk", reason="what refuses")
    with pytest.raises(error) as caught:
        anyzarr.open(f"{folder}/{steps}")
    assert caught.value.kind == kind
    message = str(caught.value)
    assert "\n" not in message
    assert ";" in message or ":" in message, "the remedy"


def test_secrets_in_a_base_are_not_shown() -> None:
    for steps in ("|nosuch:", "||zip:", "|zarr3:|zip:", "|gzip:x|zip:", "|byte-range:1|zip:"):
        with pytest.raises(AnyzarrError) as caught:
            open_store(f"https://user:hush@127.0.0.1:9/a{steps}")
        assert "hush" not in str(caught.value) + (caught.value.store or "")


# ------------------------------------------------------------------------- decompression: hostile


def test_a_bomb_is_refused_before_it_goes_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoded_module, "BOMB_BYTES", 3_000_000)
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(bytes(200_000_000)))
    store = DecodedStore((LocalStore(tmp_path), "bomb.gz"), "gzip")
    with pytest.raises(CorruptDataError, match="decompression bomb"):
        store.get(store.key, ByteRange(0, 1))
    zstd = zstd_module()
    (tmp_path / "bomb.zst").write_bytes(zstd.compress(bytes(200_000_000)))
    store = DecodedStore((LocalStore(tmp_path), "bomb.zst"), "zstd")
    with pytest.raises(CorruptDataError, match="decompression bomb"):
        store.head(store.key)


def test_much_is_kept_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoded_module, "_IN_MEMORY_BYTES", 100_000)
    monkeypatch.setattr(decoded_module, "_PART_BYTES", 1000)
    data = np.random.default_rng(0).bytes(3_000_000)
    (tmp_path / "a.gz").write_bytes(gzip.compress(data, 1))
    store = DecodedStore((LocalStore(tmp_path), "a.gz"), "gzip")
    assert store.get("a.gz", ByteRange(2_999_990)) == data[-10:]
    assert store.get("a.gz") == data
    head = store.head("a.gz")
    assert head is not None
    assert head.size == len(data)
    assert [info.key for info in store.list()] == ["a.gz"]
    store.close()
    assert store.get("a.gz", ByteRange(-5)) == data[-5:]
    assert os.listdir(tmp_path) == ["a.gz"]


@pytest.mark.parametrize("codec", ["gzip", "zstd"])
@pytest.mark.parametrize("size", [0, 1, 1 << 20, (1 << 20) + 1, 3 << 20])
def test_every_size_of_block(tmp_path: Path, codec: str, size: int) -> None:
    compress = gzip.compress if codec == "gzip" else zstd_module().compress
    data = bytes(size - size // 2) + np.random.default_rng(0).bytes(size // 2)
    stored = compress(data)
    inner = LocalStore(tmp_path)
    inner.put("k", stored)
    assert DecodedStore((inner, "k"), codec).get("k") == data
    for damage in (stored[:-1], b"", b"\0" * 40, stored + b"more"):
        inner.put("k", damage)
        with pytest.raises(CorruptDataError):
            DecodedStore((inner, "k"), codec).get("k")


def test_padding_after_gzip_members(tmp_path: Path) -> None:
    inner = LocalStore(tmp_path)
    inner.put("k", gzip.compress(b"a") + bytes(5) + gzip.compress(b"b") + bytes(512))
    assert DecodedStore((inner, "k"), "gzip").get("k") == b"ab"


def test_a_lie_about_the_size_of_a_gzip_file(tmp_path: Path) -> None:
    inner = LocalStore(tmp_path)
    inner.put("k", gzip.compress(b"some text")[:-4] + struct.pack("<I", 1 << 31))
    with pytest.raises(CorruptDataError, match="length"):
        DecodedStore((inner, "k"), "gzip").get("k")


def test_what_changes_while_it_is_read(tmp_path: Path) -> None:
    class Changing(LocalStore):
        def _get(self, key: str, byte_range: ByteRange | None) -> bytes | None:
            found = super()._get(key, byte_range)
            self.put(key, gzip.compress(b"new, and longer"))
            return found

    inner = Changing(tmp_path)
    inner.put("k", gzip.compress(b"old"))
    with pytest.raises(StoreError, match="was changed while it was read"):
        DecodedStore((inner, "k"), "gzip").get("k")


# ---------------------------------------------------------------------------------------- json


def test_consolidated_metadata_as_a_store(tmp_path: Path) -> None:
    group = anyzarr.create_group(tmp_path / "g.zarr", zarr_format=2, attributes={"who": "me"})
    group.create_array("a b/c", shape=(3,), dtype="u1", fill_value=7)
    anyzarr.consolidate_metadata(tmp_path / "g.zarr")
    opened = anyzarr.open_group(f"{tmp_path}/g.zarr/.zmetadata|json:/metadata|zarr2:")
    assert dict(opened.attrs) == {"who": "me"}
    array = opened["a b/c"]
    assert array.url.endswith("/.zmetadata|json:/metadata|zarr2:a%20b/c")
    again = anyzarr.open_array(array.url)
    assert again.url == array.url
    assert again[:].tolist() == [7, 7, 7]
    assert pickle.loads(pickle.dumps(again))[1] == 7


def test_inline_chunks_are_read_and_references_are_not(tmp_path: Path) -> None:
    document = json.loads(
        json.dumps(
            {
                "refs": {
                    "zarr.json": {
                        **crud.read_metadata(anyzarr.create_array({}, data=VALUES).store),
                        "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
                    },
                    "c/0/0": "base64:" + __import__("base64").b64encode(VALUES.tobytes()).decode(),
                    "text": "ü",
                    "list": ["s3://elsewhere/x", 0, 10],
                    "bad": "base64:!",
                    "../out": "x",
                }
            }
        )
    )
    (tmp_path / "r.json").write_text(json.dumps(document))
    assert np.array_equal(anyzarr.open(f"{tmp_path}/r.json|json:/refs|zarr3:")[:], VALUES)
    store = open_store(f"{tmp_path}/r.json|json:/refs")
    assert store.get("text") == "ü".encode()
    assert store.get("nothing") is None
    with pytest.raises(UnsupportedError, match="another place"):
        store.get("list")
    with pytest.raises(CorruptDataError):
        store.get("bad")
    with pytest.raises(StoreError):
        store.get("../out")


# ------------------------------------------------------------------------------------ registration


@pytest.fixture
def adapters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_registry, "_registered", dict(_registry._registered))
    monkeypatch.setattr(_registry, "_plugins", None)


def reversed_adapter(source: UrlSource, body: str) -> Any:
    """An object read from its end, as somebody else's package might have it."""
    store, key = source.as_object()
    shelf = MemoryStore()
    shelf.put("k", (store.get(key) or b"")[::-1])
    return shelf, body or "k"


def test_an_adapter_of_ones_own_composes_with_ours(adapters: None, folder: Path) -> None:
    (folder / "a.rev.gz").write_bytes(gzip.compress((folder / "a.zip").read_bytes()[::-1]))
    register_url_adapter("reverse", reversed_adapter)
    assert "reverse" in list_url_adapters()
    array = anyzarr.open_array(f"{folder}/a.rev.gz|gzip:|Reverse:|zip:|zarr3:")
    assert np.array_equal(array[:], VALUES)
    for name in ("", "Upper", "zarr3", "a b", "a:b", "1a"):
        with pytest.raises(StoreError):
            register_url_adapter(name, reversed_adapter)


def test_an_adapter_that_can_be_written_to(adapters: None, tmp_path: Path) -> None:
    register_url_adapter(
        "below", lambda source, body: (source.as_folder(), f"deep/{body}"), writable=True
    )
    array = anyzarr.create_array(f"{tmp_path}|below:a|zarr3:", data=VALUES)
    assert array.url == f"{tmp_path.as_uri()}/deep/a|zarr3:"
    array[0] = 9
    assert anyzarr.open_array(f"{tmp_path}|below:a")[0, 0] == 9


class _Point:
    group = "anyzarr.url_adapters"

    def __init__(self, name: str, adapter: Any) -> None:
        self.name, self.value, self._adapter = name, f"{name}_package:open", adapter

    def load(self) -> Any:
        if isinstance(self._adapter, Exception):
            raise self._adapter
        return self._adapter


def test_adapters_of_plugins(adapters: None, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = [
        _Point("broken", ImportError("no module named 'left_behind'")),
        _Point("worse", RuntimeError("at import")),
        _Point("reverse", reversed_adapter),
    ]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: points)
    (folder / "a.rev").write_bytes((folder / "a.zip").read_bytes()[::-1])
    with pytest.warns(RuntimeWarning) as caught:
        array = anyzarr.open_array(f"{folder}/a.rev|reverse:|zip:")
    assert len(caught) == 2
    assert "left_behind" in str(caught[0].message)
    assert np.array_equal(array[:], VALUES)
    with pytest.raises(UnsupportedError, match="reverse:"):
        open_store(f"{folder}/a.rev|broken:")


def test_parsing_touches_nothing() -> None:
    parsed = parse_location("S3://bucket/a.zip | ZIP:in%20ner/ |zarr2:x")
    assert [(step.name, step.path) for step in parsed.adapters] == [("zip", "in ner")]
    assert (parsed.node_path, parsed.zarr_format) == ("x", 2)
    assert parse_location(Path("a|zip:")).adapters == ()


def test_xarray_takes_pipelines(folder: Path) -> None:
    xarray = pytest.importorskip("xarray", reason="what opens them")
    group = anyzarr.create_group(folder / "g.zarr")
    group.create_array("v", data=VALUES, dimension_names=("y", "x"))
    anyzarr.convert(folder / "g.zarr", folder / "g.zip")
    (folder / "g.zip.gz").write_bytes(gzip.compress((folder / "g.zip").read_bytes()))
    for location in (f"{folder}/g.zip.gz|gzip:|zip:|zarr3:", f"{folder.as_uri()}/g.zip|zip:"):
        with xarray.open_dataset(location, engine="anyzarr") as dataset:
            assert np.array_equal(dataset["v"].values, VALUES)
