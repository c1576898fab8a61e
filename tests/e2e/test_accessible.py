"""The page for keyboards and screen readers: axe-core 4.14.1 (MPL-2.0, tests/e2e/axe) finds nothing serious, and
Rebuild is near for the Tab key."""

from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

AXE = Path(__file__).with_name("axe") / "axe.min.js"
# A button that fades in has no contrast yet; a spinner never ends.
LOOK = """async () => {
  const fading = document.getAnimations().filter(({effect}) => Number.isFinite(effect.getComputedTiming().endTime));
  await Promise.all(fading.map(animation => animation.finished.catch(() => {})));
  return (await axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa']})).violations
    .filter(({impact}) => impact === 'serious' || impact === 'critical')
    .map(({id, nodes}) => id + ': ' + nodes.map(node => node.html.slice(0, 160)).join(' | '));
}"""
STOPS = 5


@pytest.mark.parametrize(("path", "theme", "width"), [("/", "light", 1440), ("/zh", "dark", 1440), ("/", "dark", 390)])
def test_axe_finds_nothing_serious(page, app, path, theme, width):
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{app.url}{path}?__theme={theme}")
    page.locator("#download-step:not([disabled])").wait_for(timeout=240_000)
    page.locator(".cr-tour button:visible").last.click()
    page.locator("#open-program").click()
    page.locator("#program .cm-line span").first.wait_for()
    page.wait_for_function("[...document.adoptedStyleSheets, ...document.styleSheets].some(sheet => sheet.legible)")
    page.add_script_tag(content=AXE.read_text(encoding="utf-8"))
    tabs = page.get_by_role("tab")
    for number in range(tabs.count()):
        tabs.nth(number).click()
        page.locator(".cr-about summary:visible").wait_for()
        assert page.evaluate(LOOK) == [], tabs.nth(number).inner_text()


def test_rebuild_is_near_for_the_tab_key(page, app):
    page.add_init_script("localStorage.setItem('cadrecode_tour', 'seen')")
    page.goto(app.url)
    page.locator("#download-step:not([disabled])").wait_for(timeout=240_000)
    for _ in range(STOPS):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "rebuild":
            break
    assert page.evaluate("document.activeElement.id") == "rebuild"


def test_the_view_takes_the_wheel_once_it_was_clicked(page, app):
    page.set_viewport_size({"width": 1440, "height": 500})
    page.goto(app.url)
    page.locator("#result .cr-viewer[data-drawn]").wait_for(timeout=240_000)
    stage = page.locator("#result .cr-stage")
    page.mouse.move(*_middle(stage))
    page.mouse.wheel(0, 120)
    page.wait_for_function("scrollY > 0")
    before = page.evaluate("scrollY")
    page.mouse.click(*_middle(stage))
    page.mouse.wheel(0, 120)
    page.keyboard.press("3")
    page.wait_for_timeout(300)  # for a page that would scroll
    assert page.evaluate("scrollY") == before


def _middle(locator) -> tuple[float, float]:
    box = locator.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + min(box["height"], 120) / 2
