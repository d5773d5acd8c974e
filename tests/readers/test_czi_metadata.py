"""What the XML of CZI files says, in the forms that ZEN and libCZI give it."""

from __future__ import annotations

import numpy as np
import pytest

from anyzarr.ome import Channel, Window
from anyzarr.readers._czi_metadata import CziXml

PLAN = (
    "<Experiment><ExperimentBlocks><AcquisitionBlock><SubDimensionSetups><TimeSeriesSetup>"
    "<StartMode><Manual><TimeSpan><Value>0.001</Value><DefaultUnitFormat>ms</DefaultUnitFormat>"
    "</TimeSpan></Manual></StartMode>"
    "<Interval><TimeSpan><Value>{}</Value>{}</TimeSpan></Interval>"
    "</TimeSeriesSetup></SubDimensionSetups></AcquisitionBlock></ExperimentBlocks></Experiment>"
)
TAKEN = (
    "<Information><Image><Dimensions><Z><Positions><Interval><Increment>0.5</Increment></Interval>"
    "</Positions></Z><T><Positions><Interval><Start>0</Start><Increment>{}</Increment></Interval>"
    "</Positions></T></Dimensions></Image></Information>"
)
UNIT = "<DefaultUnitFormat>{}</DefaultUnitFormat>"


def document(*parts: str) -> CziXml:
    return CziXml(f"<ImageDocument><Metadata>{''.join(parts)}</Metadata></ImageDocument>")


@pytest.mark.parametrize(
    ("parts", "seconds"),
    [
        ([TAKEN.format(2.526)], 2.526),
        ([PLAN.format(30, UNIT.format("min")), TAKEN.format(1801.5)], 1801.5),
        ([PLAN.format(5, UNIT.format("s"))], 5.0),
        ([PLAN.format(5, "")], 5.0),
        ([PLAN.format(5, UNIT.format("s")), TAKEN.format("")], 5.0),
        ([PLAN.format(5, UNIT.format("s")), TAKEN.format("0")], 5.0),
        ([PLAN.format(500, UNIT.format("ms"))], None),  # 500 s, or 0.5 s
        ([PLAN.format(0, UNIT.format("s"))], None),
        ([PLAN.format("?", UNIT.format("s"))], None),
        ([], None),
    ],
)
def test_the_time_step_is_that_of_the_acquisition_or_else_of_the_plan(
    parts: list[str], seconds: float | None
) -> None:
    expected = {} if seconds is None else {"T": (seconds, "second")}
    assert document(*parts).sizes() == expected


def test_sizes_are_in_metres_whatever_unit_is_shown() -> None:
    items = "".join(
        f'<Distance Id="{axis}"><Value>{value}</Value>{UNIT.format("µm")}</Distance>'
        for axis, value in (("X", "1.0733675064999999E-07"), ("Y", "1E-7"), ("Z", "NaN"))
    )
    found = document(f"<Scaling><Items>{items}</Items></Scaling>").sizes()
    assert found == {"X": (0.1073367506500, "micrometer"), "Y": (0.1, "micrometer")}


def test_channels_are_matched_with_how_they_are_shown_by_their_ids() -> None:
    channels = "".join(
        f'<Channel Id="Channel:{i}" Name="{name}"><PixelType>Gray16</PixelType></Channel>'
        for i, name in ((1, "TPMT"), (0, "EGFP"))
    )
    shown = (
        '<Channel Id="Channel:0"><Color>#FF00FF5B</Color><Low>0.25</Low><High>0.5</High></Channel>'
        '<Channel Id="Channel:1"><Color>#FFFFFFFF</Color></Channel>'
    )
    xml = document(
        f"<Information><Image><Dimensions><Channels>{channels}</Channels></Dimensions></Image>"
        f"</Information><DisplaySetting><Channels>{shown}</Channels></DisplaySetting>"
    )
    assert xml.channels(np.dtype("u2")) == (
        Channel("TPMT", "FFFFFF"),
        Channel("EGFP", "00FF5B", window=Window(0, 65535, 16384, 32768)),
    )
