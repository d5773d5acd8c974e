"""``json:/POINTER``: the members of an object in a JSON document.

The pointer means what it does in tensorstore's pipelines, the place of a value in the document
(RFC 6901); there the value is an array of no dimensions, here, if it is an object, a store.
"""

from __future__ import annotations

from urllib.parse import unquote

from anyzarr.errors import StoreError
from anyzarr.stores._adapters._source import Opened, UrlSource
from anyzarr.stores._json import JsonStore

__all__ = ["open_step"]


def open_step(source: UrlSource, body: str) -> Opened:
    """Return the members of the object that a pointer names, as a store."""
    pointer = unquote(body)
    if pointer and not pointer.startswith("/"):
        raise StoreError(
            f"'json:{body}' after {source} is no JSON pointer, which begins with a slash: write "
            f"'json:/{body}', or 'json:' for the whole document",
            store=str(source),
            kind="malformed_pipeline",
        )
    return JsonStore(source.as_object(), pointer)
