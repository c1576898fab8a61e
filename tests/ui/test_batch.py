"""Many scans: each a row, a failure too, and one zip at the end."""

import re
import zipfile

import numpy as np
import pytest

from cadrecode.config import ReconstructConfig
from cadrecode.errors import CadrecodeError
from cadrecode.ui.batch import actions as batching
from cadrecode.ui.batch import tab
from cadrecode.ui.batch.items import BatchItem, worst_first
from cadrecode.ui.words.text import Words

EN = Words("en")
QUICK = ReconstructConfig(source="model", candidates=2, seconds=0)


@pytest.fixture
def plate(tmp_path):
    rng = np.random.default_rng(0)
    points = rng.uniform(-0.5, 0.5, (2000, 3))
    points[np.arange(2000), rng.integers(0, 3, 2000)] = rng.choice((-0.5, 0.5), 2000)
    path = tmp_path / "plate.xyz"
    np.savetxt(path, points * (80, 40, 8))
    return path


def run(job, services, stop=lambda: False):
    return list(batching.rebuild_all(job, services, EN, lambda *progress: None, stop))


def test_a_failure_is_a_row_and_the_others_go_on(plate, tmp_path, services):
    broken = tmp_path / "broken.xyz"
    broken.write_text("1 2 3\n" * 9)
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as out:
        out.write(plate, "folder/in the zip.xyz")
        out.writestr("readme.md", "x")
    job = batching.gather([broken, plate, tmp_path / "more.zip", tmp_path / "b.exe"], tmp_path / "out", QUICK)
    seen = run(job, services)
    assert [row.state for row in seen[0]] == ["waiting"] * 3 + ["failed"] * 2
    assert seen[1][0].state == "working"
    last = seen[-1]
    assert [row.name for row in last] == ["broken.xyz", "plate.xyz", "in the zip.xyz", "readme.md", "b.exe"]
    assert [row.state for row in last] == ["failed", "done", "done", "failed", "failed"]
    assert "points" in last[0].why
    assert (last[1].within, last[1].tolerance) == (1.0, 0.5)
    assert [row.state for row in worst_first(last)] == ["failed"] * 3 + ["done"] * 2
    assert tab.summary(last, EN) == "2 rebuilt, 3 failed."
    assert tab.summary(seen[0], EN).startswith("0 rebuilt, 2 failed. 3 left: Rebuild all goes on")
    cells = tab.cells(last, "mm", EN)
    assert cells[1][:2] == ["plate.xyz", "done"]
    assert (str(cells[1][2]), cells[0][2]) == ("good match", "–")
    assert cells[1][3] == "100 % within 0.5 mm"

    packed = zipfile.ZipFile(batching.pack(last, tmp_path / "all.zip", "mm", EN))
    names = packed.namelist()
    assert {"002-plate/plate.step", "002-plate/plate.py", "002-plate/plate_report.html", "failed.txt"} <= set(names)
    assert "003-in_the_zip/in_the_zip.step" in names
    page = packed.read("index.html").decode()
    for link in re.findall('href="([^"]+)"', page):
        assert link in names
    assert page.count("data:image/webp") == 2
    assert page.index("broken.xyz") < page.index("plate.xyz")


def test_a_batch_goes_on_where_it_ended(plate, tmp_path, services, typist):
    job = batching.gather([plate], tmp_path / "out", QUICK)
    first = run(job, services)[-1]
    asked = len(typist.asked)
    again = run(batching.gather([plate], tmp_path / "more", QUICK), services)[-1]
    assert again == first
    assert len(typist.asked) == asked
    run(batching.gather([plate], tmp_path / "other", QUICK.model_copy(update={"seed": 7})), services)
    assert len(typist.asked) == asked + 1


def test_a_doubtful_unit_is_a_remark(plate, tmp_path, services):
    small = tmp_path / "small.xyz"
    np.savetxt(small, np.loadtxt(plate) / 1000)
    row = run(batching.gather([small], tmp_path / "out", QUICK), services)[-1][0]
    assert "metres" in tab.cells([row], "mm", EN)[0][-1]


def test_a_stop_ends_after_the_scan_that_is_under_way(plate, tmp_path, services):
    job = batching.gather([plate, plate], tmp_path / "out", QUICK)
    stops = iter([False] * 3 + [True] * 1000)
    last = run(job, services, lambda: next(stops))[-1]
    assert last[1].state == "waiting"


def test_the_scan_under_way_at_a_stop_waits_where_there_is_no_part_of_it_yet(plate, tmp_path, services, monkeypatch):
    def stopped(*args):
        raise CadrecodeError("Stopped before there was a program.")

    monkeypatch.setattr(batching, "_rebuilt", stopped)
    stops = iter([False, True])
    last = run(batching.gather([plate, plate], tmp_path / "out", QUICK), services, lambda: next(stops))[-1]
    assert [row.state for row in last] == ["waiting", "waiting"]
    assert (
        tab.summary(last, EN) == "0 rebuilt, 0 failed. 2 left: Rebuild all goes on with them, and keeps what is done."
    )


def test_nothing_to_do_is_said_and_a_zip_of_nothing_is_none(tmp_path, services):
    with pytest.raises(CadrecodeError, match="Drop several files"):
        batching.gather([], tmp_path, QUICK)
    with pytest.raises(CadrecodeError, match=r"a\.exe"):
        batching.gather([tmp_path / "a.exe"], tmp_path, QUICK)
    assert batching.pack([BatchItem("a", "failed")], tmp_path / "a.zip", "mm", EN) is None


def test_a_persons_tolerance_is_that_of_every_row(plate, tmp_path, services):
    job = batching.gather([plate], tmp_path / "out", QUICK, tolerance=2.5)
    row = run(job, services)[-1][0]
    assert row.tolerance == 2.5
    assert tab.cells([row], "mm", EN)[0][3] == "100 % within 2.5 mm"
    other = run(batching.gather([plate], tmp_path / "more", QUICK, tolerance=1.5), services)[-1][0]
    assert other.tolerance == 1.5  # not the row of before
