"""Points in vector stores."""

from anyzarr.vectors._points import INPUT_ORDER, Points, read_points, write_points

__all__ = ["INPUT_ORDER", "Points", "read_points", "write_points"]
