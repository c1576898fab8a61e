"""The 3D view by hand: a face names its number and the other way round, a hole is measured, a section is dragged."""

import io

import numpy as np
import pytest
from PIL import Image

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

# Where a place of the sample part, in its own numbers, lies on the view: [x, y] in pixels.
PLACE = """(place) => {
  const {viewer} = document.querySelector('#result .cr-viewer');
  return viewer.onStage(viewer.camera.position.clone().set(...place.map((x, i) => x - viewer.origin[i])));
}"""
WALL = (-28, 10, 25.4)  # on the wall of the large hole, the side that shows
CAP = (217, 138, 78)  # the colour of a cut


def cap_share(page) -> float:
    """How much of the view is cut face."""
    picture = np.asarray(Image.open(io.BytesIO(page.locator("#result canvas").screenshot())).convert("RGB"), int)
    return float((np.abs(picture - CAP).max(axis=2) < 12).mean())


def test_a_face_knows_its_number_and_a_hole_its_diameter(opened):
    opened.locator(".cr-tour button:visible").last.click()
    opened.wait_for_function("document.querySelector('#result .cr-viewer').viewer.faces")
    opened.locator("#result [data-look=right]").click()
    opened.keyboard.press("4")
    x, y = opened.evaluate(PLACE, WALL)
    canvas = opened.locator("#result canvas")
    canvas.hover(position={"x": x, "y": y})
    opened.locator("#result .cr-tip").get_by_text("hole 2 diameter").wait_for()
    assert opened.locator("#dimensions .cr-dim.cr-lit").get_attribute("data-name") == "hole 2 diameter"
    opened.locator("#result [data-tool=measure]").click()
    canvas.click(position={"x": x, "y": y})
    opened.locator("#result .cr-measured").get_by_text("⌀ 24 mm").wait_for()


def test_a_section_is_dragged_and_its_cut_is_closed(opened):
    opened.locator(".cr-tour button:visible").last.click()
    assert cap_share(opened) < 0.001  # smoothed edges of points look like it
    opened.locator("#result [data-tool=section]").click()
    knob, slider = opened.locator("#result .cr-knob"), opened.locator("#result .cr-cut input[type=range]")
    knob.wait_for()
    opened.wait_for_function("document.querySelector('#result .cr-knob').style.left")
    box, before = knob.bounding_box(), float(slider.input_value())
    half = cap_share(opened)
    assert half > 0.005
    opened.mouse.move(box["x"] + 10, box["y"] + 10)
    opened.mouse.down()
    opened.mouse.move(box["x"] - 90, box["y"] - 20, steps=4)
    opened.mouse.up()
    assert float(slider.input_value()) < before - 0.1
    opened.locator("#result [data-tool=section]").click()
    knob.wait_for(state="hidden")
