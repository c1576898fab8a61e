"""Stories beside the main job: tour, batch, report, link, guests, API, Ctrl-C; at both widths, in both languages."""

import re
import signal
import subprocess
import time
import zipfile

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from .conftest import REPOSITORY, SIZES, App, free_port, slide

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

CLOUDS = REPOSITORY / "assets" / "clouds"
DIAGONAL = [("narrow", "/zh"), ("wide", "/")]  # each width and each language once; all four: test_runs_page.py
CLOSE_SECONDS = 3.0
BUSY = 5  # times slower, a machine that runs other tests
MANUAL = (REPOSITORY / "docs" / "app.md").read_text(encoding="utf-8")
# Moves the fourth slider by hand and measures until the new part has arrived.
SLIDE = """async (value) => {
  const range = document.querySelectorAll('#dimensions input[type=range]')[3];
  const view = document.querySelector('#result .cr-viewer'), before = view.dataset.drawn;
  range.value = value;
  const began = performance.now();
  range.dispatchEvent(new Event('input', {bubbles: true}));
  for (;;) {
    await new Promise(resolve => setTimeout(resolve, 5));
    if (view.dataset.drawn !== before) return (performance.now() - began) / 1000;
    if (performance.now() - began > 60000) throw new Error(`No new part within 60 s of moving the slider to ${value}`);
  }
}"""


@pytest.fixture(params=DIAGONAL, ids="".join)
def visitor(request, page, app):
    """A fresh visitor at each width, and in each language, with the sample part ready."""
    size, path = request.param
    page.set_viewport_size(dict(zip(("width", "height"), SIZES[size])))
    page.goto(f"{app.url}{path}")
    page.locator("#download-step:not([disabled])").wait_for(timeout=240_000)
    return page


def test_every_tab_has_help_and_fits_and_the_tour_points_at_three_things_once(visitor):
    width = visitor.viewport_size["width"]
    tabs = visitor.get_by_role("tab")
    assert tabs.count() == 5
    for index in range(5):
        tabs.nth(index).click()
        visitor.locator(".cr-about summary:visible").click()
        assert len(visitor.locator(".cr-about[open] div:visible").inner_text()) > 40
        assert visitor.evaluate("document.documentElement.scrollWidth") <= width
        visitor.locator(".cr-about summary:visible").click()
    for tab, buttons in ((3, ("#evaluate", "#evaluate-cancel")), (1, ("#batch-go",)), (0, ("#rebuild",))):
        tabs.nth(tab).click()  # a second time: what the first brought is there
        for button in buttons:
            assert visitor.locator(button).inner_text()

    box = visitor.locator(".cr-tour:visible")
    box.wait_for()
    visitor.get_by_role("tab").nth(2).click()
    assert box.count() == 0  # what it points at is on the first tab alone
    visitor.get_by_role("tab").nth(0).click()
    for place in ("#cloud-file", "#rebuild", "#dimensions"):
        assert "solid" in visitor.locator(place).first.evaluate("element => getComputedStyle(element).outlineStyle")
        box.locator("button").first.click()
    assert box.count() == 0
    visitor.reload()
    visitor.locator("#numbers .cr-within").wait_for(timeout=300_000)
    assert box.count() == 0
    visitor.locator(".cr-about summary:visible").click()
    visitor.locator(".cr-tour-again:visible").click()
    box.wait_for()
    visitor.keyboard.press("Escape")
    assert box.count() == visitor.locator(".cr-about[open]").count() == 0


def test_a_batch_lists_its_failure_and_ends_with_a_zip(visitor, tmp_path):
    broken = tmp_path / "broken.xyz"
    broken.write_text("1 2 3\n" * 9)
    with zipfile.ZipFile(tmp_path / "scans.zip", "w") as out:
        out.write(CLOUDS / "standoff.xyz", "scans/standoff.xyz")
    visitor.get_by_role("tab").nth(1).click()
    visitor.locator("#batch-empty .cr-empty").wait_for()
    visitor.locator("#batch-options > button").click()
    for field, value in (("candidates", 1), ("fit", 0)):
        slide(visitor, f"#batch-{field}", value)
    if "/zh" in visitor.url:
        visitor.locator("#batch-files input[type=file]").set_input_files([broken, tmp_path / "scans.zip"])
    else:
        with visitor.expect_file_chooser() as chooser:
            visitor.locator("#batch-folder").click()
        chooser.value.set_files(tmp_path)
    visitor.locator("#batch-files").get_by_text("broken").first.wait_for()  # "scans" is in its label
    visitor.locator("#batch-go").click()
    visitor.locator("#batch-zip:not([disabled])").wait_for(timeout=240_000)
    rows = visitor.locator("#batch-rows tbody tr").all_inner_texts()
    assert [row.split()[0] for row in rows] == ["broken.xyz", "standoff.xyz"]
    assert re.search(r"\bmm\b", rows[1])
    with visitor.expect_download(timeout=240_000) as coming:
        visitor.locator("#batch-zip").click()
    names = zipfile.ZipFile(coming.value.path()).namelist()
    assert {"002-standoff/standoff.step", "002-standoff/standoff.py", "failed.txt", "index.html"} <= set(names)


def test_a_report_opens_offline_and_a_link_brings_the_part(visitor, browser, app, tmp_path):
    visitor.keyboard.press("Escape")  # the tour, which on a phone lies over the foot of the page
    visitor.locator(".cr-numbers-side .cr-fold > button").click()
    with visitor.expect_download(timeout=240_000) as coming:
        visitor.locator("#download-page").click()
    coming.value.save_as(tmp_path / "report.html")
    context = browser.new_context(offline=True)
    report = context.new_page()
    report.goto((tmp_path / "report.html").as_uri())
    assert report.locator("img").count() == 2
    assert report.evaluate("[...document.images].every(one => one.complete && one.naturalWidth > 100)")
    assert "80.0 × 50.0 × 57.0 mm" in report.locator("body").inner_text()
    context.close()

    visitor.locator("#make-link").click()
    address = visitor.locator("#link").locator("input, textarea").first
    visitor.wait_for_function("document.querySelector('#link :is(input, textarea)')?.value.startsWith('http')")
    visitor.goto(address.input_value())
    visitor.locator("#numbers").get_by_text("80.0 × 50.0 × 57.0 mm").wait_for(timeout=300_000)
    assert visitor.locator("#numbers .cr-lead").count() == 0  # the scan did not travel


def test_a_scan_in_metres_is_doubted_and_its_unit_can_be_set(visitor, tmp_path):
    lines = (CLOUDS / "standoff.xyz").read_text().splitlines()
    rows = [" ".join(str(float(x) / 1000) for x in line.split()[:3]) for line in lines if line[:1] not in "#"]
    (tmp_path / "small.xyz").write_text("\n".join(rows))
    visitor.locator("#cloud-file input[type=file]").set_input_files(tmp_path / "small.xyz")
    visitor.locator("#cloud-facts .cr-warn").wait_for(timeout=240_000)
    visitor.locator("#unit input").click()
    visitor.get_by_role("option", name="m", exact=True).click()
    visitor.locator("#cloud-facts .cr-warn").wait_for(state="detached", timeout=240_000)


def test_a_file_that_cannot_be_read_leaves_a_red_line_and_nothing_of_the_part_before(page, app, tmp_path):
    page.goto(app.url)
    page.locator("#download-step:not([disabled])").wait_for(timeout=240_000)
    (tmp_path / "broken.xyz").write_text("1 2 3\n" * 9)
    page.locator("#cloud-file input[type=file]").set_input_files(tmp_path / "broken.xyz")
    page.locator("#cloud-fault .cr-bad").wait_for(timeout=240_000)
    page.locator("#download-step[disabled]").wait_for(state="attached")
    assert page.locator("#dimensions .cr-dim").count() == 0
    page.locator("#result .cr-viewer:not([data-drawn])").wait_for()
    page.locator("#samples button").nth(0).click()
    page.locator("#cloud-fault .cr-bad").wait_for(state="detached")
    page.locator("#result .cr-viewer[data-drawn]").wait_for()


def test_cancel_ends_a_rebuild_soon_and_so_does_another_scan(page, app):
    page.goto(app.url)
    page.locator("#download-step:not([disabled])").wait_for(timeout=240_000)
    page.locator("#samples button").nth(2).click()
    page.locator("#cloud-facts").get_by_text("bearing_block.ply").wait_for()
    page.locator("#rebuild").click()
    page.locator("#cancel:not([disabled])").click()
    page.locator("#rebuild:not([disabled])").wait_for(timeout=5_000 * BUSY)

    page.locator("#rebuild").click()  # another scan comes: it must not get this one's part
    page.locator("#cancel:not([disabled])").wait_for()
    page.locator("#samples button").nth(3).click()
    page.locator("#cloud-facts").get_by_text("flange.npy").wait_for()
    page.locator("#rebuild:not([disabled])").wait_for(timeout=5_000 * BUSY)
    assert page.get_by_text(re.compile("^Done in")).count() == 0
    assert page.locator("#numbers .cr-lead").count() == 0


def test_the_mesh_follows_a_slider(page, app):
    page.goto(app.url)
    page.locator("#download-step:not([disabled])").wait_for(timeout=240_000)
    for value in (6, 7, 5, 8):
        page.evaluate(SLIDE, value)  # how long it takes: benchmarks/app.py
        page.locator("#download-step:not([disabled])").wait_for(timeout=240_000)
        page.wait_for_timeout(300)


def examples() -> list[str]:
    """The Python examples of the API in docs/app.md."""
    return [code for code in re.findall(r"```python\n(.*?)```", MANUAL, re.S) if "gradio_client" in code]


def test_the_api_does_what_its_page_says(app, tmp_path, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    assert len(examples()) == 1
    printed: list[tuple] = []
    exec(examples()[0].replace("http://127.0.0.1:7860", app.url), {"print": lambda *values: printed.append(values)})
    (verdict, deviation, names), (size, solid), (fault,) = printed
    assert verdict == "good_match"
    assert deviation < 1
    assert any(name.endswith(".step") for name in names)
    assert (size, solid) == ([80, 50, 10], "valid solid")
    assert "line 1" in fault or "expected" in fault.lower()

    client = Client(app.url, verbose=False)
    assert set(client.view_api(return_format="dict")["named_endpoints"]) == {"/reconstruct", "/run_program"}
    (tmp_path / "bad.xyz").write_text("1 2 3\n" * 9)
    with pytest.raises(AppError, match="points"):
        client.predict(file=handle_file(tmp_path / "bad.xyz"), api_name="/reconstruct")


def test_guests_rebuild_and_only_owners_train(browser, tmp_path):
    (tmp_path / "app").mkdir()
    logins = ("--auth", "me:secret", "--guest", "you:word")
    app = App(tmp_path / "app" / "runs", free_port(), arguments=logins).start()
    packed = app.runs_dir / ".downloads" / "a-adapter.zip"
    packed.write_bytes(b"weights")
    try:
        for name, password, tabs, status in (("you", "word", 2, 403), ("me", "secret", 5, 200)):
            context = browser.new_context(locale="en")
            page = context.new_page()
            page.goto(app.url)
            page.get_by_label("Name").fill(name)
            page.get_by_label("Password").fill(password)
            page.get_by_role("button", name="Log in").click()
            page.locator("#download-step:not([disabled])").wait_for(timeout=240_000)
            page.wait_for_function(
                f"[...document.querySelectorAll('[role=tab]')].filter(t => t.offsetWidth).length == {tabs}"
            )
            assert page.locator(".toast-body").count() == 0
            assert page.request.get(f"{app.url}/gradio_api/file={packed}").status == status
            if name == "you":  # what is hidden is refused, too
                page.evaluate("document.querySelector('#tab-train-button').click()")
                page.evaluate("document.querySelector('#start').click()")
                page.get_by_text("owner of the app").wait_for(timeout=240_000)
                assert not [folder for folder in app.runs_dir.glob("*") if (folder / "config.yaml").exists()]
            context.close()
        client = Client(app.url, auth=("you", "word"), verbose=False)
        result, _ = client.predict(
            program="import cadquery as cq\nr=cq.Workplane().box(1,2,3)", api_name="/run_program"
        )
        assert result["ok"]
    finally:
        app.stop()


def test_ctrl_c_ends_the_app_at_once_with_a_page_open(browser, tmp_path):
    (tmp_path / "app").mkdir()
    app = App(tmp_path / "app" / "runs", free_port()).start()
    page = browser.new_page()
    page.goto(app.url)
    page.locator("#download-step:not([disabled])").wait_for(timeout=240_000)
    app.process.send_signal(signal.SIGINT)
    assert app.process.wait(CLOSE_SECONDS * BUSY) == 0
    page.close()
    assert "Closed. Training runs go on." in app.terminal()
    assert "Traceback" not in app.terminal()
    until = time.monotonic() + CLOSE_SECONDS * BUSY  # helpers end when they see that the app is gone
    while left := subprocess.run(["pgrep", "-ag", str(app.process.pid)], capture_output=True, text=True).stdout:
        assert time.monotonic() < until, left
        time.sleep(0.1)
    app.stop()
