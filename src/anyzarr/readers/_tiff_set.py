"""Whether the files are there that an OME-TIFF in several names.

tifffile takes what is missing for planes of zeros.
"""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

from anyzarr.readers._planes import require_files

__all__ = ["require_set"]

_ROOT = re.compile(r"<(?:\w+:)?OME\b[^>]*?\bUUID=\"([^\"]*)\"")
_PART = re.compile(r"<(?:\w+:)?UUID\b[^>]*?\bFileName=\"([^\"]*)\"[^>]*>([^<]*)<")


def require_set(ome_xml: str, path: Path) -> None:
    """Refuse a file of a set of which others are missing.

    Parameters
    ----------
    ome_xml
        As it stands in the file.
    path
        Of the file. It may have been renamed, if its UUID tells that it is meant.

    Raises
    ------
    NodeNotFoundError
        With the names of those that are missing.
    """
    root = _ROOT.search(ome_xml)
    own = None if root is None else root[1].strip()
    others = dict.fromkeys(
        unescape(match[1]) for match in _PART.finditer(ome_xml) if match[2].strip() != own
    )
    require_files((path.parent / name for name in others), f"the OME-XML in {path.name!r}")
