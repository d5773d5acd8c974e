"""``validate`` and ``info -v`` of archives."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anyzarr

Run = Callable[..., Any]


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """An archive that breaks no rule of archives."""
    axes = [{"name": n, "type": "space", "unit": "micrometer"} for n in "yx"]
    with anyzarr.open_ome_zarr(tmp_path / "whole.ozx", mode="w", axes=axes) as image:
        image.create_image("0", np.arange(400, dtype="u2").reshape(20, 20), chunks=(10, 10))
        image.compute_pyramid(levels=2)
    return tmp_path / "whole.ozx"


def late_document(path: Path, method: int = zipfile.ZIP_STORED) -> bytes:
    """Return an archive that says jsonFirst, and has most documents last."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(buffer, "w", method) as changed:
        names = archive.namelist()
        for name in [names[0], *names[:0:-1]]:
            changed.writestr(name, archive.read(name))
        changed.comment = archive.comment
    return buffer.getvalue()


def test_the_command_says_what_is_broken(run: Run, whole: Path, tmp_path: Path) -> None:
    assert run("validate", whole).code == 0
    broken = tmp_path / "a.ozx"
    broken.write_bytes(late_document(whole))
    result = run("validate", broken)
    assert result.code == 1
    assert "[ozx-json-first]" in result.out
    report = run("validate", broken, "--json").json
    assert report["valid"] is False
    assert [error["rule"] for error in report["errors"]] == ["ozx-json-first"]
    (tmp_path / "b.ozx").write_bytes(broken.read_bytes()[:-30])
    assert run("validate", tmp_path / "b.ozx").code == 2
    split = bytearray(whole.read_bytes())
    split[split.rindex(b"PK\x06\x07") + 4] = 1
    (tmp_path / "c.ozx").write_bytes(split)
    result = run("validate", tmp_path / "c.ozx")
    assert result.code == 1
    assert "[ozx-split]" in result.out


def test_the_command_names_every_must_and_should(run: Run, whole: Path, tmp_path: Path) -> None:
    lines = [line.split() for line in run("validate", whole).out.splitlines()]
    told = {line[2]: (line[1], line[3]) for line in lines if line[0] == "archive"}
    assert len(told) == 16
    assert {verdict for _, verdict in told.values()} == {"ok"}
    assert told["ozx-root"][0] == "MUST"
    assert told["ozx-zip64"][0] == "SHOULD"
    (tmp_path / "a.ozx").write_bytes(late_document(whole))
    lines = [line.split() for line in run("validate", tmp_path / "a.ozx").out.splitlines()]
    told = {line[2]: (line[1], line[3]) for line in lines if line[0] == "archive"}
    assert told["ozx-json-first"] == ("MUST", "broken")
    assert told["ozx-compressed"] == ("SHOULD", "ok")
    by_name = {r["rule"]: r for r in run("validate", tmp_path / "a.ozx", "--json").json["archive"]}
    assert by_name["ozx-json-first"]["met"] is False


def test_info_tells_the_properties_of_rfc_9(run: Run, whole: Path, tmp_path: Path) -> None:
    facts = run("info", "-v", whole, "--json").json
    assert facts["kind"] == "image"
    assert facts["archive"] == {
        "version": "0.5", "json_first": True, "is_json_first": True, "is_ordered": True,
        "is_zip64": True, "n_entries": 5, "n_documents": 3, "n_duplicates": 0, "n_compressed": 0,
        "n_arrays": 2, "n_sharded": 2,
    }  # fmt: skip
    text = " ".join(run("info", "-v", whole).out.split())
    for part in ("version 0.5", "jsonFirst yes", "ZIP64 yes", "5, 3 of them zarr.json",
                 "duplicates 0", "compressed 0 entries", "sharded yes"):  # fmt: skip
        assert part in text
    assert "jsonFirst" not in run("info", whole).out
    assert run("info", whole, "--json").json["archive"] is None
    other = tmp_path / "a.ozx"
    other.write_bytes(late_document(whole, zipfile.ZIP_DEFLATED))
    text = " ".join(run("info", "-v", other).out.split())
    assert "jsonFirst claimed, but it is not so" in text
    assert "ZIP64 no" in text
    assert "compressed 5 entries" in text
