"""Names of files as patterns: ``img_t{t:03}_c{c}.tif``, ``{well}/s{field}_w{c}.tif``.

A placeholder stands for what names differ in, ``*`` and ``?`` for what does not matter.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from anyzarr.errors import MetadataError, NodeNotFoundError

__all__ = ["Found", "Pattern", "Value", "escaped", "has_wildcards", "is_pattern", "value_of"]

Value: TypeAlias = int | str

_NAMES = {
    "t": "t", "time": "t", "frame": "t", "c": "c", "channel": "c", "ch": "c", "w": "c",
    "wavelength": "c", "z": "z", "slice": "z", "plane": "z", "row": "row", "r": "row",
    "column": "column", "col": "column", "well": "well", "field": "field", "site": "field",
    "s": "field", "f": "field", "fov": "field", "position": "position", "pos": "position",
    "p": "position", "_": "_",
}  # fmt: skip
_DIGITS = r"\d+"
_TEXT = r"[^/\\_.]+?"
_ANYTHING = r"[^/\\]+?"
_USUAL = {
    "t": _DIGITS, "z": _DIGITS, "c": _TEXT, "row": r"(?:[A-Za-z]{1,2}|\d+)", "column": _DIGITS,
    "well": r"[A-Za-z]{1,2}\d{1,2}", "field": _TEXT, "position": _TEXT, "_": _ANYTHING,
}  # fmt: skip
_WIDTH = re.compile(r"0?(\d+)d?")


@dataclass(frozen=True, slots=True)
class _Part:
    """Literal text, and the placeholder after it."""

    text: str
    name: str | None = None
    spec: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """A file that a pattern matches, and what its name says at each placeholder."""

    path: Path
    values: Mapping[str, str]


def is_pattern(path: Path) -> bool:
    """Return whether a path is a pattern of names, rather than a name."""
    return has_wildcards(str(path)) or bool(re.search(r"(?<!\{)\{[^{}]*\}", str(path)))


def has_wildcards(text: str) -> bool:
    """Return whether ``*`` or ``?`` is in a path."""
    return "*" in text or "?" in text


def escaped(text: str) -> str:
    """Return literal text as a pattern has it."""
    return text.replace("{", "{{").replace("}", "}}")


def value_of(text: str) -> Value:
    """Return a number, where a text is one."""
    return int(text) if text.isdigit() and text.isascii() else text


class Pattern:
    """A path with placeholders.

    Parameters
    ----------
    path
        Of the files: ``folder/img_t{t:03}_c{c}.tif``. ``{t:03}`` is a number of three digits or
        more, ``{c:*}`` any text; without either ``t``, ``z`` and ``column`` are numbers, and the
        others text without ``_`` and ``.``.

    Raises
    ------
    MetadataError
        A placeholder is of none of the names, or of a form there is not.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._components = [self._parsed(part) for part in path.parts]
        names = [part.name for parts in self._components for part in parts if part.name]
        self.names = tuple(dict.fromkeys(name for name in names if name != "_"))
        if "well" in self.names and {"row", "column"} & set(self.names):
            raise self._wrong("{well} is row and column together: give it, or the two")

    def _parsed(self, component: str) -> list[_Part]:
        try:
            pieces = list(string.Formatter().parse(component))
        except ValueError as error:
            raise self._wrong(f"{component!r}: {error}") from None
        parts = []
        for text, name, spec, conversion in pieces:
            if name is not None and (name not in _NAMES or conversion):
                known = ", ".join(f"{{{n}}}" for n in _NAMES)
                raise self._wrong(f"{{{name}}} is none of the placeholders {known}")
            if spec and spec not in {"*", "d"} and not _WIDTH.fullmatch(spec):
                raise self._wrong(
                    f"{{{name}:{spec}}} has none of the forms :03 (so many digits or more), :d "
                    "(digits), :* (any text)"
                )
            parts.append(_Part(text, None if name is None else _NAMES[name], spec or ""))
        return parts

    def _wrong(self, detail: str) -> MetadataError:
        return MetadataError(f"{str(self.path)!r} is no pattern of file names: {detail}")

    def find(self) -> list[Found]:
        """Return the files there are, by name.

        Raises
        ------
        NodeNotFoundError
            There is none.
        """
        found = sorted(self._walk(Path(), 0, {}), key=lambda one: str(one.path))
        if not found:
            raise NodeNotFoundError(
                f"no file matches {str(self.path)!r}; * stands for any text, and "
                f"{{name}} for a part that names differ in", key=str(self.path)
            )  # fmt: skip
        return found

    def _walk(self, folder: Path, depth: int, values: Mapping[str, str]) -> Iterator[Found]:
        if depth == len(self._components):
            if folder.is_file():
                yield Found(folder, dict(values))
            return
        parts = self._components[depth]
        if all(part.name is None and not has_wildcards(part.text) for part in parts):
            yield from self._walk(folder / "".join(p.text for p in parts), depth + 1, values)
            return
        regex = re.compile(_regex(parts))
        try:
            names = sorted(path.name for path in folder.iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return
        for name in names:
            match = regex.fullmatch(name)
            if match is None:
                continue
            here = match.groupdict()
            if all(values.get(key, text) == text for key, text in here.items()):
                yield from self._walk(folder / name, depth + 1, {**values, **here})

    def matches(self, name: str) -> bool:
        """Return whether a name is of the form of the last part."""
        return re.fullmatch(_regex(self._components[-1]), name) is not None

    def match_end(self, path: Path) -> Found | None:
        """Return what the end of a path says, where it is of this form, or None."""
        parts = path.parts[-len(self._components) :]
        values: dict[str, str] = {}
        if len(parts) < len(self._components):
            return None
        for part, component in zip(parts, self._components, strict=True):
            match = re.fullmatch(_regex(component), part)
            here = {} if match is None else match.groupdict()
            if match is None or any(values.get(k, v) != v for k, v in here.items()):
                return None
            values |= here
        return Found(path, values)

    def name_of(self, values: Mapping[str, Value], like: Mapping[str, str]) -> str:
        """Return the name a file with these values would have.

        Parameters
        ----------
        values
            By placeholder.
        like
            The texts of a file there is, for their width and for what is not in ``values``.
        """
        text = ""
        for part in self._components[-1]:
            text += part.text
            if part.name is not None:
                text += _formatted(part, values, like)
        return text


def _formatted(part: _Part, values: Mapping[str, Value], like: Mapping[str, str]) -> str:
    name = part.name or ""
    known = like.get(name, "*")
    value = values.get(name, known)
    width = len(known) if known.startswith("0") else 0
    match = _WIDTH.fullmatch(part.spec)
    return str(value).zfill(max(width, int(match[1]) if match else 0))


def _regex(parts: list[_Part]) -> str:
    regex, seen = "", set()
    for part in parts:
        literal = re.escape(part.text)
        regex += literal.replace(r"\*", r"[^/\\]*").replace(r"\?", r"[^/\\]")
        if part.name is None:
            continue
        expression = _expression(part.name, part.spec)
        if part.name == "_":
            regex += f"(?:{expression})"
        elif part.name in seen:
            regex += f"(?P={part.name})"
        else:
            regex += f"(?P<{part.name}>{expression})"
            seen.add(part.name)
    return regex


def _expression(name: str, spec: str) -> str:
    width = _WIDTH.fullmatch(spec)
    if width is None:
        return {"*": _ANYTHING, "d": _DIGITS}.get(spec, _USUAL[name])
    digits = rf"\d{{{int(width[1])},}}"
    return f"[A-Za-z]{{1,2}}{digits}" if name == "well" else digits
