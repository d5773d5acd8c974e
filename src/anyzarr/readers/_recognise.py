"""The pattern that the names of the files in a folder follow."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from anyzarr.errors import UnsupportedError
from anyzarr.readers._pattern import Pattern, escaped

__all__ = ["recognised"]

# How microscopes name files. Sources: the manuals of MetaXpress, Harmony and CellVoyager,
# Micro-Manager's file formats ("separate image files", version 2 and 1.4), and names of files of
# JOBS of NIS-Elements in the wild: a file for each point, or for each well with its points.
_MICROSCOPES = (
    "{_}_{well:02}_s{field:d}_w{c:d}{_}",
    "{_}_{well:02}_s{field:d}_w{c:d}",
    "{_}_{well:02}_w{c:d}",
    "r{row:02}c{column:02}f{field:02}p{z:02}-ch{c:d}sk{t:d}fk{_}fl{_}",
    "{_}_{well:02}_T{t:04}F{field:03}L{_}A{_}Z{z:02}C{c:02}",
    "*Well{well}_Point{well}_{field:04}_*Seq*",
    "*Well{well}_Channel*Seq*",
    "img_channel{c:03}_position{position:03}_time{t:09}_z{z:03}",
    "img_{t:09}_{c:*}_{z:03}",
)
_TAGS = {
    "t": "t", "time": "t", "tp": "t", "frame": "t", "timepoint": "t", "c": "c", "ch": "c",
    "channel": "c", "w": "c", "z": "z", "slice": "z", "plane": "z", "s": "field", "site": "field",
    "f": "field", "field": "field", "fov": "field", "p": "position", "pos": "position",
    "position": "position", "xy": "position", "r": "row", "row": "row", "col": "column",
    "column": "column",
}  # fmt: skip
_SEPARATOR = re.compile(r"([_\-. ]+)")
_RUN = re.compile(r"\d+|\D+")
_WELL = re.compile(r"[A-Pa-p]\d{2}")


def recognised(folder: Path, names: Sequence[str]) -> tuple[Pattern, tuple[str, ...]]:
    """Return the pattern of names, and warnings of what had to be guessed.

    Parameters
    ----------
    folder
        Where they are.
    names
        Of two files or more.

    Raises
    ------
    UnsupportedError
        They follow none.
    """
    here = Path(escaped(str(folder)))
    for stem in _MICROSCOPES:
        pattern = Pattern(here / (stem + escaped(Path(names[0]).suffix)))
        if all(map(pattern.matches, names)):
            return pattern, ()
    guess = _Guess(folder, [_SEPARATOR.split(name) for name in names])
    text = guess.text()
    pattern = Pattern(here / text)
    if not guess.guessed:
        return pattern, ()
    said = ", ".join(guess.guessed)
    return pattern, (
        f"the names of the files were taken as {text!r}, where {said} was a guess; give the right "
        f"pattern as the source if that is wrong: {str(folder / text)!r}",
    )


class _Guess:
    """A pattern put together from what names have in common."""

    def __init__(self, folder: Path, rows: Sequence[list[str]]) -> None:
        self._folder = folder
        self._rows = rows
        self._used: set[str] = set()
        self.guessed: list[str] = []

    def text(self) -> str:
        """Return the pattern."""
        lengths = {len(row) for row in self._rows}
        separators = {tuple(row[1::2]) for row in self._rows}
        if len(lengths) > 1 or len(separators) > 1:
            raise self._unlike("their parts differ in number")
        return "".join(
            self._column([row[i] for row in self._rows], self._before(i))
            for i in range(lengths.pop())
        )

    def _before(self, index: int) -> str:
        """Return the part that all names have before a part, or nothing."""
        before = {row[index - 2].lower() for row in self._rows} if index > 1 else set()
        return before.pop() if len(before) == 1 else ""

    def _column(self, texts: Sequence[str], before: str) -> str:
        """Return the pattern of one part of the names."""
        if len(set(texts)) == 1:
            return escaped(texts[0])
        if all(map(_WELL.fullmatch, texts)):
            return self._placed("well", "{well}")
        runs = [_RUN.findall(text) for text in texts]
        words = {tuple(run for run in row if not run.isdigit()) for row in runs}
        if len({len(row) for row in runs}) > 1 or len(words) > 1:
            self.guessed.append("{c}")
            return self._placed("c", "{c}")
        tags = [run.lower() for run in runs[0]]
        is_well = "r" in tags and "c" in tags
        result, tag = "", before
        for i, run in enumerate(runs[0]):
            if not run.isdigit():
                result, tag = result + escaped(run), run.lower()
                continue
            if len({row[i] for row in runs}) == 1:
                result += run
                continue
            name = "column" if is_well and tag == "c" else _TAGS.get(tag)
            result += self._number(name)
        return result

    def _number(self, name: str | None) -> str:
        if name is not None:
            return self._placed(name, f"{{{name}:d}}")
        free = next((n for n in "zt" if n not in self._used), None)
        if free is None:
            raise self._unlike("more numbers in them vary than can be told apart")
        self.guessed.append(f"{{{free}}}")
        return self._placed(free, f"{{{free}:d}}")

    def _placed(self, name: str, text: str) -> str:
        if name in self._used:
            raise self._unlike(f"more than one part of them can be {name!r}")
        self._used.add(name)
        return text

    def _unlike(self, why: str) -> UnsupportedError:
        some = ", ".join(repr("".join(row)) for row in self._rows[:3])
        return UnsupportedError(
            f"the names of the {len(self._rows)} images in {str(self._folder)!r} ({some}, …) are "
            f"of no known form: {why}; give a pattern of the names as the source, such as "
            f"{str(self._folder / 'img_t{t}_c{c}.tif')!r}, or name the files in a table"
        )
