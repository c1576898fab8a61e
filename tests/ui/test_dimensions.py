"""The rows of a part's numbers: what a moved number does, and where its slider ends."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from cadrecode.errors import Message
from cadrecode.part import Part
from cadrecode.program.edit import Parameter
from cadrecode.snapping import Snap
from cadrecode.ui.reconstruct import dimensions, samples
from cadrecode.ui.words.text import Words

EN = Words("en")


def test_sliders_change_the_part_and_nothing_else(after, plate, typist):
    before = list(typist.asked)
    base = after.shown
    sizes, places = dimensions.named(base)
    assert [p.name for p in sizes] == ["plate width", "plate length", "plate thickness"]
    thick = dimensions.moved(after, base, {p.name: p.value for p in (*sizes, *places)} | {"plate thickness": 16.0})
    np.testing.assert_allclose(thick.shown.size, (80, 40, 16), rtol=1e-3)
    assert thick.shown.deviation.mean > base.deviation.mean
    assert typist.asked == before
    back = dimensions.moved(thick, base, {p.name: p.value for p in (*sizes, *places)})
    assert back.shown == base


def test_slider_ends_hold_the_value_and_keep_sizes_off_zero(after):
    for parameter in (p for group in dimensions.named(after.shown) for p in group):
        low, high, step = dimensions.slider_ends(parameter)
        assert low <= parameter.value <= high
        assert step > 0
        assert not parameter.is_length or low * high > 0


def test_six_numbers_are_there_and_the_rest_is_folded(services):
    part = samples.first_work().shown
    rows = dimensions.rows(part, "mm", EN)
    assert rows.count(' data-value="') == sum(len(group) for group in dimensions.named(part))
    assert rows.count(" cr-rest") == rows.count(' data-value="') - dimensions.FIRST
    assert 'data-value="80000"' in dimensions.rows(part, "m", EN)
    sent = SimpleNamespace(numbers={"plate width": [80_000, False], "taper": [5, True]})
    assert dimensions.sent(sent, "m") == {"plate width": 80, "taper": 5}


def test_a_program_that_is_no_tree_has_no_sliders():
    part = Part("import math", np.zeros((3, 3)), np.array([[0, 1, 2]]))
    assert dimensions.named(part) == ([], [])


def test_numbers_without_a_slider_are_counted():
    few = Part.of_program("import cadquery as cq\nr=cq.Workplane('XY').box(3,4,5)")
    assert dimensions.left_out(few) == 0
    holes = ",".join(f"({i * i / 3 - 90},0)" for i in range(21))
    sketch = f"w0.sketch().rect(200,50).push([{holes}]).circle(3,mode='s').finalize().extrude(5)"
    many = Part.of_program(f"import cadquery as cq\nw0=cq.Workplane('XY')\nr={sketch}")
    _, places = dimensions.named(many)
    assert len(places) == dimensions.MOST_PLACES
    assert dimensions.left_out(many) > 0


def test_a_handle_stands_where_its_number_is():
    fine = Parameter("hole 1 diameter", 1.617, 0.6, 5.0, 1.0, True, ((("radius",), 0.5),))
    assert dimensions.slider_ends(fine)[2] == pytest.approx(0.1)
    whole = Parameter("plate width", 80.0, 4.0, 200.0, 1.0, True, ((("width",), 1.0),))
    assert dimensions.slider_ends(whole)[2] == 1


def test_a_slider_says_why_its_number_was_changed():
    reason = Message(
        "{reason}, within {x:g}", reason=Message("equal to {name}", name=Message("hole 1 diameter")), x=0.05
    )
    part = replace(
        Part.of_program("import cadquery as cq\nr=cq.Workplane('XY').box(3,4,5)"),
        snapped=(Snap("plate thickness", 5.02, 5.0, reason),),
    )
    assert dimensions.reasons(part, "mm", EN) == {
        "plate thickness": "was 5.02; now 5: equal to hole 1 diameter, within 0.05"
    }
    assert dimensions.reasons(part, "m", Words("zh")) == {  # in the millimetres that the page shows
        "plate thickness": "原为 5020，现为 5000：等于孔 1 直径，偏差不超过 50"
    }
