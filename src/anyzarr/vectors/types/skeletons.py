"""Skeletons in vector stores."""

from anyzarr.vectors._graphs import Graph, read_graph, write_graph

__all__ = ["Graph", "read_graph", "write_graph"]
