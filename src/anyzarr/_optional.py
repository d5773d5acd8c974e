"""Import optional packages on first use, with the install command when they are missing."""

from __future__ import annotations

import importlib
import importlib.util
from types import ModuleType

from anyzarr.errors import MissingDependencyError

__all__ = ["is_installed", "require"]


def install_command(extra: str) -> str:
    """Return the command that installs an extra of anyzarr."""
    return f'pip install "anyzarr[{extra}]"'


def is_installed(module: str) -> bool:
    """Return whether a module could be imported, without importing it."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def require(module: str, *, extra: str, purpose: str | None = None) -> ModuleType:
    """Import and return an optional module.

    Parameters
    ----------
    module
        Dotted name of the module.
    extra
        The extra of anyzarr that installs it.
    purpose
        What it is needed for, as the subject of the error's sentence.

    Raises
    ------
    MissingDependencyError
        It is not installed, or cannot be imported.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        subject = purpose or "This"
        raise MissingDependencyError(
            f"{subject} needs the package {module.partition('.')[0]!r}, which cannot be imported "
            f"({error}); install it with: {install_command(extra)}"
        ) from error
