"""The page of an evaluation in a browser without a network: it draws, it turns, it filters, and it fits a phone."""

import pytest

from cadrecode.evaluation import report_of
from cadrecode.report.page import write_report

from .conftest import SIZES

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

BLOCK = "import cadquery as cq\nr=cq.Workplane('XY').box(200,100,40)"


@pytest.fixture
def report(tmp_path):
    same = {"program": BLOCK, "bbox_error": 0, "seconds": 1.0}
    rows = [
        same | {"id": f"plates-000{i}", "iou": iou, "cd": cd, "outcome": outcome}
        for i, (iou, cd, outcome) in enumerate([(0.9, 0.1, "ok"), (0.99, 0.1, "ok"), (0.0, None, "syntax error")])
    ]
    return write_report(tmp_path, [("embedded", report_of(rows, "invent:plates:3", candidates=1, seed=0))])


@pytest.mark.parametrize("size", SIZES)
def test_the_page_of_an_evaluation_draws_and_turns_its_shapes(browser, report, size):
    width, height = SIZES[size]
    context = browser.new_context(offline=True, viewport={"width": width, "height": height}, color_scheme="dark")
    page = context.new_page()
    said, outside = [], []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda r: outside.append(r.url) if not r.url.startswith(("file:", "blob:", "data:")) else None)
    page.goto(report.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    card = page.locator("article", has_text="plates-0000")
    card.scroll_into_view_if_needed()
    card.and_(page.locator("[data-drawn]")).wait_for()
    counted = "canvas => [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data]"
    assert page.locator("article canvas").count() == 8  # true part, points and result; the failure has no result
    for canvas in card.locator("canvas").all():
        assert sum(canvas.evaluate(counted)) > 0
    before = card.get_attribute("data-drawn")
    card.locator("canvas").first.press("ArrowRight")
    page.wait_for_function("([card, before]) => card.dataset.drawn !== before", arg=[card.element_handle(), before])
    page.locator('[data-only="failed"]').click()
    assert page.locator("article:visible").count() == 1
    page.locator("summary").click()
    assert page.locator("details tbody tr").count() == 3
    assert said == outside == []
    context.close()
