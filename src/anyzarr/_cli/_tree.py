"""``anyzarr tree LOCATION``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter, validators

from anyzarr._cli import _format as fmt
from anyzarr._cli._console import print_json, stdout
from anyzarr._cli._debris import show_debris
from anyzarr._cli._options import JsonFlag, OpenOptions, UsageError

if TYPE_CHECKING:
    from rich.text import Text
    from rich.tree import Tree

    from anyzarr._nodes import TreeNode

__all__ = ["tree"]

_STYLES = {"array": "green", "group": "bold blue"}


def tree(
    location: str,
    path: str = "",
    /,
    *,
    depth: Annotated[
        int | None, Parameter(name=["--depth", "-d"], validator=validators.Number(gte=0))
    ] = None,
    engines: bool = False,
    debris: bool = False,
    remove: bool = False,
    older_than: Annotated[float | None, Parameter(validator=validators.Number(gte=0))] = None,
    json: JsonFlag = False,
    opening: OpenOptions = OpenOptions(),  # noqa: B008 - immutable
) -> None:
    """Show the arrays and groups below a location.

    Parameters
    ----------
    location
        Path or URL.
    path
        Path of a node within it.
    depth
        How many levels to go down. Default: all.
    engines
        Show which engine reads each array, too.
    debris
        Show instead what killed writers left in and beside a local location: temporary files.
    remove
        With --debris: remove it, except for what a process is writing or is too young.
    older_than
        With --debris: how many seconds it must not have changed to be removed. Default: 3600.
    json
        Print JSON.
    """
    import anyzarr._info as library

    if debris:
        show_debris(location, path, remove=remove, older_than=older_than, json=json)
        return
    if remove or older_than is not None:
        raise UsageError("--remove and --older-than go with --debris")
    keywords = opening.keywords()
    keywords.pop("engine")
    node = library.tree(location, path=path, depth=depth, engines=engines, **keywords)
    if json:
        print_json(node.to_dict())
    else:
        stdout().print(_rendered(node, engines=engines))


def _rendered(node: TreeNode, *, engines: bool) -> Tree:
    from rich.tree import Tree

    root = Tree(_line(node, engines), guide_style="dim")
    _add_children(root, node, engines)
    return root


def _add_children(branch: Tree, node: TreeNode, engines: bool) -> None:
    for child in node.children:
        _add_children(branch.add(_line(child, engines)), child, engines)
    if node.truncated:
        branch.add("[dim]…[/dim]")


def _line(node: TreeNode, engines: bool) -> Text:
    from rich.text import Text

    line = Text.assemble((node.name, _STYLES[node.kind]), no_wrap=True, overflow="ellipsis")
    if node.kind == "group":
        told = node.ome_kind or node.vectors
        return line.append(f"  {told}", style="magenta") if told else line
    line.append(f"  {fmt.extent(node.shape or ())} {node.dtype}")
    if node.chunks is not None:
        line.append(f"  chunks {fmt.extent(node.chunks)}", style="dim")
    if node.shards is not None:
        line.append(f", shards {fmt.extent(node.shards)}", style="dim")
    if engines:
        line.append(f"  {node.engine or 'no engine'}", style="cyan" if node.engine else "red")
    return line
