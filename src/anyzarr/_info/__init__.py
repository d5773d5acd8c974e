"""What is at a location: facts for people and programs."""

from anyzarr._info._archive import ArchiveInfo
from anyzarr._info._engines import EnginesInfo, explain_engines
from anyzarr._info._models import (
    ArrayInfo,
    AxisInfo,
    ChannelInfo,
    GroupInfo,
    ImageInfo,
    LabelInfo,
    LevelInfo,
    MemberInfo,
    MultiscaleInfo,
    StoredSize,
    VectorLayerInfo,
)
from anyzarr._info._packages import PackageInfo, backends, engines
from anyzarr._info._plate_models import (
    LabelsInfo,
    PlateInfo,
    PositionInfo,
    SeriesInfo,
    WellInfo,
    WellPlace,
)
from anyzarr._info._read import info
from anyzarr._info._tree import tree
from anyzarr._info._vectors import VectorsInfo

__all__ = [
    "ArchiveInfo",
    "ArrayInfo",
    "AxisInfo",
    "ChannelInfo",
    "EnginesInfo",
    "GroupInfo",
    "ImageInfo",
    "LabelInfo",
    "LabelsInfo",
    "LevelInfo",
    "MemberInfo",
    "MultiscaleInfo",
    "PackageInfo",
    "PlateInfo",
    "PositionInfo",
    "SeriesInfo",
    "StoredSize",
    "VectorLayerInfo",
    "VectorsInfo",
    "WellInfo",
    "WellPlace",
    "backends",
    "engines",
    "explain_engines",
    "info",
    "tree",
]
