"""Round numbers, clearance holes and drills."""

import pytest

from cadrecode.snapping.preferred import choices, reason_for


@pytest.mark.parametrize(
    ("value", "allowed", "unit", "is_hole", "wanted", "reason"),
    [
        (12.02, 0.05, "mm", False, 12, "whole"),
        (12.52, 0.05, "mm", False, 12.5, "half"),
        (12.31, 0.05, "mm", False, 12.3, "tenth"),
        (6.58, 0.2, "mm", True, 6.6, "clearance hole for M6, medium (ISO 273)"),
        (6.58, 0.2, "mm", False, 6.5, "half"),
        (0.658, 0.01, "cm", True, 0.66, "clearance hole for M6, medium (ISO 273)"),
        (8.74, 0.02, "mm", True, 8.75, "drill size"),
        (0.126, 0.002, "inch", False, 0.125, "eighth"),
        (0.0803, 0.0005, "m", False, 0.08, "rounded"),
        (-3.96, 0.05, "mm", False, -4, "whole"),
    ],
)
def test_the_simplest_number_that_is_near_enough(value, allowed, unit, is_hole, wanted, reason):
    first = choices(value, allowed, unit, is_hole=is_hole)[0]
    assert (first.value, str(first.reason)) == (pytest.approx(wanted), reason)


def test_no_choice_is_farther_than_allowed():
    for value in (0.3713, 5.0491, 17.777, 123.456):
        for allowed in (0.004, 0.04, 0.4):
            for is_hole in (False, True):
                simple = choices(value, allowed, is_hole=is_hole)
                assert all(abs(choice.value - value) <= allowed * 1.001 for choice in simple)
    assert not choices(0.37131, 1e-6)


def test_a_number_that_stands_there_is_named():
    assert reason_for(9, is_hole=True) == "clearance hole for M8, medium (ISO 273)"
    assert reason_for(21, is_hole=True) == "clearance hole for M20, fine (ISO 273)"  # M18, coarse
    assert reason_for(5.8, is_hole=True) == "clearance hole for M5, coarse (ISO 273)"
    assert {reason_for(size, is_hole=True) for size in (7, 10, 12)} == {"whole"}  # M6, M8 and M10, coarse
    assert reason_for(7) == "whole"
    assert reason_for(0.123456789) == ""
