"""Meshes in vector stores."""

from anyzarr.vectors._meshes import Mesh, read_mesh, write_mesh

__all__ = ["Mesh", "read_mesh", "write_mesh"]
