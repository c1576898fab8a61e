"""The fit as a person meets it: its slider, its progress, before and after, the coloured cloud and the report."""

import json
import re

import numpy as np
import pytest
from manifold3d import Manifold
from playwright.sync_api import expect

from cadrecode.cloud import read_cloud, sample_surface
from cadrecode.program import mesh_of

from .conftest import slide

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

REBUILD_SECONDS = 300
FITTED = re.compile(r"both ways <?([\d.,]+) mm \(<?([\d.,]+) mm before the fit\)")
CHANGED = re.compile(r"<?([\d.]+)[^→]*→ <?([\d.]+)")
SEEN = """() => { window.seen = new Set();
  new MutationObserver(() => document.querySelectorAll('[role=status]').forEach(one => window.seen.add(one.innerText)))
    .observe(document.body, {subtree: true, childList: true, characterData: true}); }"""


@pytest.fixture(scope="module")
def bar(tmp_path_factory):
    """A scan of a bar of 90 x 30 x 17 mm, away from the origin."""
    rng = np.random.default_rng(3)
    points = rng.uniform(-0.5, 0.5, (5000, 3))
    points[np.arange(5000), rng.integers(0, 3, 5000)] = rng.choice((-0.5, 0.5), 5000)
    path = tmp_path_factory.mktemp("scan") / "bar.xyz"
    np.savetxt(path, points * (90, 30, 17) + (40, 300, -8), fmt="%.4f")
    return path


@pytest.fixture
def with_bar(page, app, bar):
    return opened(page, app, bar)


def opened(page, app, scan):
    page.goto(app.url)
    page.locator("#download-step:not([disabled])").wait_for(timeout=240_000)
    page.locator("#cloud-file input[type=file]").set_input_files(scan)
    page.locator("#cloud-facts").get_by_text(scan.name).wait_for(timeout=240_000)
    return page


def open_options(page):
    """What lies in a fold is made when it opens."""
    page.get_by_role("button", name="Options").click()


def rebuild(page, seconds: int | None) -> str:
    """Set the slider, if at all, rebuild, and wait for the files. Returns the numbers below the part."""
    if seconds is not None:
        open_options(page)
        slide(page, "#fit-seconds", seconds)
    page.evaluate(SEEN)
    page.locator("#rebuild").click()
    page.get_by_text(re.compile(r"^Done in")).wait_for(timeout=REBUILD_SECONDS * 1000)
    page.locator("#download-step:not([disabled])").wait_for(timeout=300_000)
    return page.locator("#numbers").inner_text()


def captions(page) -> list[str]:
    return page.locator("#candidates button").all_inner_texts()


def test_without_a_fit_there_are_no_numbers_before_it_and_the_legend_is_there_while_the_colours_are(with_bar):
    numbers = rebuild(with_bar, 0)
    assert "both ways" in numbers
    assert "before the fit" not in numbers
    assert captions(with_bar)
    assert all("→" not in caption for caption in captions(with_bar))

    legend, modes = with_bar.locator("#result .cr-legend"), with_bar.locator("#mode")
    assert not legend.is_visible()
    modes.get_by_text("deviation").click()
    legend.get_by_text("0.5 mm inside").wait_for()
    assert legend.locator("rect").count() == 2 * 27  # a colour and a bar for each step
    with_bar.locator("#numbers input").fill("0.2")
    with_bar.locator("#numbers input").press("Enter")
    legend.get_by_text("0.2 mm outside").wait_for(timeout=240_000)
    modes.get_by_text("solid").click()
    legend.wait_for(state="hidden")


def test_with_a_fit_the_numbers_before_and_after_are_told_and_the_files_are_those_of_the_chosen_part(
    page, app, tmp_path
):
    """A slanted pin through a bar: no section shows it as it is, so that there is something to fit."""
    solid = Manifold.cube((90, 30, 17), True) + Manifold.cylinder(60, 7, 7, 48, True).rotate((35, 25, 0))
    points, _ = sample_surface(*mesh_of(solid), 5000, 0)
    np.savetxt(tmp_path / "slanted.xyz", points, fmt="%.4f")
    with_bar = opened(page, app, tmp_path / "slanted.xyz")
    open_options(with_bar)
    assert with_bar.locator("#fit-seconds input[type=number]").input_value() == "6"  # as ReconstructConfig has it
    slide(with_bar, "#fit-seconds", 25)  # by the clock, and the machine has other things to do
    rebuild(with_bar, None)
    stages = " ".join(with_bar.evaluate("() => [...window.seen]"))
    for stage in ("writing programs", "fitting to the cloud", "checking in OpenCASCADE"):
        assert stage in stages
    fitted, caption = next((i, caption) for i, caption in enumerate(captions(with_bar)) if "→" in caption)
    with_bar.locator("#candidates button").nth(fitted).click()
    with_bar.wait_for_function("() => document.querySelector('#numbers').innerText.includes('before the fit')")
    after, before = FITTED.search(with_bar.locator("#numbers").inner_text()).groups()
    assert CHANGED.search(caption).groups() == (before, after)

    other = 1 if fitted == 0 else 0
    with_bar.locator("#open-program").click()
    program, best = with_bar.locator("#program .cm-content"), with_bar.locator("#program .cm-content").inner_text()
    with_bar.locator("#candidates button").nth(other).click()
    expect(program).not_to_have_text(best, use_inner_text=True)
    with_bar.locator("#candidates button").nth(fitted).click()  # while the files of the other are made
    expect(program).to_have_text(best, use_inner_text=True)
    with_bar.locator(".cr-numbers-side .cr-fold > button").click()
    with with_bar.expect_download(timeout=300_000) as coming:
        with_bar.locator("#download-py").click()
    assert coming.value.path().read_text().split() == best.split()


def test_the_coloured_cloud_and_the_report_are_downloads(with_bar, bar, tmp_path):
    rebuild(with_bar, 2)
    with_bar.locator(".cr-numbers-side .cr-fold > button").click()
    for kind, name in (("deviation", "bar_deviation.ply"), ("report", "bar_report.json")):
        with with_bar.expect_download(timeout=300_000) as coming:
            with_bar.locator(f"#download-{kind}").click()
        assert coming.value.suggested_filename == name
        coming.value.save_as(tmp_path / name)
    np.testing.assert_allclose(read_cloud(tmp_path / "bar_deviation.ply").points, read_cloud(bar).points)
    report = json.loads((tmp_path / "bar_report.json").read_text(encoding="utf-8"))
    assert report["source"]["file"] == "bar.xyz"
    assert report["options"]["seconds"] == 2
    assert report["deviation"]["mean"] < 1
    assert np.abs(report["bounding_box"]["relative_difference"]).max() < 0.1
