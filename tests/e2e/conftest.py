"""A real browser and the real app, as a person has them."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--use-gl=angle",  # WebGL in software: the parts are really drawn
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-background-networking",
]
OPEN_WITHIN_SECONDS = 60
CLOSE_WITHIN_SECONDS = 15  # 1.3 on a quiet machine
SIZES = {"narrow": (390, 844), "wide": (1440, 900)}


def fill(page, field, value) -> None:
    """Write into the text or number box of a component."""
    page.locator(f"{field} input, {field} textarea").fill(str(value))


def slide(page, field, value) -> None:
    """Write into the number beside a slider, again and again until the slider has moved: only then the app knows it.

    A page that has just made the slider can write the value that it held over the first one.
    """
    from playwright.sync_api import expect

    handle, number = page.locator(f"{field} input[type=range]"), page.locator(f"{field} input[type=number]")
    for patience in (5_000, 10_000, 45_000):
        number.fill(str(value))
        number.press("Tab")
        try:
            expect(handle).to_have_value(str(value), timeout=patience)
            return
        except AssertionError as no:
            said = no
    raise said


def upload(page, button, file) -> None:
    """Press an upload button and choose a file."""
    with page.expect_file_chooser() as chooser:
        page.locator(button).click()
    chooser.value.set_files(file)


def find_browser() -> str | None:
    """The system's Chromium."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


@dataclass
class App:
    """`python app.py` in a process of its own."""

    runs_dir: Path
    port: int
    process: subprocess.Popen | None = None
    arguments: tuple[str, ...] = ()
    launcher: tuple[str, ...] = ()  # of Python, before app.py
    opened_cpu_seconds: float = 0.0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> "App":
        """Open the app; returns once its page answers."""
        began = time.monotonic()
        command = [sys.executable, *self.launcher, "app.py", "--port", str(self.port), "--runs_dir", str(self.runs_dir)]
        command += self.arguments
        self.log = (self.runs_dir.parent / "app.log").open("ab")
        self.process = subprocess.Popen(
            command, cwd=REPOSITORY, stdout=self.log, stderr=subprocess.STDOUT, start_new_session=True
        )
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                break
            except OSError:
                assert self.process.poll() is None, self.terminal()
                assert time.monotonic() - began < OPEN_WITHIN_SECONDS, self.terminal()
                time.sleep(0.05)
        self.opened_cpu_seconds = self.cpu_seconds()
        return self

    def cpu_seconds(self) -> float:
        """Processor time of the process so far; only Linux tells."""
        stat = Path(f"/proc/{self.process.pid}/stat")
        if not stat.is_file():
            return 0.0
        user, system = stat.read_text().rsplit(")", 1)[1].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def terminal(self) -> str:
        """What it wrote to its terminal."""
        return (self.runs_dir.parent / "app.log").read_text(encoding="utf-8", errors="replace")

    def stop(self) -> None:
        """Close it as a person does, with Ctrl-C."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(CLOSE_WITHIN_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()  # until its port is free
        self.log.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def browser():
    """Chromium, driven by Playwright."""
    path = find_browser()
    if path is None:
        assert not os.environ.get("CI"), f"CI installs a browser, yet none of {BROWSERS} is there"
        pytest.skip(f"needs a browser: none of {', '.join(BROWSERS)} is installed (Debian: apt install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=BROWSER_ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    """The app on a free port, with an empty folder of runs."""
    runs_dir = tmp_path_factory.mktemp("app") / "runs"
    running = App(runs_dir, free_port()).start()
    yield running
    running.stop()


@pytest.fixture
def page(browser, app):
    """A fresh visitor at a wide screen. Requests that leave the machine and errors of the page fail the test."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-US", accept_downloads=True)
    visitor = context.new_page()
    outside, broken = [], []
    visitor.on("request", lambda r: outside.append(r.url) if _leaves(r.url) else None)
    visitor.on("pageerror", lambda error: broken.append(str(error)))
    yield visitor
    context.close()
    assert outside == []
    assert broken == []
    assert "A handler failed" not in app.terminal(), app.terminal()


@pytest.fixture
def opened(page, app):
    """The Reconstruct tab with its sample part drawn."""
    page.goto(app.url)
    page.locator("#download-step:not([disabled])").wait_for(timeout=240_000)
    return page


def _leaves(url: str) -> bool:
    return not url.startswith(("http://127.0.0.1:", "data:", "blob:"))
