"""Pictures of images: a contact sheet of channels as a PNG."""

from anyzarr._view._preview import Preview, preview

__all__ = ["Preview", "preview"]
