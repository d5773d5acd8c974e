"""Archives against RFC-9: each MUST and SHOULD by its name, here and elsewhere."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anyzarr
from anyzarr.stores import LocalStore, MemoryStore, ZipStore, open_store

COMMENT = {"ome": {"version": "0.5", "zipFile": {"centralDirectory": {"jsonFirst": True}}}}
Entries = list[tuple[str, bytes]]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive that breaks no rule."""
    path = tmp_path_factory.mktemp("whole") / "a.ozx"
    axes = [{"name": n, "type": "space", "unit": "micrometer"} for n in "yx"]
    with anyzarr.open_ome_zarr(path, mode="w", axes=axes) as image:
        image.create_image("0", np.arange(400, dtype="u2").reshape(20, 20), chunks=(10, 10))
        image.compute_pyramid(levels=2)
    return path


def entries_of(path: Path) -> Entries:
    with zipfile.ZipFile(path) as archive:
        return [(name, archive.read(name)) for name in archive.namelist()]


def written(entries: Entries, comment: Any = COMMENT, method: int = zipfile.ZIP_STORED) -> bytes:
    """Return an archive as zipfile writes it: without ZIP64."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in entries:
            archive.writestr(name, content)
        archive.comment = comment if isinstance(comment, bytes) else json.dumps(comment).encode()
    return buffer.getvalue()


def rules(location: Any, **options: Any) -> tuple[set[str], set[str]]:
    """Return the rules of archives that are broken: MUSTs and SHOULDs."""
    report = anyzarr.validate(location, **options)
    errors = {f.rule for f in report.errors if f.rule.startswith("ozx-")}
    warnings = {f.rule for f in report.warnings if f.rule.startswith("ozx-")}
    assert report.valid == (not report.errors)
    return errors, warnings


def test_what_we_write_breaks_none(whole: Path) -> None:
    assert rules(whole) == (set(), set())
    report = anyzarr.validate(whole)
    assert report.valid
    assert not [str(f) for f in report.warnings if f.rule.startswith("ozx")]
    assert {rule.demand for rule in report.archive} == {"MUST", "SHOULD"}
    assert all(rule.met for rule in report.archive)
    assert {*MUST, *SHOULD} <= {rule.rule for rule in report.archive}
    assert report.to_dict()["archive"][0]["rule"] == "ozx-root"


def last_first(entries: Entries) -> Entries:
    return entries[::-1]


def shuffled_documents(entries: Entries) -> Entries:
    """All documents first, a deep one before a shallow one."""
    root, *others = entries
    return [root, ("0/deep/er/zarr.json", b"{}"), ("0/deep/zarr.json", b"{}"), *others]


def late_document(entries: Entries) -> Entries:
    documents = [e for e in entries if e[0].endswith("zarr.json")]
    return [*documents[:1], *(e for e in entries if e not in documents), *documents[1:]]


GROUP = b'{"zarr_format": 3, "node_type": "group"}'
STRAY = (".DS_Store", b"x")
MUST: dict[str, tuple[Callable[[Entries], Entries], Any]] = {
    "ozx-root": (lambda entries: [(f"a.zarr/{k}", v) for k, v in entries], COMMENT),
    "ozx-one-hierarchy": (lambda entries: [entries[0], ("x/y/zarr.json", GROUP), *entries[1:]],
                          COMMENT),
    "ozx-json-first": (late_document, COMMENT),
}  # fmt: skip
SHOULD: dict[str, tuple[Callable[[Entries], Entries], Any]] = {
    "ozx-order": (shuffled_documents, COMMENT),
    "ozx-comment": (list, b""),
    "ozx-version": (list, {"ome": {"version": "0.6"}}),
    "ozx-comment-length": (list, {"ome": {"version": "0.5"}, "more": "x" * 5000}),
    "ozx-strays": (lambda entries: [*entries, STRAY], COMMENT),
    "ozx-duplicates": (lambda entries: [*entries, entries[-1]], COMMENT),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("rule", [*MUST, *SHOULD])
def test_each_rule_is_told_by_its_name(whole: Path, tmp_path: Path, rule: str) -> None:
    change, comment = (MUST | SHOULD)[rule]
    path = tmp_path / "a.ozx"
    path.write_bytes(written(change(entries_of(whole)), comment))
    errors, warnings = rules(path)
    assert "ozx-zip64" in warnings, "zipfile writes it only where it must"
    if rule in MUST:
        assert errors == {rule}
    else:
        assert errors == set()
        assert warnings == {rule, "ozx-zip64"}


def test_order_in_the_file_counts_too(whole: Path, tmp_path: Path) -> None:
    data = written(last_first(entries_of(whole)), {"ome": {"version": "0.5"}})
    # The directory alone is put in order: its headers are reversed.
    end = data.rindex(b"PK\x05\x06")
    start = int.from_bytes(data[end + 16 : end + 20], "little")
    headers = [b"PK\x01\x02" + part for part in data[start:end].split(b"PK\x01\x02")[1:]]
    path = tmp_path / "a.ozx"
    path.write_bytes(data[:start] + b"".join(headers[::-1]) + data[end:])
    assert rules(path) == (set(), {"ozx-order", "ozx-zip64"})


def test_compressed_and_encrypted_entries(whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.ozx"
    path.write_bytes(written(entries_of(whole), method=zipfile.ZIP_DEFLATED))
    assert rules(path) == (set(), {"ozx-compressed", "ozx-zip64"})
    path.write_bytes(written([*entries_of(whole), ("0/c/9/9", b"x" * 99)]))
    data = bytearray(path.read_bytes())
    at = data.rindex(b"0/c/9/9") - 46
    data[at + 8] |= 1
    path.write_bytes(data)
    assert rules(path) == ({"ozx-unreadable"}, {"ozx-zip64"})
    path.write_bytes(written([*entries_of(whole), ("0/c/9/9", b"x" * 99)], method=zipfile.ZIP_LZMA))
    errors, _ = rules(path)
    assert errors == {"ozx-unreadable"}, "the root as well, so nothing else is known"


def test_arrays_without_shards(tmp_path: Path) -> None:
    with anyzarr.open_ome_zarr(tmp_path / "a.ozx", mode="w", axes="yx") as image:
        image.create_image("0", np.ones((20, 20), "u1"), shards=False)
    assert rules(tmp_path / "a.ozx") == (set(), {"ozx-sharding"})
    (found,) = [f for f in anyzarr.validate(tmp_path / "a.ozx").warnings if "ozx" in f.rule]
    assert found.where == "0"


def test_zarr_v2_and_other_names(whole: Path, tmp_path: Path) -> None:
    for name in ("v2.ozx", "v2.zip"):
        with anyzarr.open_ome_zarr(tmp_path / name, mode="w", axes="yx", version="0.4") as image:
            image.create_image("0", np.ones((20, 20), "u1"))
    assert rules(tmp_path / "v2.ozx")[0] == {"ozx-root"}
    # What does not say that it is one is no worse than any other archive.
    plain = tmp_path / "plain.zip"
    plain.write_bytes(written([(f"a.zarr/{k}", v) for k, v in entries_of(whole)], b""))
    assert rules(plain) == (set(), {"ozx-root", "ozx-name", "ozx-zip64", "ozx-comment"})
    named = tmp_path / "A.OZX"
    named.write_bytes(whole.read_bytes())
    assert rules(named) == (set(), {"ozx-name"})


def test_archives_in_hierarchies(whole: Path, tmp_path: Path) -> None:
    anyzarr.convert(whole, tmp_path / "outer.zarr")
    assert rules(tmp_path / "outer.zarr") == (set(), set())
    for inner in ("a.ozx", "0/deep/a.ozx"):
        path = tmp_path / "outer.zarr" / inner
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(whole.read_bytes())
        assert rules(path) == ({"ozx-embedded"}, set())
    assert rules(tmp_path / "outer.zarr") == ({"ozx-embedded"}, set())
    (found,) = [f for f in anyzarr.validate(tmp_path / "outer.zarr").errors if "ozx" in f.rule]
    assert found.where == "a.ozx"
    # A part of an archive is looked at as a part of a hierarchy.
    image = anyzarr.open_group(whole)
    assert anyzarr.validate(image).valid


def test_in_stores(whole: Path) -> None:
    container = MemoryStore({"in/a.ozx": whole.read_bytes()})
    assert rules(ZipStore((container, "in/a.ozx"))) == (set(), set())
    container.put("zarr.json", GROUP)
    assert rules(ZipStore((container, "in/a.ozx"))) == ({"ozx-embedded"}, set())
    folder = LocalStore(whole.parent)
    assert rules(ZipStore((folder, "a.ozx"))) == (set(), set())


@pytest.mark.parametrize("backend", ["obstore", "fsspec"])
def test_on_s3(s3: Any, whole: Path, backend: str) -> None:
    bucket = f"s3://{s3.new_bucket()}"
    options = {"backend": backend, **s3.options}
    store: Any = open_store(bucket, mode="a", **options)
    store.put("a.ozx", whole.read_bytes())
    store.put("x/b.ozx", written(late_document(entries_of(whole))))
    assert rules(f"{bucket}/a.ozx", **options) == (set(), set())
    errors, warnings = rules(f"{bucket}/x/b.ozx", **options)
    assert errors == {"ozx-json-first"}
    assert {"ozx-zip64", "ozx-order"} >= warnings
    facts = anyzarr.info(f"{bucket}/a.ozx", stored=True, **options)
    assert facts.archive.is_zip64


def test_info_of_other_nodes_in_archives(tmp_path: Path) -> None:
    with anyzarr.open_ome_zarr(tmp_path / "p.ozx", mode="w", layout="hcs", axes="yx") as plate:
        plate.create_position("A", "1", "0").create_image("0", np.ones((9, 9), "u1"))
    for path, kind in (
        ("", "plate"), ("A/1", "well"), ("A/1/0", "image"), ("A/1/0/0", "array"), ("A", "group"),
    ):  # fmt: skip
        facts: Any = anyzarr.info(tmp_path / "p.ozx", path=path, stored=True)
        assert facts.kind == kind
        assert facts.archive.n_documents == 5
        assert json.loads(json.dumps(facts.to_dict()))["archive"]["json_first"] is True
    anyzarr.convert(tmp_path / "p.ozx", tmp_path / "p.zarr")
    assert anyzarr.info(tmp_path / "p.zarr", stored=True).archive is None


def test_what_lies_in_no_archive_is_under_no_rule_of_archives(tmp_path: Path, whole: Path) -> None:
    anyzarr.convert(whole, tmp_path / "a.zarr")
    assert anyzarr.validate(tmp_path / "a.zarr").archive == ()


@pytest.mark.parametrize("claims", ["a.ozx", "a.zip"])
def test_split_archives(whole: Path, tmp_path: Path, claims: str) -> None:
    data = bytearray(written(entries_of(whole)))
    data[data.rindex(b"PK\x05\x06") + 4] = 1
    (tmp_path / claims).write_bytes(data)
    report = anyzarr.validate(tmp_path / claims)
    assert not report.valid
    assert [finding.rule for finding in report.errors] == ["ozx-split"]
    assert [(rule.rule, rule.met) for rule in report.archive] == [("ozx-split", False)]


@pytest.mark.parametrize(
    "ome",
    [
        {"jsonFirst": True},
        {"zipFile": {"jsonFirst": True}},
        {"centralDirectory": {"jsonFirst": True}},
        {"zipFile": {"centralDirectory": {"jsonFirst": "true"}}},
        {"zipFile": [{"centralDirectory": {"jsonFirst": True}}]},
    ],
)
def test_a_flag_in_the_wrong_place_is_not_believed_and_told(
    whole: Path, tmp_path: Path, ome: dict[str, Any]
) -> None:
    comment = {"ome": {"version": "0.5", **ome}}
    (tmp_path / "a.ozx").write_bytes(written(late_document(entries_of(whole)), comment))
    errors, warnings = rules(tmp_path / "a.ozx")
    assert errors == set(), "the documents come late, and nobody says otherwise"
    assert "ozx-comment" in warnings
    store = ZipStore(tmp_path / "a.ozx")
    assert store.comment.is_misplaced
    assert not store.comment.json_first
    assert not ZipStore(whole).comment.is_misplaced


@pytest.mark.parametrize(
    ("names", "broken"),
    [
        (["a.zarr/zarr.json", "b.zarr/zarr.json"], {"ozx-root", "ozx-one-hierarchy"}),
        (["x/y/zarr.json", "x/readme"], {"ozx-root"}),
        (["x/y/.zgroup"], {"ozx-root"}),
        ([], {"ozx-root"}),
    ],
)
def test_archives_that_cannot_be_opened(tmp_path: Path, names: list[str], broken: set[str]) -> None:
    (tmp_path / "a.ozx").write_bytes(written([(name, GROUP) for name in names]))
    report = anyzarr.validate(tmp_path / "a.ozx")
    assert {finding.rule for finding in report.errors} == broken
    assert {
        rule.rule for rule in report.archive if rule.demand == "MUST" and not rule.met
    } == broken
    (tmp_path / "a.zip").write_bytes(written([(name, GROUP) for name in names], b""))
    with pytest.raises(anyzarr.NodeNotFoundError) as caught:  # nobody says it is OME-Zarr
        anyzarr.validate(tmp_path / "a.zip")
    nearest = next((name.rpartition("/")[0] for name in names), None)
    assert nearest is None or repr(nearest) in str(caught.value)


def test_an_encrypted_root(tmp_path: Path) -> None:
    data = bytearray(written([("zarr.json", GROUP)]))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "a.ozx").write_bytes(data)
    assert {f.rule for f in anyzarr.validate(tmp_path / "a.ozx").errors} == {"ozx-unreadable"}
