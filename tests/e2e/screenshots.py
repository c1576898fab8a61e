"""Pictures of every tab, wide and narrow, in both languages: python tests/e2e/screenshots.py FOLDER

A person looks at them before handing over; the README takes its picture from here. With --url an app that is already
open is photographed; otherwise one is opened with an empty folder of runs.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run as a script, from anywhere

from tests.e2e.conftest import BROWSER_ARGUMENTS, App, find_browser, free_port

WIDTHS = {"wide": (1440, 900), "narrow": (390, 844)}
LANGUAGES = {"en": "/", "zh": "/zh"}
TABS = ("reconstruct", "train", "evaluate", "adapters")
SETTLE_MS = 2500  # fonts, plots and 3D views
WAIT_MS = 300_000  # for the model, on a machine that has other things to do
ENABLED = ":not([disabled])"
TRAIN_STEPS = 24
EVALUATED_PARTS = 25


def take(page: Page, path: Path) -> None:
    """The whole page, its 3D views drawn: they draw only while they are on screen, so the screen becomes the page."""
    width, height = page.viewport_size["width"], page.viewport_size["height"]
    whole = page.evaluate("document.documentElement.scrollHeight")
    page.set_viewport_size({"width": width, "height": max(whole, 400)})
    page.wait_for_timeout(SETTLE_MS)
    page.screenshot(path=path, timeout=WAIT_MS)
    overflow = page.evaluate("document.documentElement.scrollWidth") - width
    print(f"{path.name}: {width} x {whole}" + (f", {overflow} pixels too wide" if overflow > 0 else ""), flush=True)
    page.set_viewport_size({"width": width, "height": height})


def open_tab(page: Page, tab: str) -> None:
    page.get_by_role("tab").nth(TABS.index(tab)).click()
    page.wait_for_timeout(SETTLE_MS)


def views(browser, url: str):
    """A page for each language and width, its sample part drawn: (page, "wide-en") and so on."""
    for language, path in LANGUAGES.items():
        for size, (width, height) in WIDTHS.items():
            page = browser.new_page(viewport={"width": width, "height": height}, locale=language)
            page.set_default_timeout(WAIT_MS)
            page.goto(f"{url}{path}")
            page.locator(f"#download-step{ENABLED}").wait_for()
            yield page, f"{size}-{language}"
            page.close()


def at_rest(browser, url: str, folder: Path, when: str) -> None:
    """All tabs while nothing is under way."""
    for page, name in views(browser, url):
        for tab in TABS:
            open_tab(page, tab)
            take(page, folder / f"{tab}-{when}-{name}.png")


def at_work(browser, url: str, folder: Path, file: Path | None) -> None:
    """Reconstruct and Evaluate while the model is asked and when it has answered."""
    for page, name in views(browser, url):
        open_tab(page, "reconstruct")
        if file:
            page.locator("#cloud-file input[type=file]").set_input_files(file)
            page.locator("#cloud-facts").get_by_text(file.name).wait_for()
        else:
            page.locator("#samples button").nth(1).click()
        page.wait_for_timeout(SETTLE_MS)
        page.locator("#rebuild").click()
        page.locator(f"#cancel{ENABLED}").wait_for()
        take(page, folder / f"reconstruct-busy-{name}.png")
        page.locator(f"#rebuild{ENABLED}").wait_for()
        page.locator(f"#download-step{ENABLED}").wait_for()
        page.mouse.move(0, 0)
        take(page, folder / f"reconstruct-done-{name}.png")
        open_tab(page, "evaluate")
        page.get_by_role("spinbutton").locator("visible=true").first.fill(str(EVALUATED_PARTS))
        page.locator("#evaluate").click()
        page.wait_for_timeout(SETTLE_MS)
        take(page, folder / f"evaluate-busy-{name}.png")
        page.locator(f"#evaluate{ENABLED}").wait_for()
        take(page, folder / f"evaluate-done-{name}.png")


def train(browser, url: str, folder: Path) -> None:
    """Train a little, photographed once at work; leaves an adapter for what is at rest afterwards."""
    for page, name in views(browser, url):
        open_tab(page, "train")
        if name == "wide-en":
            page.locator("#set-max_steps").locator("input, textarea").fill(str(TRAIN_STEPS))
            page.locator("#set-per_device_train_batch_size").locator("input, textarea").fill("8")
            page.locator("#start").click()
            page.locator("#run-status .cr-pill.active").wait_for()
            page.locator("#loss .scatterlayer .trace").first.wait_for()
        take(page, folder / f"train-busy-{name}.png")
    page = browser.new_page()
    page.set_default_timeout(WAIT_MS)
    page.goto(url)
    open_tab(page, "train")
    page.locator("#run-status .cr-pill.done").wait_for()
    page.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--url", help="of an app that is open already")
    parser.add_argument("--busy", action="store_true", help="also at work: rebuild, evaluate, train (minutes)")
    parser.add_argument("--file", type=Path, help="what --busy rebuilds; without it, a sample")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as empty, sync_playwright() as playwright:
        app = None if given.url else App(Path(empty) / "runs", free_port()).start()
        browser = playwright.chromium.launch(executable_path=find_browser(), args=BROWSER_ARGUMENTS)
        try:
            url = given.url or app.url
            at_rest(browser, url, given.folder, "empty")
            if given.busy:
                train(browser, url, given.folder)
                at_rest(browser, url, given.folder, "done")
                at_work(browser, url, given.folder, given.file)
        finally:
            browser.close()
            if app:
                app.stop()


if __name__ == "__main__":
    main()
