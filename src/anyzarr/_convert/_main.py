"""Conversion from any source to any target; what they are is worked out from the locations."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from anyzarr._convert._changes import parse_changes
from anyzarr._convert._conversion import Conversion, engine_name
from anyzarr._convert._image import ImageOptions
from anyzarr._convert._images import RunOptions
from anyzarr._convert._memory import memory_of
from anyzarr._convert._report import ConversionReport
from anyzarr._convert._split import convert_apart
from anyzarr._convert._target import Location, plate_of
from anyzarr._convert._vectors import VectorOptions
from anyzarr._progress import ProgressCallback
from anyzarr.ome import Lengths

__all__ = ["convert"]

_NOTHING: Mapping[str, Any] = {}


def convert(
    source: Any,
    target: Any,
    *,
    overwrite: bool = False,
    chunks: Lengths | None = None,
    shards: Lengths | Literal["auto", False] | None = None,
    compressor: Any = None,
    levels: int | Literal["auto"] = "auto",
    method: str = "mean",
    name: str | None = None,
    series: int | None = None,
    axes: str | None = None,
    scale: Mapping[str, float | str] | None = None,
    channels: Sequence[str] | None = None,
    crop: Mapping[str, Any] | None = None,
    dtype: Any = None,
    rgb: Literal["channels", "gray"] = "channels",
    plate: str | os.PathLike[str] | None = None,
    split: Literal["positions"] | None = None,
    columns: Mapping[str, str] | None = None,
    chunk_shape: Sequence[float] | None = None,
    bin_shape: Sequence[float] | None = None,
    preserve_order: bool | None = None,
    version: str | None = None,
    zarr_format: Literal[2, 3] | None = None,
    engine: str | None = None,
    workers: int | None = None,
    processes: bool = False,
    memory: int | str | None = None,
    cluster: Any = None,
    resume: bool = False,
    verify: bool = False,
    dry_run: bool = False,
    progress: ProgressCallback | None = None,
    source_backend: str | None = None,
    source_options: Mapping[str, Any] = _NOTHING,
    backend: str | None = None,
    **backend_kwargs: Any,
) -> ConversionReport:
    """Convert an image to OME-Zarr, vectors from and to files, or Zarr from one form to another.

    An image file (TIFF, ND2, CZI, LIF, …) becomes OME-Zarr with a pyramid; a hierarchy written to
    a name that ends in ``.ozx`` is packed, an ``.ozx`` written to another name is unpacked, and
    anything else is copied byte for byte. A hierarchy for which other chunks, shards, a compressor,
    a format or a version is asked for is brought to them on the way, values equal bit for bit. A
    file of points, streamlines, skeletons or meshes (:mod:`anyzarr.vectors.formats`) becomes a
    vector store, and a vector store such a file, wherever either is. The target appears when it is
    complete, or not at all.

    Parameters
    ----------
    source, target
        Paths, URLs, live stores or dicts of bytes. A source may be a folder of images, a pattern of
        their names (``"img_t{t:03}_c{c}.tif"``), a table of files (``.csv``), or a list of paths;
        several OME-Zarr plates become one.
    overwrite
        Whether a target that exists is replaced, once the new one is complete.
    chunks, shards, compressor
        How the pixels of an image are stored; by default about 1 MB per chunk, shards of at
        most 128 MiB (``"auto"``), blosc with zstd. ``shards=False``: none. As for
        :meth:`anyzarr.ome.Image.create_image`; also by axis, ``{"z": 16}``, the others as by
        default. Zarr keeps what is not given; numbers are for the arrays, or images, with as many
        dimensions, and chunks that come out the same are copied as they are stored.
    levels, method
        Of an image's pyramid: how many levels, the full resolution included (``auto``: until
        the largest spatial axis is 256 or less), and how they are made.
    name
        The name the metadata gives the image; by default the file's, or its own.
    series
        Which image of a file that holds several, from 0. By default all of them: a plate where
        the file says which well each shows, else a series in bioformats2raw's layout.
        Thumbnails, labels and overviews of slides are left out, with a warning.
    axes
        Names of the axes of the image file that are longer than 1, in its order, where it
        does not name them: ``"zyx"``.
    scale
        Physical size of an element by axis, where the file does not say it or is wrong: a number in
        the file's unit, or with a unit, ``{"z": "2.0um", "x": 0.1}``.
    channels
        Names of all channels; those that tell a colour (DAPI, GFP) get it. An image without a
        channel axis gets one of length 1.
    crop
        By axis, the first element that is taken and the one behind the last:
        ``{"t": (0, 10), "x": slice(100, None)}``. The translation says where it was.
    dtype
        Type of the elements that are written. Floats become the nearest integer; an element that
        does not fit is an error, and none is cut off.
    rgb
        What becomes of a colour picture: red, green and blue (and alpha) are ``"channels"`` of
        these colours, or ``"gray"``: one image of their brightness (ITU-R BT.601).
    plate
        Which well and field of view each file of the folder ``source`` shows: a table of files
        (``layout.csv``), or a pattern of their names (``"{row}{column:02}_s{field}_w{c}.tif"``).
        The target is a plate then.
    split
        ``"positions"``: each image of a file that holds several becomes an OME-Zarr of its own in
        the folder ``target``, named after it; or ``target`` has ``{name}`` or ``{index}`` in it.
    columns
        Of a table of points: which column is ``x``, ``y``, ``z`` or ``object_id``, where its name
        does not say so. All others become attributes.
    chunk_shape, bin_shape, preserve_order
        Of a new vector store, as for :func:`anyzarr.vectors.write_points`; bins are an eighth of a
        chunk, or of points a chunk. There ``scale`` is what
        the numbers of the file are multiplied by, and their unit then, and ``dtype`` the type of
        the positions.
    version
        The OME-Zarr version to write: ``0.5``, ``0.4`` or ``0.6``; by default ``0.5`` for an
        image file, and that of OME-Zarr as it is. See :func:`anyzarr.ome.upgrade`.
    zarr_format
        2 or 3: the format of all arrays and groups. OME-Zarr goes by its version.
    engine
        What encodes the chunks.
    workers, processes
        How many threads work at once, by default one per processor; with ``processes``, that many
        processes of this host (2), for sources that decode in Python.
    memory
        About what the pixels that are held may take: bytes, or ``"4GB"``. By default a quarter of
        what is free, and not more than 1 GiB. Shards are small enough for what
        is said here, unless they are given.
    cluster
        Do the work on a Dask cluster: a ``distributed.Client``, the address of a scheduler
        (``"tcp://host:8786"``), or a batch system that dask-jobqueue knows (``"slurm"``). Its
        workers must reach source and target.
    resume
        Go on with what an interrupted conversion to this target has left; without one, start. The
        source and the settings must be the same. Without it, what was left is removed.
    verify
        Read all pixels, or all objects that were copied, back and compare them with the source
        before the target appears.
    dry_run
        Write nothing: read and encode a short sample, and report what would be written and about
        how long it would take (:class:`ConversionPlan`). Of copies, a few objects are read.
    progress
        Called with a :class:`~anyzarr._progress.Progress` at each step.
    source_backend, source_options, backend, **backend_kwargs
        Where the bytes of source and target live, if that is not to be worked out, and the
        options of the two backends.

    Returns
    -------
    ConversionReport
        What was done, with warnings of what was left out or guessed.

    Raises
    ------
    NodeNotFoundError
        There is no such source.
    NodeExistsError
        The target exists and ``overwrite`` is False, or is not Zarr.
    UnsupportedError
        This source cannot become this target.
    MetadataError
        An option is not valid, or does not fit the image.
    CorruptDataError
        The source is broken, or what is read back differs from it.
    ConflictError
        The source changed meanwhile, or since the conversion that is gone on with; or another
        process is converting to this target.

    Examples
    --------
    >>> import anyzarr, numpy as np
    >>> source, target = {}, {}
    >>> with anyzarr.open_ome_zarr(source, mode="w") as image:
    ...     array = image.create_image("0", np.ones((4, 5), "uint8"))
    >>> anyzarr.convert(source, target).kind
    'copy'
    """
    run_options = RunOptions(workers, processes, memory_of(memory), cluster, resume, verify)
    if isinstance(source, list | tuple) and len(source) == 1:
        source = source[0]
    options = ImageOptions(
        chunks=chunks,
        shards=shards,
        compressor=compressor,
        levels=levels,
        method=method,
        name=name,
        version=version,
        engine=engine_name(engine),
        memory_bytes=None if memory is None else run_options.memory_bytes_each,
        zarr_format=zarr_format,
    )
    conversion = Conversion(
        source=Location(source, source_backend, source_options),
        target=Location(target, backend, backend_kwargs),
        overwrite=overwrite,
        options=options,
        run_options=run_options,
        dry_run=dry_run,
        series=series,
        axes=axes,
        changes=parse_changes(scale=scale, channels=channels, crop=crop, dtype=dtype, rgb=rgb),
        plate=None if plate is None else plate_of(plate),
        vectors=VectorOptions(columns, chunk_shape, bin_shape, preserve_order),
        progress=progress,
    )
    return _timed(conversion, split)


def _timed(conversion: Conversion, split: Literal["positions"] | None) -> ConversionReport:
    conversion.check()
    started = time.perf_counter()
    report = conversion.run() if split is None else convert_apart(conversion, split)
    seconds = report.plan.seconds if report.plan else time.perf_counter() - started
    return replace(report, seconds=seconds)
