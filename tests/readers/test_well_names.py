"""Which names of positions are taken as wells."""

import pytest

from anyzarr.readers._well_names import spots_of_names

WELLS = {
    "A1 A2 B1": "A/1/0 A/2/0 B/1/0",
    "A01 A01 B12": "A/1/0 A/1/1 B/12/0",
    "A1_0001 A1_0002 H12_0001": "A/1/1 A/1/2 H/12/1",
    "A1_0001 A1_0001": "A/1/0 A/1/1",
    "name_A02_0000 name_A02_0001 name_B01_0000": "A/2/0 A/2/1 B/1/0",
    "my_job_A2_0000 my_job_A2_0003": "A/2/0 A/2/3",
    "C3-Site_0 C3-Site_1": "C/3/0 C/3/1",
    "P1-D4 P2-D4": "D/4/1 D/4/2",
    "run/A/1/R1 run/A/1/R2 run/B/12/R1": "A/1/R1 A/1/R2 B/12/R1",
    "AF48 P24": "AF/48/0 P/24/0",
    "B3 B4 B5": "B/3/0 B/4/0 B/5/0",
}
NONE = [
    "A1", "P1 P2 P3", "S1 S2", "A1 overview", "A0 B0", "TR1 TR2", "A1 A99", "a/b c/d", "1 2",
    "run/A/1/R-1 run/A/1/R1",
    "name_A02_1 name_A02_2", "point_P1_0000 point_P1_0001", "xA02_0000 xA02_0001",
]  # fmt: skip


@pytest.mark.parametrize("names", WELLS)
def test_names_that_are_wells(names: str) -> None:
    spots = spots_of_names(names.split())
    assert " ".join(spot.path for spot in spots if spot is not None) == WELLS[names]
    assert [spot and spot.row_index for spot in spots_of_names(["A1", "AB3"])] == [0, 27]


@pytest.mark.parametrize("names", NONE)
def test_names_that_are_not(names: str) -> None:
    assert not any(spots_of_names(names.split()))


def test_images_without_names() -> None:
    assert spots_of_names([]) == []
    assert spots_of_names(["A1", None]) == [None, None]
