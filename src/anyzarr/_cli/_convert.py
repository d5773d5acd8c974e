"""``anyzarr convert SOURCE TARGET``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter, validators

from anyzarr._cli import _format as fmt
from anyzarr._cli._console import pairs, print_json, print_warning, stdout
from anyzarr._cli._options import JsonFlag, UsageError, check_option, options_of
from anyzarr._cli._progress import progress_bar
from anyzarr._cli._values import (
    by_axis,
    check_columns,
    check_crop,
    check_edges,
    check_extents,
    check_levels,
    check_scale,
    columns_of,
    crop_of,
    edges_of,
    extents_of,
    levels_of,
)

if TYPE_CHECKING:
    from anyzarr._convert import ConversionPlan, ConversionReport

__all__ = ["convert"]


_Extents = Annotated[str | None, Parameter(validator=check_extents)]
_Levels = Annotated[str | None, Parameter(validator=check_levels)]
_Scale = Annotated[str | None, Parameter(validator=check_scale)]
_Crop = Annotated[str | None, Parameter(validator=check_crop)]
_Columns = Annotated[str | None, Parameter(validator=check_columns)]
_Edges = Annotated[str | None, Parameter(validator=check_edges)]
_AtLeast1 = Annotated[int | None, Parameter(validator=validators.Number(gte=1))]
_AtLeast0 = Annotated[int | None, Parameter(validator=validators.Number(gte=0))]


def convert(
    *paths: Annotated[str, Parameter(name="SOURCE... TARGET")],
    source: Annotated[
        tuple[str, ...], Parameter(name=["--input", "-i"], consume_multiple=False)
    ] = (),
    target: Annotated[str | None, Parameter(name=["--output", "-o"])] = None,
    overwrite: bool = False,
    chunks: _Extents = None,
    shards: _Extents = None,
    compressor: str | None = None,
    levels: _Levels = None,
    method: str | None = None,
    name: str | None = None,
    series: _AtLeast0 = None,
    axes: str | None = None,
    scale: _Scale = None,
    channels: str | None = None,
    crop: _Crop = None,
    dtype: str | None = None,
    rgb: str | None = None,
    plate: str | None = None,
    split: Literal["positions"] | None = None,
    columns: _Columns = None,
    chunk_shape: _Edges = None,
    bin_shape: _Edges = None,
    preserve_order: bool = False,
    ome_version: Annotated[str | None, Parameter(name=["--version", "--ome-version"])] = None,
    zarr_format: Annotated[int | None, Parameter(validator=validators.Number(gte=2, lte=3))] = None,
    metadata_only: bool = False,
    workers: _AtLeast1 = None,
    processes: bool = False,
    memory: str | None = None,
    cluster: str | None = None,
    resume: bool = False,
    verify: bool = False,
    dry_run: bool = False,
    engine: str | None = None,
    backend: str | None = None,
    option: Annotated[
        tuple[str, ...],
        Parameter(name="--option", validator=check_option, consume_multiple=False),
    ] = (),
    source_backend: str | None = None,
    source_option: Annotated[
        tuple[str, ...], Parameter(validator=check_option, consume_multiple=False)
    ] = (),
    quiet: Annotated[bool, Parameter(name=["--quiet", "-q"])] = False,
    json: JsonFlag = False,
) -> None:
    """Convert an image to OME-Zarr, vectors from and to files, or Zarr from one form to another.

    An image (TIFF, ND2, CZI, LIF, NIfTI, HDF5, …) becomes OME-Zarr with a pyramid. Zarr written to
    a name that ends in .ozx is packed into that file, an .ozx written to another name is unpacked,
    anything else is copied. Zarr for which a version, a format, chunks, shards or a compressor is
    given is brought to them on the way. Points, streamlines, skeletons and meshes in files become
    vector stores, and these such files.

    Parameters
    ----------
    paths
        An image file, a folder of them, a pattern of their names such as 'img_t{t:03}_c{c}.tif', a
        table of files (.csv), several files, or Zarr in any store. Last where to write: a folder, a
        URL, or a name ending in .ozx. The latter is left out with --metadata-only.
    source
        What to convert, instead of the first paths.
    target
        Where to write, instead of the last path.
    overwrite
        Replace what is at the target, once the new is complete.
    chunks
        Chunk shape, one number per axis or by axis, such as 1,512,512 or z=16,y=256,x=256.
    shards
        Shard shape, likewise; auto (128 MiB at most) or none.
    compressor
        Such as blosc-zstd:1, blosc-lz4, zstd:3, gzip or none. Default: blosc-zstd:1.
    levels
        Number of resolution levels, or auto. Default: until the largest side is at most 256.
    method
        How levels are made smaller. Default: mean.
    name
        Name of the image. Default: its own, else the file's.
    series
        Which image of a file that holds several, from 0. Default: all, as a plate or a series.
    axes
        Names of the axes where the file does not name them, such as zyx.
    scale
        Size of an element by axis, such as z=2.0um,y=0.1um,x=0.1um. Default: what the file says.
    channels
        Names of all channels, such as DAPI,GFP. Default: what the file says.
    crop
        Take a part only: START:STOP by axis, such as t=0:10,x=100:900.
    dtype
        Type of the elements written, such as uint8; one that does not fit is an error.
    rgb
        channels: red, green and blue are a channel each (the default). gray: their brightness.
    plate
        Which well each file of the folder shows: a table (layout.csv) or a pattern of the names
        such as '{row}{column:02}_s{field}_w{c}.tif'.
    split
        positions: write each image of a file that holds several to an OME-Zarr of its own in the
        folder TARGET, named after it; or put {name} or {index} into TARGET.
    columns
        Of a table of points: which column is x, y, z or object_id, such as x=PosX,y=PosY.
    chunk_shape
        Edge lengths of the chunks of a new vector store, such as 100,100,50.
    bin_shape
        Edge lengths of the bins in a chunk, of which levels of detail are made. Default: an eighth
        of a chunk; of points a chunk.
    preserve_order
        Keep the row of each vertex of the file as the attribute input_order.
    ome_version
        OME-Zarr version to write: 0.4, 0.5 or 0.6. Default: 0.5 for an image file, and that of
        OME-Zarr as it is.
    zarr_format
        2 or 3: brings all arrays and groups to that Zarr format.
    metadata_only
        Upgrade OME-Zarr in place, to 0.5 unless --version says otherwise: chunks stay untouched.
    workers
        How many threads (with --processes: processes) work at once. Default: one per processor.
    processes
        Work in processes, for sources that are decoded in Python.
    memory
        About what pixels in work may take, such as 4GB. Default: a quarter of what is free, at most
        1 GiB.
    cluster
        Address of a Dask scheduler (tcp://host:8786), or slurm and the like, to do the work.
    resume
        Go on with what an interrupted conversion to this target has left.
    verify
        Read all pixels back and compare them with the source.
    dry_run
        Write nothing; print what would be written, and about how long it would take.
    engine
        What encodes the chunks.
    backend
        What stores the bytes of the target. Default: by the location.
    option
        An option of that backend as KEY=VALUE; may be repeated.
    source_backend
        What fetches the bytes of the source.
    source_option
        An option of that backend as KEY=VALUE; may be repeated.
    quiet
        Print nothing but warnings, and show no progress.
    json
        Print JSON.
    """
    from anyzarr._convert import convert as library_convert

    sources, target = _sources_and_target(paths, source, target, alone=metadata_only)
    if metadata_only:
        if target is not None or any((chunks, shards, compressor)):
            raise UsageError(
                "--metadata-only changes the source in place, its chunks untouched: leave out the "
                "target, --chunks, --shards and --compressor"
            )
        _upgrade_in_place(
            sources[0], ome_version, source_backend or backend, source_option or option
        )
        return
    if target is None:
        raise UsageError("TARGET is missing: give one, or --metadata-only to upgrade in place")
    given: dict[str, Any] = {
        "chunks": None if chunks is None else extents_of(chunks),
        "shards": _shards(shards),
        "compressor": compressor,
        "levels": None if levels is None else levels_of(levels),
        "method": method,
        "name": name,
        "series": series,
        "axes": axes,
        "scale": None if scale is None else by_axis(scale, ""),
        "channels": None if channels is None else [name.strip() for name in channels.split(",")],
        "crop": None if crop is None else crop_of(crop),
        "dtype": dtype,
        "rgb": rgb,
        "plate": plate,
        "split": split,
        "columns": None if columns is None else columns_of(columns),
        "chunk_shape": None if chunk_shape is None else edges_of(chunk_shape),
        "bin_shape": None if bin_shape is None else edges_of(bin_shape),
        "preserve_order": preserve_order or None,
        "version": ome_version,
        "zarr_format": zarr_format,
        "workers": workers,
        "processes": processes or None,
        "memory": memory,
        "cluster": cluster,
        "resume": resume or None,
        "verify": verify or None,
        "dry_run": dry_run or None,
        "engine": engine,
        "backend": backend,
        "source_backend": source_backend,
    }
    with progress_bar(enabled=not quiet) as progress:
        report = library_convert(
            sources,
            target,
            overwrite=overwrite,
            progress=progress,
            source_options=options_of(source_option),
            **{key: value for key, value in given.items() if value is not None},
            **options_of(option),
        )
    _tell(report, quiet=quiet, json=json)


def _sources_and_target(
    paths: tuple[str, ...], sources: tuple[str, ...], target: str | None, *, alone: bool
) -> tuple[tuple[str, ...], str | None]:
    """Return what is to be converted, and where to, however they were given.

    ``alone``: the target may be left out where there is one path.
    """
    found = (*sources, *paths)
    if target is None and len(found) > 1:
        *first, target = found
        found = tuple(first)
    if not found:
        raise UsageError("SOURCE is missing: give what is to be converted, and TARGET")
    if alone and len(found) > 1:
        raise UsageError("--metadata-only takes one OME-Zarr: give one path")
    return found, target


def _shards(text: str | None) -> Any:
    if text in {None, "auto"}:
        return text
    return False if text == "none" else extents_of(text or "")


def _upgrade_in_place(
    location: str, version: str | None, backend: str | None, options: tuple[str, ...]
) -> None:
    from anyzarr.ome import upgrade

    report = upgrade(
        location,
        version=version or "0.5",
        metadata_only=True,
        backend=backend,
        **options_of(options),
    )
    rows = [
        ("upgraded", location),
        ("from", f"OME-Zarr {report.before}"),
        ("to", f"OME-Zarr {report.version}"),
        ("changed", f"{report.n_changed} of {report.n_groups + report.n_arrays} documents"),
    ]
    stdout().print(pairs(rows))


def _tell(report: ConversionReport, *, quiet: bool, json: bool) -> None:
    if json:
        print_json(report.to_dict())
        return
    for warning in report.warnings:
        print_warning(warning)
    if not quiet:
        stdout().print(pairs(_report_rows(report)))


def _report_rows(report: ConversionReport) -> list[tuple[str, str]]:
    verb = {
        "image": "converted",
        "plan": "would convert",
        "pack": "packed",
        "upgrade": "upgraded",
        "merge": "merged",
        "rewrite": "rewrote",
        "vectors": "converted",
    }.get(report.kind, "copied")
    rows = [(verb, report.source), ("to", report.target)]
    if report.level_shapes:
        sizes = zip(report.axes, report.level_shapes[0], strict=True)
        rows += [(str(report.layout), f"{report.n_images} images")] * (report.n_images > 1)
        kind = "first image" if report.n_images > 1 else "image"
        rows.append((kind, f"{', '.join(f'{a} {n}' for a, n in sizes)}, {report.dtype}"))
        rows.append(("levels", ", ".join(fmt.extent(shape) for shape in report.level_shapes)))
    if report.layout == "plate" and report.n_images and not report.level_shapes:  # several, merged
        rows.append(("plate", fmt.count(report.n_images, "position")))
    if report.geometry_type is not None:
        told = f"{fmt.count(report.vertex_count, 'vertex', 'vertices')}, {report.dtype}"
        rows.append((report.geometry_type, told))
    if report.verification is not None:
        rows.append(("verified", f"{fmt.size(report.verification.n_bytes)} equal to the source"))
    if report.n_resumed:
        rows.append(("resumed", f"{fmt.count(report.n_resumed, 'part')} were done already"))
    if report.plan is not None:
        return rows + _plan_rows(report.plan)
    stored = f"{fmt.size(report.size_bytes)} in {fmt.count(report.n_objects, 'object')}"
    return [*rows, ("stored", stored), ("took", f"{report.seconds:.2f} s")]


def _plan_rows(plan: ConversionPlan) -> list[tuple[str, str]]:
    if not plan.codecs:
        return [
            ("stored", f"{fmt.size(plan.stored_bytes)} in {fmt.count(plan.n_objects, 'object')}"),
            ("would take", f"about {max(0.1, plan.seconds):.1f} s to read with {plan.workers} at "
                           f"work (after a sample of {fmt.size(plan.sampled_bytes)})"),
        ]  # fmt: skip
    shards = "none" if plan.shards is None else fmt.extent(plan.shards)
    return [
        ("chunks", fmt.extent(plan.chunks)),
        ("shards", shards),
        ("codecs", ", ".join(plan.codecs)),
        ("pixels", f"{fmt.size(plan.raw_bytes)} with all levels"),
        ("stored", f"about {fmt.size(plan.stored_bytes)} in {fmt.count(plan.n_objects, 'object')}"),
        ("memory", f"about {fmt.size(plan.memory_bytes)} for pixels in work, in each process"),
        ("would take", f"about {max(0.1, plan.seconds):.1f} s with {plan.workers} at work "
                       f"(after a sample of {fmt.size(plan.sampled_bytes)})"),
    ]  # fmt: skip
