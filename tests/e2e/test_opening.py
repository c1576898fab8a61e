"""One page in a real browser, for `make test`: the sample part is drawn, and its mesh and program follow a slider."""

import pytest

pytestmark = pytest.mark.e2e


def program(page) -> str:
    return page.locator("#program .cm-content").inner_text()


def test_a_slider_changes_the_part_and_reset_brings_it_back(opened):
    before = program(opened)
    assert "circle(4.5" in before
    assert opened.evaluate("document.documentElement.scrollHeight") <= 900  # all of it on one screen
    field = opened.get_by_label("hole 1 diameter (mm)").first
    field.fill("12")
    field.press("Enter")
    opened.wait_for_function("() => document.querySelector('#program .cm-content').innerText.includes('circle(6,')")
    opened.locator("#numbers").get_by_text("your program").wait_for()
    opened.get_by_role("button", name="Reset", exact=True).click()
    opened.wait_for_function("() => document.querySelector('#program .cm-content').innerText.includes('circle(4.5,')")
