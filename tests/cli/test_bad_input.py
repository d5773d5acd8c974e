"""Bad input: one sentence on stderr, exit code 1 (2 for wrong usage), nothing half-written."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import anyzarr

Run = Callable[..., Any]

READERS = ["info", "tree", "engines", "preview"]


def arguments(command: str, location: object, tmp_path: Path) -> list[object]:
    return [command, location] + ([tmp_path / "out.png"] if command == "preview" else [])


@pytest.fixture(autouse=True)
def no_png(tmp_path: Path) -> Any:
    """Nothing is half-written, under whatever name."""
    yield
    assert not list(tmp_path.rglob("*.png*"))


@pytest.mark.parametrize("command", READERS)
def test_location_that_is_not_there(run: Run, tmp_path: Path, command: str) -> None:
    result = run(*arguments(command, tmp_path / "missing.zarr", tmp_path))
    assert result.code == 1
    assert "missing.zarr" in result.sentence
    assert not (tmp_path / "missing.zarr").exists()


@pytest.mark.parametrize("command", READERS)
def test_folder_that_is_not_zarr(run: Run, tmp_path: Path, command: str) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "a.txt").write_text("dear reader")
    result = run(*arguments(command, tmp_path / "letters", tmp_path))
    assert result.code == 1
    assert "letters" in result.sentence


@pytest.mark.parametrize("command", READERS)
def test_file_in_place_of_a_folder(run: Run, tmp_path: Path, command: str) -> None:
    (tmp_path / "file.zarr").write_text("not a folder")
    result = run(*arguments(command, tmp_path / "file.zarr", tmp_path))
    assert result.code == 1
    assert "file.zarr" in result.sentence


@pytest.mark.parametrize("command", READERS)
def test_unknown_scheme(run: Run, tmp_path: Path, command: str) -> None:
    result = run(*arguments(command, "gopher://example.org/a.zarr", tmp_path))
    assert result.code == 1
    assert "gopher" in result.sentence


@pytest.mark.parametrize("command", ["info", "engines", "preview"])
def test_unknown_engine(run: Run, image: Path, tmp_path: Path, command: str) -> None:
    result = run(*arguments(command, image, tmp_path), "--engine", "zars")
    assert result.code == 1
    assert "'zars'" in result.sentence
    assert "zarrs" in result.sentence


@pytest.mark.parametrize("command", READERS)
def test_unknown_backend(run: Run, image: Path, tmp_path: Path, command: str) -> None:
    result = run(*arguments(command, image, tmp_path), "--backend", "floppy")
    assert result.code == 1
    assert "floppy" in result.sentence


def test_missing_extra_of_a_preview(
    run: Run, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PIL", "PIL.Image"):
        monkeypatch.setitem(sys.modules, name, None)
    result = run("preview", image, tmp_path / "out.png")
    assert result.code == 1
    assert 'pip install "anyzarr[images]"' in result.sentence


@pytest.mark.parametrize("command", READERS)
def test_missing_extra_of_a_backend(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    for name in ("obstore", "obstore.store", "fsspec"):
        monkeypatch.setitem(sys.modules, name, None)
    result = run(*arguments(command, "s3://bucket/image.zarr", tmp_path))
    assert result.code == 1
    assert 'pip install "anyzarr[obstore]"' in result.sentence


def corrupt(location: Path) -> Path:
    chunk = max((p for p in (location / "c").rglob("*") if p.is_file()), key=str)
    chunk.write_bytes(b"\xff" * chunk.stat().st_size)
    return chunk


@pytest.mark.parametrize("engine", anyzarr.list_engines())
def test_corrupt_chunk_on_preview(run: Run, image: Path, tmp_path: Path, engine: str) -> None:
    corrupt(image / "1")
    result = run("preview", image, tmp_path / "out.png", "--level", "1", "--engine", engine)
    assert result.code == 1
    assert "c/1/1/1" in result.sentence


def test_preview_that_fails_keeps_the_picture_there_was(
    run: Run, image: Path, tmp_path: Path
) -> None:
    target = tmp_path / "out.png"
    assert run("preview", image, target, "--level", "1").code == 0
    before = target.read_bytes()
    corrupt(image / "1")
    assert run("preview", image, target, "--level", "1").code == 1
    assert target.read_bytes() == before
    target.unlink()


@pytest.mark.parametrize("command", READERS)
@pytest.mark.parametrize("text", ['{"zarr_format": 3, "node_', "", "[1, 2]", "\x00\x01"])
def test_truncated_zarr_json(
    run: Run, image: Path, tmp_path: Path, command: str, text: str
) -> None:
    (image / "zarr.json").write_text(text)
    result = run(*arguments(command, image, tmp_path))
    assert result.code == 1
    assert "zarr.json" in result.sentence


@pytest.mark.parametrize("command", ["info", "tree", "engines", "preview"])
def test_truncated_zarr_json_of_a_level(
    run: Run, image: Path, tmp_path: Path, command: str
) -> None:
    text = (image / "0" / "zarr.json").read_text()
    (image / "0" / "zarr.json").write_text(text[: len(text) // 2])
    result = run(*arguments(command, image, tmp_path))
    assert result.code == 1
    assert "0/zarr.json" in result.sentence


def test_ome_metadata_that_is_not_valid(run: Run, tmp_path: Path) -> None:
    ome = {"version": "0.5", "multiscales": [{"axes": [{"name": "x"}], "datasets": []}]}
    anyzarr.create_group(tmp_path / "odd.zarr", attributes={"ome": ome})
    result = run("info", tmp_path / "odd.zarr")
    assert result.code == 1
    assert "datasets" in result.sentence


def test_group_that_is_no_image_cannot_be_shown(run: Run, tmp_path: Path) -> None:
    anyzarr.create_group(tmp_path / "g").create_group("inside")
    for command in ("preview", "engines"):
        result = run(*arguments(command, tmp_path / "g", tmp_path))
        assert result.code == 1
        assert "inside" in result.sentence


@pytest.mark.parametrize(
    "options", [("--level", "7"), ("-c", "RFP"), ("-c", "5"), ("--time", "3"), ("--z", "4")]
)
def test_selection_that_is_not_there(run: Run, tmp_path: Path, options: tuple[str, str]) -> None:
    anyzarr.create_array(
        tmp_path / "a.zarr", shape=(1, 2, 2, 8, 8), dtype="u1", dimension_names=tuple("tczyx")
    )
    result = run("preview", tmp_path / "a.zarr", tmp_path / "out.png", *options)
    assert result.code == 1
    assert options[1] in result.sentence


def test_preview_into_a_folder_that_is_not_there(run: Run, image: Path, tmp_path: Path) -> None:
    result = run("preview", image, tmp_path / "nowhere" / "out.png")
    assert result.code == 1
    assert "nowhere" in result.sentence
    assert not (tmp_path / "nowhere").exists()


def test_preview_of_another_format(run: Run, image: Path, tmp_path: Path) -> None:
    result = run("preview", image, tmp_path / "out.jpg")
    assert result.code == 1
    assert "out.jpg" in result.sentence
    assert ".png" in result.sentence
    assert not (tmp_path / "out.jpg").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="needs a folder nobody can write to")
def test_preview_where_nothing_can_be_written(run: Run, image: Path) -> None:
    result = run("preview", image, "/proc/out.png")
    assert result.code == 1
    assert "/proc/out.png" in result.sentence


@pytest.mark.parametrize(
    ("command", "value"),
    [
        ((), None),
        (("info",), "LOCATION"),
        (("preview", "a"), "OUT"),
        (("infos", "a"), "infos"),
        (("info", "a", "--colour"), "--colour"),
        (("info", "a", "b", "c"), "c"),
        (("info", "a", "-o", "anon"), "anon"),
        (("tree", "a", "--depth", "-1"), "-1"),
        (("tree", "a", "--depth", "deep"), "deep"),
        (("preview", "a", "b.png", "--z", "top"), "top"),
        (("preview", "a", "b.png", "--screen", "wide"), "wide"),
        (("preview", "a", "b.png", "--level", "low"), "low"),
        (("convert", "a", "b", "--chunks", "1,0"), "1,0"),
        (("convert", "a"), "TARGET"),
    ],
)
def test_wrong_usage(run: Run, command: tuple[str, ...], value: str | None) -> None:
    result = run(*command)
    if value is None:
        assert result.code == 0
        assert "Usage" in result.out
        return
    assert result.code == 2
    assert result.out == ""
    error, hint = result.err.splitlines()
    assert value in error
    assert hint.startswith("see: anyzarr")


def test_wrong_environment(run: Run, plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANYZARR_CONCURRENCY", "many")
    result = run("info", plain)
    assert result.code == 2
    assert "ANYZARR_CONCURRENCY='many'" in result.sentence
