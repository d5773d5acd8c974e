"""Progress bars on a terminal; nothing in a pipe."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from anyzarr._cli._console import stderr

if TYPE_CHECKING:
    from anyzarr._progress import Progress, ProgressCallback

__all__ = ["progress_bar"]


@contextlib.contextmanager
def progress_bar(*, enabled: bool = True) -> Iterator[ProgressCallback | None]:
    """Yield a function that shows progress on stderr, or None where stderr is no terminal."""
    console = stderr()
    if not enabled or not console.is_terminal:
        yield None
        return
    from rich.progress import BarColumn, DownloadColumn, TaskID, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description:<12}"),
        BarColumn(bar_width=None, complete_style="cyan", finished_style="green"),
        DownloadColumn(binary_units=True),
        TimeRemainingColumn(compact=True),
    )
    tasks: dict[str, TaskID] = {}
    with Bar(*columns, console=console, transient=True) as bar:

        def show(step: Progress) -> None:
            if step.label not in tasks:
                tasks[step.label] = bar.add_task(step.label, total=step.total_bytes)
            task = tasks[step.label]
            bar.update(task, completed=step.done_bytes, total=step.total_bytes)

        yield show
