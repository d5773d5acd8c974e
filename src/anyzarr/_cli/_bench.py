"""``anyzarr bench LOCATION``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter, validators

from anyzarr._cli import _format as fmt
from anyzarr._cli._console import pairs, print_json, stdout, table
from anyzarr._cli._options import JsonFlag, check_option, options_of
from anyzarr._cli._progress import progress_bar

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from anyzarr._bench import BenchReport, EngineTime, JobReport

__all__ = ["bench"]

_AtLeast1 = Annotated[int, Parameter(validator=validators.Number(gte=1), show_default=True)]


def bench(
    location: str,
    path: str = "",
    /,
    *,
    engine: Annotated[tuple[str, ...], Parameter(consume_multiple=False)] = (),
    max_bytes: _AtLeast1 = 512_000_000,
    rounds: _AtLeast1 = 5,
    backend: str | None = None,
    option: Annotated[
        tuple[str, ...],
        Parameter(name=["--option", "-o"], validator=check_option, consume_multiple=False),
    ] = (),
    json: JsonFlag = False,
) -> None:
    """Time how fast each engine reads a location. Nothing is written there.

    Read are the whole array (or as much of its centre as --max-bytes allows), random crops, and
    planes; of an image, level 0. Results are compared before anything is timed.

    Parameters
    ----------
    location
        Path or URL.
    path
        Path of an array within it.
    engine
        One to time; may be repeated. Default: all that can read the array.
    max_bytes
        What one job reads at most, decoded.
    rounds
        How often each job is timed, after once to warm up.
    backend
        What fetches the bytes: local, memory, zip, obstore, fsspec. Default: by the location.
    option
        An option of the backend as KEY=VALUE, such as anon=true; may be repeated.
    json
        Print JSON.
    """
    from anyzarr._bench import bench as library_bench

    with progress_bar() as progress:
        report = library_bench(
            location,
            path=path,
            engines=engine,
            max_bytes=max_bytes,
            rounds=rounds,
            progress=progress,
            backend=backend,
            **options_of(option),
        )
    if json:
        print_json(report.to_dict())
    else:
        _print(report)


def _print(report: BenchReport) -> None:
    console = stdout()
    size = "" if report.n_bytes is None else f", {fmt.size(report.n_bytes)} in memory"
    rows = [
        ("array", report.address),
        ("backend", report.backend),
        ("shape", f"{fmt.extent(report.shape)}, {report.dtype}{size}"),
        *((job.name, _what(job)) for job in report.jobs),
    ]
    console.print(pairs(rows))
    console.print()
    console.print(_times(report))
    failed = [
        (took.engine, f"{job.name}: {took.error}")
        for job in report.jobs
        for took in job.times
        if took.error
    ]
    reasons = [*report.declined.items(), *failed]
    if reasons:
        console.print()
        console.print(pairs(reasons))
    console.print(f"\nfastest: [bold green]{report.fastest or 'none'}[/bold green]")


def _what(job: JobReport) -> str:
    shape = fmt.extent(job.shape)
    if job.name == "full read":
        return "everything" if job.whole else f"{shape} of its centre"
    return f"{job.n_regions} of {shape}, one after the other"


def _times(report: BenchReport) -> Table:
    from rich.text import Text

    drawn = table("engine")
    for job in report.jobs:
        drawn.add_column(f"{job.name}, ms", justify="right")
        drawn.add_column("MB/s", justify="right")
    for lane in zip(*(job.times for job in report.jobs), strict=True):
        cells = [Text(lane[0].engine)]
        for job, took in zip(report.jobs, lane, strict=True):
            cells += _cells(took, took.engine == job.fastest)
        drawn.add_row(*cells)
    return drawn


def _cells(took: EngineTime, is_fastest: bool) -> list[Text]:
    from rich.text import Text

    if took.median_ms is None:
        return [Text("failed", "red"), Text("–")]
    style = "bold green" if is_fastest else ""
    rate = "–" if took.mb_per_second is None else f"{took.mb_per_second:,.0f}"
    return [Text(f"{took.median_ms:,.2f}", style), Text(rate, style)]
