"""The step ``icechunk:``: versions of a repository, read through icechunk."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anyzarr
from anyzarr.errors import MissingDependencyError, ReadOnlyError, StoreError, UnsupportedError
from anyzarr.stores import open_store

if sys.version_info < (3, 12):
    pytest.skip("icechunk needs Python 3.12", allow_module_level=True)
icechunk = pytest.importorskip("icechunk", reason="what reads repositories")

FIRST, SECOND = np.arange(6), np.arange(6) * 2


def _fill(storage: Any) -> str:
    """Make a repository with a tag and two branches; return the id of its first snapshot."""
    repository = icechunk.Repository.create(storage)
    session = repository.writable_session("main")
    anyzarr.create_array(session.store, name="a b/c", data=FIRST, chunks=(4,))
    first = session.commit("first")
    repository.create_tag("v1.0", snapshot_id=first)
    repository.create_branch("dev/new", snapshot_id=first)
    session = repository.writable_session("dev/new")
    anyzarr.open_array(session.store, path="a b/c")[:] = SECOND
    session.commit("second")
    return str(first)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    path = tmp_path_factory.mktemp("ice") / "a repository"
    return path, _fill(icechunk.local_filesystem_storage(str(path)))


@pytest.mark.parametrize("engine", ["native", "zarr"])
def test_every_way_to_name_a_version(repository: tuple[Path, str], engine: str) -> None:
    path, first = repository
    base = f"{path.as_uri()}|icechunk:"
    for body, canonical, expected in (
        ("a b/c", "a%20b/c", FIRST),
        ("/a%20b/c/", "a%20b/c", FIRST),
        ("//branch.main/a b/c", "a%20b/c", FIRST),
        ("@branch.main/a b/c", "a%20b/c", FIRST),
        ("@tag.v1.0/a b/c", "//tag.v1.0/a%20b/c", FIRST),
        ("//branch.dev%2Fnew/a b/c", "//branch.dev%2Fnew/a%20b/c", SECOND),
        (f"@{first}/a b/c", f"//{first}/a%20b/c", FIRST),
    ):
        array = anyzarr.open_array(f"{path}|icechunk:{body}|zarr3:", engine=engine)
        assert array.url == f"{base}{canonical}|zarr3:"
        assert array.backend == "icechunk"
        assert array.read_only
        for again in (anyzarr.open_array(array.url), pickle.loads(pickle.dumps(array))):
            assert again.url == array.url
            assert np.array_equal(again[:], expected)
    assert list(anyzarr.open_group(f"{path}|icechunk:a b")) == ["c"]


def test_the_version_is_settled_when_it_is_opened(tmp_path: Path) -> None:
    storage = icechunk.local_filesystem_storage(str(tmp_path / "r"))
    _fill(storage)
    array = anyzarr.open_array(f"{tmp_path}/r|icechunk:a b/c")
    session = icechunk.Repository.open(storage).writable_session("main")
    anyzarr.open_array(session.store, path="a b/c")[0] = 99
    session.commit("third")
    assert pickle.loads(pickle.dumps(array))[0] == 0
    assert anyzarr.open_array(array.url)[0] == 99


def test_over_s3(s3: Any) -> None:
    bucket = s3.new_bucket()
    _fill(
        icechunk.s3_storage(
            bucket=bucket,
            prefix="some/repository",
            region="us-east-1",
            endpoint_url=s3.endpoint,
            allow_http=True,
            force_path_style=True,
            access_key_id="an-id",
            secret_access_key="hush-hush",
        )
    )
    url = f"s3://{bucket}/some/repository|icechunk:@tag.v1.0|zarr3:a b/c"
    array: Any = anyzarr.open(url, **s3.options)
    assert np.array_equal(array[:], FIRST)
    assert np.array_equal(pickle.loads(pickle.dumps(array))[:], FIRST)
    assert "hush" not in repr(array.store.spec) + repr(array)


def test_what_cannot_be_opened(
    repository: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = repository
    for location in (
        f"{tmp_path}|icechunk:",
        f"{path}|icechunk://tag.nothing/",
        f"{path}|icechunk://branch.nothing/",
        f"{path}|icechunk://NOSNAPSHOT/",
    ):
        with pytest.raises(StoreError) as caught:
            open_store(location)
        assert "\n" not in str(caught.value)
    with pytest.raises(UnsupportedError):
        open_store("sftp://host/repository|icechunk:")
    with pytest.raises(ReadOnlyError):
        open_store(f"{path}|icechunk:", mode="a")
    monkeypatch.setitem(sys.modules, "icechunk", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "anyzarr\[icechunk\]"'):
        open_store(f"{path}|icechunk:")
