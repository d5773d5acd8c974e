"""Polylines and streamlines in vector stores."""

from anyzarr.vectors._polylines import Polylines, read_polylines, write_polylines

__all__ = ["Polylines", "read_polylines", "write_polylines"]
