"""The command ``anyzarr``: parse, call the library, print."""

from anyzarr._cli._main import main

__all__ = ["main"]
