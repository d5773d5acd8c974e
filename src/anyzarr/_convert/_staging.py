"""The folder a conversion of images is written to until it is complete, and can be gone on with."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from anyzarr import _atomic
from anyzarr._convert._journal import JOURNAL, NOTE, has_notes, keeps_work
from anyzarr._os_errors import because
from anyzarr.errors import ConflictError, StoreError
from anyzarr.stores import LocalStore

__all__ = ["resumable_folder", "staged"]


@contextmanager
def staged(target: Path, *, overwrite: bool, resume: bool) -> Iterator[LocalStore]:
    """Yield a folder beside a target that takes its place on success.

    Where the work stops for want of something (room, a worker, patience), what is done stays, if
    the journal has noted anything of it; at any other exception it is removed.

    Parameters
    ----------
    target
        Where the folder appears.
    overwrite
        Whether something there may be replaced.
    resume
        Whether to go on with the folder of an earlier conversion. Otherwise it is removed.

    Raises
    ------
    ConflictError
        Another process is converting to this target.
    """
    staging = _atomic.staging_path(target, again=True)
    held: list[Path] = []
    with (
        _atomic.replacing(
            target,
            overwrite=overwrite,
            staging=staging,
            # What another process holds is not ours to remove.
            keeps=lambda error: not held or _keeps(staging, error),
        ),
        _locked(staging, target),
    ):
        held.append(staging)
        if not (resume and _is_begun(staging)):
            _empty(staging)
        yield LocalStore(staging)


@contextmanager
def resumable_folder(target: Path, *, resume: bool) -> Iterator[LocalStore]:
    """Yield a folder beside a target that is removed in the end, as :func:`staged` does at errors.

    Parameters
    ----------
    target, resume
        As for :func:`staged`.

    Raises
    ------
    ConflictError
        Another process is converting to this target.
    """
    staging = _atomic.staging_path(target, again=True)
    with _atomic.parents(target), _locked(staging, target):
        if not (resume and _is_begun(staging)):
            _empty(staging)
        try:
            yield LocalStore(staging)
        except BaseException as error:
            if not _keeps(staging, error):
                _atomic.remove(staging)
            raise
        _atomic.remove(staging)


@contextmanager
def _locked(staging: Path, target: Path) -> Iterator[None]:
    """Make the folder and hold it against other processes; the lock dies with the process."""
    try:
        staging.mkdir(exist_ok=True)
        descriptor = _atomic.mark_held(staging, alone=True)
    except BlockingIOError as error:
        raise ConflictError(
            f"another process is converting to {os.fspath(target)!r}: wait for it, or choose "
            "another target"
        ) from error
    except OSError as error:
        raise StoreError(
            f"cannot make a folder in {os.fspath(target.parent)!r}: {because(error)}",
            store=os.fspath(target),
        ) from error
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _is_begun(staging: Path) -> bool:
    """Return whether it is a conversion's; else it is what an earlier one has just replaced."""
    return (staging / JOURNAL).is_dir()


def _empty(staging: Path) -> None:
    """Remove what an interrupted conversion left."""
    for path in staging.iterdir():
        _atomic.remove(path)


def _keeps(staging: Path, error: BaseException) -> bool:
    """Return whether what is done may be of use: something is, and nothing is wrong with it."""
    keeps = keeps_work(error) and has_notes(staging)
    if keeps:
        error.add_note(NOTE)
    return keeps
