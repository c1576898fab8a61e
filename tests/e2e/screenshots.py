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
LANGUAGES = {"en": ("/", "Done in"), "zh": ("/zh", "完成，")}
TABS = ("reconstruct", "train", "evaluate", "adapters")
SETTLE_MS = 2500  # fonts, plots and 3D views


def take(page: Page, path: Path) -> None:
    """The whole page, its 3D views drawn: they draw only while they are on screen, so the screen becomes the page."""
    width = page.viewport_size["width"]
    height = page.evaluate("document.documentElement.scrollHeight")
    page.set_viewport_size({"width": width, "height": max(height, 400)})
    page.wait_for_timeout(SETTLE_MS)
    page.screenshot(path=path)
    overflow = page.evaluate("document.documentElement.scrollWidth") - width
    print(f"{path.name}: {width} x {height}" + (f", {overflow} pixels too wide" if overflow > 0 else ""))


def photograph(browser, url: str, folder: Path, *, rebuild: bool) -> None:
    """All tabs in all widths and languages."""
    for language, (path, done) in LANGUAGES.items():
        for size, (width, height) in WIDTHS.items():
            page = browser.new_page(viewport={"width": width, "height": height}, locale=language)
            page.goto(f"{url}{path}")
            page.locator("#numbers .cr-lead").wait_for(timeout=60_000)
            for index, tab in enumerate(TABS):
                page.set_viewport_size({"width": width, "height": height})
                page.get_by_role("tab").nth(index).click()
                page.wait_for_timeout(SETTLE_MS)
                take(page, folder / f"{tab}-{size}-{language}.png")
            if rebuild:
                page.set_viewport_size({"width": width, "height": height})
                page.get_by_role("tab").nth(0).click()
                page.locator("#samples button").nth(1).click()
                page.wait_for_timeout(SETTLE_MS)
                page.locator("#rebuild").click()
                page.get_by_text(done).first.wait_for(timeout=120_000)
                page.locator("#download-step:not([disabled])").wait_for(timeout=60_000)
                take(page, folder / f"rebuilt-{size}-{language}.png")
            page.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--url", help="of an app that is open already")
    parser.add_argument("--rebuild", action="store_true", help="also rebuild a sample, which needs the embedded base")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as empty, sync_playwright() as playwright:
        app = None if given.url else App(Path(empty) / "runs", free_port()).start()
        browser = playwright.chromium.launch(executable_path=find_browser(), args=BROWSER_ARGUMENTS)
        try:
            photograph(browser, given.url or app.url, given.folder, rebuild=given.rebuild)
        finally:
            browser.close()
            if app:
                app.stop()


if __name__ == "__main__":
    main()
