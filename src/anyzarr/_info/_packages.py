"""Which engines and backends are there, in which version, and how to get the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from anyzarr._optional import install_command, is_installed

__all__ = ["PackageInfo", "backends", "engines"]


@dataclass(frozen=True, slots=True)
class PackageInfo:
    """An engine or a backend and the package behind it.

    Attributes
    ----------
    name
        Of the engine or backend.
    package
        The distribution that does the work; ``anyzarr`` where it is our own, None for one
        that was registered by a plugin or at run time.
    version
        Its version; None where it is not installed or there is no ``package``.
    installed
        Whether it can be used.
    install
        The command that installs it; None where there is nothing to install.
    """

    name: str
    package: str | None
    version: str | None
    installed: bool
    install: str | None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dict of JSON types."""
        return asdict(self)


# name: (module, distribution, extra)
_ENGINES = {
    "native": ("anyzarr_native", "anyzarr-native", ""),
    "tensorstore": ("tensorstore", "tensorstore", "tensorstore"),
    "zarr": ("zarr", "zarr", "zarr"),
    "zarrs": ("zarrista", "zarrista", "zarrs"),
    "zarrs-python": ("zarrs", "zarrs", "zarrs-python"),
}
_OWN_INSTALL = {"native": "make native (in a checkout; it needs cargo)"}
_BACKENDS = {
    "fsspec": ("fsspec", "fsspec", "fsspec"),
    "local": ("anyzarr", "anyzarr", ""),
    "memory": ("anyzarr", "anyzarr", ""),
    "obstore": ("obstore", "obstore", "obstore"),
    "zip": ("anyzarr", "anyzarr", ""),
}


def engines() -> tuple[PackageInfo, ...]:
    """Return all known engines, in alphabetical order, without loading them.

    Examples
    --------
    >>> from anyzarr._info._packages import engines
    >>> [engine.name for engine in engines() if engine.package == "zarr"]
    ['zarr']
    """
    from anyzarr.engines import list_engines

    return tuple(_package(name, _ENGINES) for name in list_engines())


def backends() -> tuple[PackageInfo, ...]:
    """Return all known backends, in alphabetical order, without loading them.

    Examples
    --------
    >>> from anyzarr._info._packages import backends
    >>> [backend.installed for backend in backends() if backend.name == "local"]
    [True]
    """
    from anyzarr.stores import list_backends

    return tuple(_package(name, _BACKENDS) for name in sorted(list_backends()))


def _package(name: str, known: Mapping[str, tuple[str, str, str]]) -> PackageInfo:
    if name not in known:
        return PackageInfo(name, None, None, installed=True, install=None)
    module, distribution, extra = known[name]
    install = install_command(extra) if extra else _OWN_INSTALL.get(name)
    if not is_installed(module):
        return PackageInfo(name, distribution, None, installed=False, install=install)
    try:
        found: str | None = version(distribution)
    except PackageNotFoundError:
        found = None
    return PackageInfo(name, distribution, found, installed=True, install=install)
