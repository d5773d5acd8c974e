"""The steps of URL pipelines: what comes after ``|``, one adapter per file."""

from anyzarr.stores._adapters._registry import (
    UrlAdapter,
    adapter_of,
    list_url_adapters,
    register_url_adapter,
)
from anyzarr.stores._adapters._source import Opened, StepSource, UrlSource

__all__ = [
    "Opened",
    "StepSource",
    "UrlAdapter",
    "UrlSource",
    "adapter_of",
    "list_url_adapters",
    "register_url_adapter",
]
