"""The 3D view by hand: a face names its number and the other way round, a hole is measured, a section is dragged."""

import io

import numpy as np
import pytest
from PIL import Image

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

# Moves the pointer over the view until its face names the wanted number. Returns the place, from the view's corner.
FIND = """async (wanted) => {
  const canvas = document.querySelector('#result canvas'), tip = document.querySelector('#result .cr-tip');
  const frame = () => new Promise(resolve => requestAnimationFrame(resolve));
  for (let y = 4; y < canvas.clientHeight; y += 6) for (let x = 4; x < canvas.clientWidth; x += 6) {
    const {left, top} = canvas.getBoundingClientRect();
    canvas.dispatchEvent(new PointerEvent('pointermove', {clientX: left + x, clientY: top + y, bubbles: true}));
    await frame(); await frame();
    if (!tip.hidden && tip.textContent === wanted) return [x, y];
  }
}"""
CAP = (217, 138, 78)  # the colour of a cut


def cap_share(page) -> float:
    """How much of the view is cut face."""
    picture = np.asarray(Image.open(io.BytesIO(page.locator("#result canvas").screenshot())).convert("RGB"), int)
    return float((np.abs(picture - CAP).max(axis=2) < 12).mean())


def test_a_face_knows_its_number_and_a_hole_its_diameter(opened):
    opened.wait_for_function("document.querySelector('#faces').dataset !== null")
    opened.locator(".cr-tour button:visible").last.click()
    opened.locator("#result [data-look=right]").click()
    opened.keyboard.press("4")
    x, y = opened.evaluate(FIND, "hole 2 diameter")
    assert opened.locator("#dimensions .cr-dim.cr-lit").get_attribute("data-name") == "hole 2 diameter"
    opened.locator("#result [data-tool=measure]").click()
    opened.locator("#result canvas").click(position={"x": x, "y": y})
    opened.locator("#result .cr-measured").get_by_text("⌀ 24 mm").wait_for()


def test_a_section_is_dragged_and_its_cut_is_closed(opened):
    opened.locator(".cr-tour button:visible").last.click()
    assert cap_share(opened) == 0
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
