"""``anyzarr engines [LOCATION]``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from anyzarr._cli._console import print_json, stdout, table
from anyzarr._cli._options import JsonFlag, OpenOptions

if TYPE_CHECKING:
    from rich.table import Table

    from anyzarr._info import EnginesInfo, PackageInfo

__all__ = ["engines"]


def engines(
    location: str | None = None,
    path: str = "",
    /,
    *,
    json: JsonFlag = False,
    opening: OpenOptions = OpenOptions(),  # noqa: B008 - immutable
) -> None:
    """Show which engines can read a location and which one is taken; or what is installed.

    Parameters
    ----------
    location
        Path or URL. Default: list installed engines and backends.
    path
        Path of an array within it.
    json
        Print JSON.
    """
    if location is None:
        _installed(json)
    else:
        _at_location(location, path, json, opening)


def _installed(json: bool) -> None:
    import anyzarr._info as library

    found, backends = library.engines(), library.backends()
    if json:
        print_json(
            {
                "engines": [engine.to_dict() for engine in found],
                "backends": [backend.to_dict() for backend in backends],
            }
        )
        return
    console = stdout()
    console.print(_packages("engine", found))
    console.print()
    console.print(_packages("backend", backends))


def _at_location(location: str, path: str, json: bool, opening: OpenOptions) -> None:
    import anyzarr._info as library

    facts = library.explain_engines(location, path=path, **opening.keywords())
    if json:
        print_json(facts.to_dict())
    else:
        console = stdout()
        console.print(_reports(facts))
        console.print(f"\n[dim]array[/dim]    {facts.address}", soft_wrap=True)
        console.print(f"[dim]backend[/dim]  {facts.backend}")


def _packages(kind: str, packages: Sequence[PackageInfo]) -> Table:
    drawn = table(kind, "version", "package", "")
    for package in packages:
        ours = package.package == "anyzarr"
        name = "" if ours else (package.package or "registered")
        version = "built in" if ours else (package.version or "–")
        if package.installed:
            drawn.add_row(f"[green]✓[/green] {package.name}", version, name, "")
        else:
            command = (package.install or "").replace("[", "\\[")
            drawn.add_row(f"[red]✗[/red] {package.name}", "–", name, f"install: {command}")
    return drawn


def _reports(facts: EnginesInfo) -> Table:
    from rich.text import Text

    drawn = table("engine", "can", "I/O", "")
    for report in facts.engines:
        style = "bold" if report.chosen else ""
        mark = "[green]yes[/green]" if report.usable else "[red]no[/red]"
        io = {"own": "own", "byte layer": "byte layer"}.get(report.io or "", "–")
        said = Text("← taken", "bold green") if report.chosen else Text(report.reason or "")
        if report.io_reason is not None:
            said.append(f"{' ' if said else ''}({report.io_reason})")
        drawn.add_row(Text(report.name, style), mark, io, said)
    return drawn
