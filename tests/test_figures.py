"""Figures as people read them."""

import math

import pytest

from cadrecode.figures import figure, length, lengths, short


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (12.0, "12.0"), (12.34, "12.3"), (123.4, "123"), (81234.5, "81,234"), (0.0078512, "0.00785"),
     (-0.508, "-0.508"), (1.5e-7, "<0.0001"), (0.1, "0.100"), (9.999, "10.0"), (99.96, "100"), (1.5e-4, "0.000150"),
     (math.inf, "-")],
)  # fmt: skip
def test_three_digits_and_no_exponent(value, text):
    assert figure(value) == text


@pytest.mark.parametrize(("value", "text"), [(12.0, "12"), (12.34567, "12.3457"), (150, "150"), (-1200.5, "-1200.5")])
def test_numbers_of_programs_have_the_digits_that_count(value, text):
    assert short(value) == text


def test_metres_are_shown_in_millimetres():
    assert length(0.0502, "m") == "50.2 mm"
    assert length(0.0502, "inch") == "0.0502 inch"
    assert lengths([0.05236, 0.0778, 2.0], "m") == "52.4 x 77.8 x 2,000 mm"
    assert lengths([3, 4], between=" × ") == "3.00 × 4.00"
