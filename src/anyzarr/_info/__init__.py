"""What is at a location: facts for people and programs."""

from anyzarr._info._engines import EnginesInfo, explain_engines
from anyzarr._info._models import (
    ArrayInfo,
    AxisInfo,
    ChannelInfo,
    GroupInfo,
    ImageInfo,
    LevelInfo,
    MemberInfo,
    StoredSize,
)
from anyzarr._info._packages import PackageInfo, backends, engines
from anyzarr._info._read import info, locate
from anyzarr._info._tree import tree

__all__ = [
    "ArrayInfo",
    "AxisInfo",
    "ChannelInfo",
    "EnginesInfo",
    "GroupInfo",
    "ImageInfo",
    "LevelInfo",
    "MemberInfo",
    "PackageInfo",
    "StoredSize",
    "backends",
    "engines",
    "explain_engines",
    "info",
    "locate",
    "tree",
]
