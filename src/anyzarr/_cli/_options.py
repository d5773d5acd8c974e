"""Options that several commands share."""

from __future__ import annotations

import json as _json
from dataclasses import dataclass
from typing import Annotated, Any

from cyclopts import Parameter

__all__ = ["JsonFlag", "OpenOptions"]

JsonFlag = Annotated[bool, Parameter(name="--json")]
"""Print JSON rather than text for people."""


def _check_pair(type_: Any, values: Any) -> None:
    for value in values or ():
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
        Parameter(name=["--option", "-o"], validator=_check_pair, consume_multiple=False),
    ] = ()
    """An option of the backend as KEY=VALUE, such as anon=true; may be repeated."""

    def backend_options(self) -> dict[str, Any]:
        """Return the ``--option`` values by key: JSON where they parse as JSON, else text."""
        pairs = (text.partition("=") for text in self.option)
        return {key: _value(text) for key, _, text in pairs}

    def keywords(self) -> dict[str, Any]:
        """Return the keyword arguments for the library's functions."""
        return {"engine": self.engine, "backend": self.backend, **self.backend_options()}


def _value(text: str) -> Any:
    try:
        return _json.loads(text)
    except ValueError:
        return text
