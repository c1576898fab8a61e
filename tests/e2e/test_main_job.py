"""The main job in a real browser: fine-tune by clicking, merge, download, rebuild a part, download a STEP that fits."""

import io
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cadrecode.cloud import read_cloud
from cadrecode.kernel import shared_sandbox

pytestmark = pytest.mark.e2e

STEPS = 16
TRAIN_SECONDS = 240
REBUILD_SECONDS = 120
HAS_LOSS = "() => document.querySelector('#loss .js-plotly-plot')?.data?.length"
IS_VALID = "() => document.querySelector('#numbers').innerText.includes('valid solid')"


@pytest.fixture(scope="session")
def block(tmp_path_factory) -> Path:
    """A scan of a stepped block, 84 x 52 x 36 mm, away from the origin."""
    rng = np.random.default_rng(1)
    lower, upper = _box(rng, 6000, (84, 52, 20)), _box(rng, 4000, (40, 52, 16))
    points = np.concatenate((lower + np.array((0, 0, 10)), upper + np.array((-22, 0, 28))))
    path = tmp_path_factory.mktemp("scan") / "stepped block.xyz"
    np.savetxt(path, points + rng.normal(0, 0.03, points.shape) + (120, -40, 7), fmt="%.4f")
    return path


def _box(rng, count, size):
    points = rng.uniform(-0.5, 0.5, (count, 3))
    points[np.arange(count), rng.integers(0, 3, count)] = rng.choice((-0.5, 0.5), count)
    return points * size


def open_tab(page, name):
    page.get_by_role("tab", name=name, exact=True).click()


def fill(page, field, value):
    page.locator(f"{field} input, {field} textarea").fill(str(value))


def losses(page) -> int:
    """How many entries the loss curve shows."""
    return page.evaluate(
        "() => { const plot = document.querySelector('#loss .js-plotly-plot');"
        " return plot && plot.data && plot.data.length ? plot.data[0].x.length : 0 }"
    )


DRAWN = (
    50  # colours of a 3D view with a part in it: an empty view has 1, the plainest part here (a flat plate) about 200
)


def colours(page, place: str) -> int:
    """How many colours a 3D view has drawn; an empty one has one."""
    view = page.locator(f"{place} canvas")
    view.scroll_into_view_if_needed()
    return len(Image.open(io.BytesIO(view.screenshot())).convert("RGB").getcolors(1 << 24))


def test_the_main_job(page, app, block, tmp_path):
    page.goto(app.url)

    # Something useful is there before the first click.
    page.get_by_text("mean deviation of the points").wait_for(timeout=60_000)
    page.wait_for_function(IS_VALID, timeout=60_000)

    # Train with the quickstart's settings, but few steps.
    open_tab(page, "Train")
    fill(page, "#set-max_steps", STEPS)
    fill(page, "#run-name", "trial")
    page.get_by_role("button", name="All settings").click()
    fill(page, "#set-max_train_samples", 100)
    fill(page, "#set-max_eval_samples", 20)
    page.locator("#start").click()
    page.locator("#run-status").get_by_text("trial").wait_for(timeout=30_000)
    page.wait_for_function(HAS_LOSS, timeout=TRAIN_SECONDS * 1000)

    # Reload in the middle: it is still there.
    page.reload()
    open_tab(page, "Train")
    page.locator("#run-status").get_by_text("trial").wait_for(timeout=30_000)
    page.wait_for_function(HAS_LOSS, timeout=30_000)
    assert losses(page) >= 1
    page.locator("#run-status .cr-pill.done").wait_for(timeout=TRAIN_SECONDS * 1000)
    assert f"step {STEPS} / {STEPS}" in page.locator("#run-status").inner_text()
    assert losses(page) >= 2

    # Merge, and download the merged model.
    open_tab(page, "Adapters")
    page.locator("#merge").click()
    page.locator("#merge-progress").get_by_text("Merged and verified").wait_for(timeout=120_000)
    page.locator("#pack-merged:not([disabled])").click()
    page.locator("#merge-progress").get_by_text("Ready:").wait_for(timeout=60_000)
    with page.expect_download(timeout=60_000) as coming:
        page.locator("#adapter-file a[download]").first.click()
    archive = zipfile.ZipFile(coming.value.path())
    assert archive.testzip() is None
    assert {"config.json", "model.safetensors", "tokenizer_config.json"} <= set(archive.namelist())
    page.locator("#adapter-use").click()
    page.locator("#merge-progress").get_by_text("trial").wait_for(timeout=60_000)

    # Rebuild a scan. A model that has seen sixteen steps of brackets is no help with blocks: back to the base.
    page.locator("#adapter-back").click()
    page.locator("#merge-progress").get_by_text("In use: embedded").wait_for(timeout=60_000)
    open_tab(page, "Reconstruct")
    rebuild_and_check(page, block, tmp_path)


@pytest.mark.parametrize("name", ["scans/061_foam_brick.ply", "parts/trimesh__models__plate_holes.stl"])
def test_a_real_scan_and_a_real_mesh_become_steps_that_fit(page, app, shared_data, tmp_path, name):
    page.goto(app.url)
    page.locator("#numbers .cr-lead").wait_for(timeout=60_000)
    rebuild_and_check(page, shared_data / name, tmp_path)


def rebuild_and_check(page, file: Path, folder: Path) -> None:
    """Upload, rebuild, see the part, download a STEP whose box is the upload's within 10 %."""
    page.locator("#cloud-file input[type=file]").set_input_files(file)
    page.locator("#cloud-facts").get_by_text(file.name).wait_for(timeout=30_000)
    page.locator("#rebuild").click()
    page.get_by_text(re.compile(r"^Done in")).wait_for(timeout=REBUILD_SECONDS * 1000)
    page.wait_for_function(IS_VALID, timeout=60_000)
    page.wait_for_timeout(1500)  # the viewer turns the file into triangles
    assert colours(page, "#result") > DRAWN

    with page.expect_download(timeout=60_000) as coming:
        page.locator("#download-step").click()
    assert coming.value.suggested_filename == f"{file.stem.replace(' ', '_')}.step"
    step = folder / "part.step"
    coming.value.save_as(step)
    vertices, _ = shared_sandbox().tessellate(step)
    scanned = read_cloud(file).points
    size = np.ptp(scanned, axis=0)
    np.testing.assert_allclose(vertices.min(0), scanned.min(0), atol=0.1 * size.max())
    np.testing.assert_allclose(np.ptp(vertices, axis=0), size, rtol=0.1)
