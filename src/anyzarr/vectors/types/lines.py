"""Line segments in vector stores."""

from anyzarr.vectors._lines import Lines, read_lines, write_lines

__all__ = ["Lines", "read_lines", "write_lines"]
