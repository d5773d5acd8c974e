"""Work without the rights of root, which may write everywhere."""

from __future__ import annotations

import os
import pickle
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["NOBODY", "as_nobody", "reachable_folder"]

NOBODY = 65534


@contextmanager
def reachable_folder() -> Iterator[Path]:
    """Yield a folder that other users can reach, which those of pytest's are not."""
    folder = Path(tempfile.mkdtemp(prefix="anyzarr-test-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        for path in [folder, *folder.rglob("*")]:
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o700)
        shutil.rmtree(folder)


def as_nobody(work: Callable[[], Any]) -> Any:
    """Return what a function returns, or the error it raises, in a process that is not root's."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that there are threads
        pid = os.fork()
    if pid == 0:
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            try:
                result = work()
            except Exception as error:  # noqa: BLE001 - handed to the parent
                result = error
            os.write(writing, pickle.dumps(result))
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        data = file.read()
    os.waitpid(pid, 0)
    return pickle.loads(data)
