"""What a conversion did."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from anyzarr._convert._dry_run import ConversionPlan
from anyzarr._convert._layout import LayoutKind
from anyzarr._convert._verify import Verification

__all__ = ["ConversionReport", "Kind"]

Kind = Literal["image", "plan", "pack", "copy", "upgrade", "rewrite", "merge", "vectors"]
"""An image read by a reader; a hierarchy put into an archive; one copied as it is; OME-Zarr
brought to another version; a hierarchy brought to other chunks, codecs or another format; several
plates made one; vectors from or to a file; or nothing but a plan."""


_DONE = {
    "image": "converted",
    "plan": "would convert",
    "pack": "packed",
    "copy": "copied",
    "upgrade": "upgraded",
    "merge": "merged",
    "rewrite": "rewrote",
    "vectors": "converted",
}


@dataclass(frozen=True, slots=True)
class ConversionReport:
    """What a conversion did.

    Attributes
    ----------
    source, target
        Where it read and wrote, as printable addresses.
    kind
        ``image`` (a file read by a reader), ``plan`` (the same, but nothing was written), ``pack``
        (a hierarchy put into an ``.ozx``), ``copy`` (a hierarchy copied byte for byte; unpacking an
        ``.ozx`` is one), ``upgrade`` (OME-Zarr brought to another version, with other chunks and
        codecs or not), ``rewrite`` (a hierarchy with other chunks or codecs, or of another format),
        ``merge`` (several plates made one) or ``vectors`` (a vector store from a file, or the
        other way round).
    seconds
        How long it took, or would take.
    size_bytes
        Bytes stored at the target; of a plan, about how many there would be.
    n_objects
        Objects stored at the target; in an archive, entries.
    layout, n_images
        Of images: ``image``, ``series``, ``plate``, or ``split`` (each a target of its own), and
        how many there are.
    axes, level_shapes, dtype, scale
        Of the first image: names of the axes, shape of each level, pixel type, physical size of an
        element of level 0 per axis; of Zarr that is taken over, if it is an image. Empty or None
        otherwise.
    n_arrays
        Of a hierarchy that is changed on its way: how many arrays there are.
    geometry_type, vertex_count, object_count
        Of vectors: what they are, vertices, and objects that were written to a store.
    n_resumed
        Parts of the work that an interrupted conversion had done already.
    verification
        What was read back and found equal to the source, where that was asked for.
    plan
        What would be written, where only that was asked for.
    warnings
        What was left out, guessed or not as recommended, one sentence each.
    """

    source: str
    target: str
    kind: Kind
    seconds: float
    size_bytes: int
    n_objects: int
    layout: LayoutKind | None = None
    n_images: int = 0
    axes: tuple[str, ...] = ()
    level_shapes: tuple[tuple[int, ...], ...] = ()
    dtype: str | None = None
    scale: tuple[float, ...] = ()
    n_arrays: int = 0
    geometry_type: str | None = None
    vertex_count: int = 0
    object_count: int = 0
    n_resumed: int = 0
    verification: Verification | None = None
    plan: ConversionPlan | None = None
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        done = _DONE[self.kind]
        lines = [f"{done} {self.source} to {self.target}"]
        if self.level_shapes:
            sizes = zip(self.axes, self.level_shapes[0], strict=True)
            shape = " ".join(f"{name}={n}" for name, n in sizes)
            n = len(self.level_shapes)
            first = "" if self.n_images == 1 else f"{self.layout} of {self.n_images} images: "
            lines.append(f"  {first}{shape} {self.dtype}, {n} level{'s' if n > 1 else ''}")
        if self.geometry_type is not None:
            lines.append(f"  {self.geometry_type} of {self.vertex_count} vertices, {self.dtype}")
        unit = "entries" if self.target.lower().endswith((".ozx", ".zip")) else "objects"
        lines.append(
            f"  {_bytes(self.size_bytes)} in {self.n_objects} {unit}, {self.seconds:.1f} s"
        )
        if self.verification is not None:
            lines.append(f"  verified: {_bytes(self.verification.n_bytes)} equal to the source")
        lines += [f"  warning: {warning}" for warning in self.warnings]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON values."""
        return asdict(self)


def _bytes(n: int) -> str:
    size = float(n)
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if size < 1000 or unit == "TB":
            break
        size /= 1000
    return f"{n} bytes" if unit == "bytes" else f"{size:.1f} {unit}"
