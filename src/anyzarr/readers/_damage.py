"""Files that are broken: the error names the file, whatever a library raises."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from anyzarr.errors import AnyzarrError, CorruptDataError

__all__ = ["errors_named", "truncated", "unreadable"]


@contextmanager
def errors_named(path: Path, what: str, errors: tuple[type[Exception], ...]) -> Iterator[None]:
    """Name the file in these errors, which a library raises where it is broken.

    Parameters
    ----------
    path
        The file.
    what
        What it cannot be read as.
    errors
        What is raised. Of ``OSError``, those of the disk stay what they are.
    """
    try:
        yield
    except AnyzarrError:
        raise
    except errors as error:
        if isinstance(error, OSError) and error.errno not in {None, errno.EINVAL}:
            raise  # of the disk: an impossible place in the file is EINVAL
        raise unreadable(path, error, what=what) from error


def unreadable(path: Path, problem: object, *, what: str) -> CorruptDataError:
    """Return the error for a file that is not ``what`` it should be."""
    return CorruptDataError(
        f"{str(path)!r} cannot be read as {what}: {problem}; get a whole copy of it", key=str(path)
    )


def truncated(path: Path, detail: str) -> CorruptDataError:
    """Return the error for a file that ends too early, or leads nowhere."""
    return CorruptDataError(
        f"{str(path)!r} is truncated or broken: {detail}; get a whole copy of the file",
        key=str(path),
    )
