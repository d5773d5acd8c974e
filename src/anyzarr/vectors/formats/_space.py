"""The image that streamlines were tracked in: what TRK and TRX must say, and a store has not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from anyzarr.vectors.formats._format import VectorFacts

__all__ = ["ImageSpace", "space_of"]


@dataclass(frozen=True)
class ImageSpace:
    """The grid of voxels of an image.

    Attributes
    ----------
    affine
        From indices of voxels to RAS+ millimeters, 4 by 4.
    dimensions
        Voxels per axis.
    """

    affine: npt.NDArray[np.float64]
    dimensions: tuple[int, ...]

    @classmethod
    def of_header(cls, header: Mapping[str, Any]) -> ImageSpace:
        """Return the space that the header of a TRK file tells."""
        affine = np.asarray(header["voxel_to_rasmm"], np.float64)
        return cls(affine, tuple(int(n) for n in header["dimensions"]))

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> ImageSpace | None:
        """Return what :meth:`to_document` returned; None: there is no such thing."""
        try:
            affine = np.asarray(document["affine"], np.float64)
            dimensions = tuple(int(n) for n in document["dimensions"])
        except (KeyError, TypeError, ValueError):
            return None
        return cls(affine, dimensions) if affine.shape == (4, 4) and len(dimensions) == 3 else None

    def to_document(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"affine": self.affine.tolist(), "dimensions": list(self.dimensions)}

    @property
    def voxel_sizes(self) -> npt.NDArray[np.float64]:
        """Edge lengths of a voxel, in millimeters."""
        sizes: npt.NDArray[np.float64] = np.sqrt((self.affine[:3, :3] ** 2).sum(axis=0))
        return sizes


def space_of(facts: VectorFacts) -> tuple[ImageSpace, list[str]]:
    """Return the space that the streamlines were tracked in, and warnings.

    Where it is not known, it is one of voxels of 1 mm that holds the bounds.
    """
    kept = facts.attributes.get("space")
    told = ImageSpace.parse(kept) if isinstance(kept, Mapping) else None
    warnings = []
    if facts.unit not in {None, "millimeter"}:
        warnings.append(f"coordinates are in {facts.unit}, and readers take them for millimeters")
    if told is not None:
        return told, warnings
    low, high = np.asarray(facts.bounds or ((0.0,) * 3, (1.0,) * 3))
    affine = np.eye(4)
    affine[:3, 3] = np.floor(low)
    dimensions = np.clip(np.ceil(high) - np.floor(low) + 1, 1, 32767).astype(int)
    warnings.append(
        "the store does not say in which image the streamlines were tracked, so the file names one "
        f"of {' x '.join(map(str, dimensions))} voxels of 1 mm around them"
    )
    return ImageSpace(affine, tuple(dimensions.tolist())), warnings
