"""Options that several commands share."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any

from cyclopts import Parameter

__all__ = ["JsonFlag", "OpenOptions", "UsageError", "check_option", "options_of"]

JsonFlag = Annotated[bool, Parameter(name="--json")]
"""Print JSON rather than text for people."""


class UsageError(ValueError):
    """The command line is wrong in a way that only its command can tell."""


def check_option(type_: Any, values: tuple[str, ...]) -> None:
    """Raise ``ValueError`` unless every value is ``KEY=VALUE``."""
    for value in values:
        if not value.partition("=")[1] or value.startswith("="):
            raise ValueError(f"{value!r} is not KEY=VALUE, as in: --option anon=true")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class OpenOptions:
    """How to open the location."""

    engine: str | None = None
    """What decodes the chunks: zarr, zarrs, tensorstore, ... Default: the first that can."""

    backend: str | None = None
    """What fetches the bytes: local, memory, zip, obstore, fsspec. Default: by the location."""

    option: Annotated[
        tuple[str, ...],
        Parameter(name=["--option", "-o"], validator=check_option, consume_multiple=False),
    ] = ()
    """An option of the backend as KEY=VALUE, such as anon=true; may be repeated."""

    def keywords(self) -> dict[str, Any]:
        """Return the keyword arguments for the library's functions."""
        return {"engine": self.engine, "backend": self.backend, **options_of(self.option)}


def options_of(texts: Iterable[str]) -> dict[str, Any]:
    """Return ``KEY=VALUE`` texts by key: JSON where they parse as JSON, else text."""
    split = (text.partition("=") for text in texts)
    return {key: _value(text) for key, _, text in split}


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
