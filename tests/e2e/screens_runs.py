"""Train, Evaluate and Adapters with nothing, at work, done and failed: small pictures for docs/, to be looked at.

python -m tests.e2e.screens_runs docs    (minutes: it trains a little, by clicking)
"""

import argparse
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

from cadrecode.ui.words.text import Words
from tests.e2e.conftest import BROWSER_ARGUMENTS, SIZES, App, fill, find_browser, free_port, slide, upload

SHADES = 96  # colours kept: a quarter of the bytes, and nothing that the eye misses
WAIT_MS = 300_000
SETTLE_MS = 2500
TRAINED = {"max_steps": 24, "per_device_train_batch_size": 8}


class Screens:
    """Opens tabs of one app and photographs them.

    Args:
        folder: where <tab>-<state>-<size>-<language>.png go.
    """

    def __init__(self, browser, app: App, folder: Path):
        self.browser, self.app, self.folder = browser, app, folder

    def open(self, tab: str, size: str = "wide", language: str = "en", dark: bool = False) -> Page:
        width, height = SIZES[size]
        page = self.browser.new_page(
            viewport={"width": width, "height": height}, locale=language, color_scheme="dark" if dark else "light"
        )
        page.set_default_timeout(WAIT_MS)
        page.goto(self.app.url + ("/" if language == "en" else "/zh") + ("?__theme=dark" if dark else ""))
        page.get_by_role("tab", name=Words(language)(f"tab.{tab}"), exact=True).click()
        page.wait_for_timeout(SETTLE_MS)
        return page

    def take(self, page: Page, name: str) -> None:
        page.wait_for_timeout(SETTLE_MS)
        path = self.folder / f"{name}.png"
        page.screenshot(path=path, full_page=True, timeout=WAIT_MS)
        Image.open(path).convert("RGB").quantize(SHADES).save(path, optimize=True)
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB", flush=True)

    def at_rest(self, state: str, size: str = "wide", language: str = "en", dark: bool = False) -> None:
        """All three tabs as they are found."""
        for tab in ("train", "evaluate", "adapters"):
            page = self.open(tab, size, language, dark)
            if tab == "evaluate" and state == "done":
                page.locator(".js-plotly-plot:visible .point").first.wait_for(state="attached")
            self.take(page, f"{tab}-{state}-{size}-{language}{'-dark' if dark else ''}")
            page.close()


def train(screens: Screens) -> None:
    """A small run: its picture at work and when it is done."""
    page = screens.open("train")
    for setting, value in TRAINED.items():
        fill(page, f"#set-{setting}", value)
    fill(page, "#run-name", "brackets-small")
    page.get_by_role("button", name="All settings").click()
    for setting, value in {"max_train_samples": 200, "eval_steps": 8, "save_steps": 8, "logging_steps": 2}.items():
        fill(page, f"#set-{setting}", value)
    page.get_by_role("button", name="All settings").click()
    page.get_by_role("button", name="Look at the data").click()
    page.locator("#data-draw").click()
    page.locator("#data-preview img").first.wait_for()
    page.locator("#start").click()
    expect(page.locator("#film img")).to_have_count(3 * 3, timeout=WAIT_MS)
    screens.take(page, "train-busy-wide-en")
    page.locator("#run-status .cr-pill", has_text="done").wait_for()
    screens.take(page, "train-done-wide-en")
    page.close()


def train_in_vain(screens: Screens, bad: Path) -> None:
    """A run on programs of which none is usable."""
    page = screens.open("train")
    page.get_by_text("my own parts").click()
    fill(page, "#data-path", bad)
    fill(page, "#run-name", "broken")
    page.locator("#start").click()
    page.locator("#run-status b", has_text="broken").wait_for()  # the run before may have a red word, too
    page.locator("#run-status .cr-pill.failed").wait_for()
    screens.take(page, "train-failed-wide-en")
    page.close()


def evaluate(screens: Screens) -> None:
    page = screens.open("evaluate")
    page.locator("#evaluate-models").get_by_text("brackets-small", exact=True).click()
    fill(page, "#evaluate-limit", 12)
    slide(page, "#evaluate-fit", 1)
    page.locator("#evaluate").click()
    page.wait_for_timeout(SETTLE_MS)
    screens.take(page, "evaluate-busy-wide-en")
    page.locator("#evaluate-parts img").first.wait_for()
    screens.take(page, "evaluate-done-wide-en")
    page.close()


def evaluate_in_vain(screens: Screens) -> None:
    """An evaluation on parts that are not there; the one before stays."""
    page = screens.open("evaluate")
    page.locator("#evaluate-parts img").first.wait_for()
    page.get_by_text("a folder on this machine").click()
    page.get_by_label("Folder, STEP file or .npz").fill("/parts/that/are/not/there")
    page.locator("#evaluate").click()
    page.locator("#evaluate-progress .cr-bad").wait_for()
    screens.take(page, "evaluate-failed-wide-en")
    page.close()


def hand_on(screens: Screens, bad: Path) -> None:
    page = screens.open("adapters")
    page.locator("#merge").click()
    page.locator("#merge-progress .cr-bar").wait_for()
    page.screenshot(path=screens.folder / "adapters-busy-wide-en.png")
    page.get_by_text("Merged and verified").wait_for()
    page.locator("#pack-adapter").click()
    page.locator("#adapter-file a").first.wait_for()
    screens.take(page, "adapters-done-wide-en")
    upload(page, "#import-adapter", bad)
    page.locator("#merge-progress .cr-bad").wait_for()
    screens.take(page, "adapters-failed-wide-en")
    page.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as made, sync_playwright() as playwright:
        bad = Path(made) / "bad"
        bad.mkdir()
        for i in range(3):
            (bad / f"part{i}.py").write_text("import cadquery as cq\nr=cq.Workplane('XY').box(200,")
        (Path(made) / "no-adapter.zip").write_bytes(b"this is no zip file")
        app = App(Path(made) / "runs", free_port()).start()
        browser = playwright.chromium.launch(executable_path=find_browser(), args=BROWSER_ARGUMENTS)
        screens = Screens(browser, app, folder)
        try:
            screens.at_rest("empty")
            train(screens)
            evaluate(screens)
            hand_on(screens, Path(made) / "no-adapter.zip")
            screens.at_rest("done", "narrow", "zh")
            screens.at_rest("done", dark=True)
            train_in_vain(screens, bad)
            evaluate_in_vain(screens)
        finally:
            browser.close()
            app.stop()


if __name__ == "__main__":
    main()
