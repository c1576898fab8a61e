"""Reconstruct and Batch with nothing, at work, done and failed, and a reconstruction as a short film, for docs/.

python -m tests.e2e.screenshots docs    (two minutes; look at them before handing over)
"""

import argparse
import io
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from tests.e2e.conftest import BROWSER_ARGUMENTS, REPOSITORY, App, find_browser, free_port
from tests.e2e.screens_runs import Screens

CLOUDS = REPOSITORY / "assets" / "clouds"
READY = "#download-step:not([disabled])"
VIEWS = (("wide", "en", False), ("narrow", "zh", False), ("wide", "zh", True))  # size, language, dark
SAMPLE = 3
DRAW_MS = 3500  # until 3D views, drawn without a graphics card, are there
FILM_SIZE, FILM_WIDTH = (1440, 900), 800
NO_TOUR = "localStorage.setItem('cadrecode_tour', 'seen')"


class ColourScreens(Screens):
    """The colours of a deviation map need more than a palette: WebP instead of PNG."""

    def take(self, page: Page, name: str) -> None:
        page.wait_for_timeout(DRAW_MS)
        path = self.folder / f"{name}.webp"
        shown = Image.open(io.BytesIO(page.screenshot(full_page=True, timeout=300_000))).convert("RGB")
        shown.save(path, quality=70, method=6)
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB", flush=True)


def whole(page: Page) -> None:
    """3D views draw only while they are on screen, so the screen becomes the page."""
    size = page.viewport_size
    page.set_viewport_size({"width": size["width"], "height": page.evaluate("document.documentElement.scrollHeight")})
    page.wait_for_timeout(DRAW_MS)


def reconstruct(screens: Screens, size: str, language: str, dark: bool) -> None:
    """All four states of Reconstruct."""
    name = f"{size}-{language}{'-dark' if dark else ''}"
    page = screens.open("reconstruct", size, language, dark)
    page.locator(READY).wait_for()
    whole(page)
    screens.take(page, f"reconstruct-empty-{name}")
    page.locator(".cr-tour button:visible").last.click()
    page.locator("#samples button").nth(SAMPLE).click()
    page.locator("#cloud-facts").get_by_text("flange").wait_for()
    page.locator("#rebuild").click()
    page.locator("#cancel:not([disabled])").wait_for()
    screens.take(page, f"reconstruct-busy-{name}")
    page.locator("#rebuild:not([disabled])").wait_for()
    page.locator(READY).wait_for()
    page.mouse.move(0, 0)
    page.locator("#mode label:has([value=deviation])").click()
    whole(page)
    screens.take(page, f"reconstruct-done-{name}")
    page.locator("#open-program").click()
    page.locator("#program .cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text("import cadquery as cq\nr = cq.Workplane('XY').box(10, 20, 'wide')")
    page.locator("#run-program").click()
    page.locator("#program-error .cr-bad").wait_for()
    screens.take(page, f"reconstruct-failed-{name}")
    page.close()


def batch(screens: Screens, size: str, language: str, dark: bool, broken: Path) -> None:
    """All four states of Batch; the last has a failure among what is done."""
    name = f"{size}-{language}{'-dark' if dark else ''}"
    page = screens.open("batch", size, language, dark)
    screens.take(page, f"batch-empty-{name}")
    page.locator("#batch-go").click()
    page.locator("#batch-progress .cr-bad").wait_for()
    screens.take(page, f"batch-failed-{name}")
    page.locator(".toast-body").wait_for(state="detached")  # it goes by itself
    files = [CLOUDS / "flange.npy", broken, CLOUDS / "standoff.xyz", CLOUDS / "channel.ply"]
    page.locator("#batch-files input[type=file]").set_input_files(files)
    page.locator("#batch-files").get_by_text("channel").first.wait_for()
    page.locator("#batch-go").click()
    page.locator("#batch-rows tr").nth(2).wait_for()
    screens.take(page, f"batch-busy-{name}")
    page.locator("#batch-zip:not([disabled])").wait_for()
    page.mouse.move(0, 0)
    screens.take(page, f"batch-done-{name}")
    page.close()


def film(browser, app: App, path: Path) -> None:
    """A sample picked, rebuilt, looked at, one of its numbers moved."""
    width, height = FILM_SIZE
    page = browser.new_page(viewport={"width": width, "height": height}, locale="en")
    page.set_default_timeout(300_000)
    page.add_init_script(NO_TOUR)
    page.goto(app.url)
    page.locator(READY).wait_for()
    page.wait_for_timeout(2 * DRAW_MS)
    frames, times = [], []

    def shoot(milliseconds: int) -> None:
        image = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        frames.append(image.resize((FILM_WIDTH, height * FILM_WIDTH // width), Image.Resampling.LANCZOS))
        times.append(milliseconds)

    shoot(1200)
    page.locator("#samples button").nth(1).click()
    page.wait_for_timeout(1500)
    shoot(1200)
    page.locator("#rebuild").click()
    page.locator("#cancel:not([disabled])").wait_for()
    while page.locator("#rebuild[disabled]").count():
        page.wait_for_timeout(700)
        shoot(350)
    page.locator(READY).wait_for()
    page.wait_for_timeout(DRAW_MS)
    shoot(1800)
    page.locator("#mode label:has([value=deviation])").click()
    page.wait_for_timeout(1200)
    shoot(1800)
    page.locator("#mode label:has([value=solid])").click()
    field = page.locator("#dimensions input[type=number]").nth(3)
    first = float(field.input_value())
    for step in (1.1, 1.2, 1.1, 1.0):
        field.fill(f"{first * step:.1f}")
        field.press("Enter")
        page.wait_for_timeout(1200)
        shoot(500)
    times[-1] = 2500
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=times, loop=0, quality=60, method=6)
    print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB, {len(frames)} pictures", flush=True)
    page.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as empty, sync_playwright() as playwright:
        broken = Path(empty) / "broken.xyz"
        broken.write_text("1 2 3\n" * 9)
        app = App(Path(empty) / "runs", free_port()).start()
        browser = playwright.chromium.launch(executable_path=find_browser(), args=BROWSER_ARGUMENTS)
        try:
            film(browser, app, given.folder / "reconstruction.webp")
            screens = ColourScreens(browser, app, given.folder)
            for view in VIEWS:
                reconstruct(screens, *view)
                batch(screens, *view, broken)
        finally:
            browser.close()
            app.stop()


if __name__ == "__main__":
    main()
