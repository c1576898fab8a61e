"""The page of an evaluation: every row is on it, names are text, nothing is fetched, and shapes are what they were."""

import base64
import gzip
import re
from dataclasses import asdict

import numpy as np
import pytest

from cadrecode.evaluation import report_of
from cadrecode.formats.mesh_write import write_stl
from cadrecode.program import build, mesh_of, parse
from cadrecode.report import turnable
from cadrecode.report.page import cloud_of, evaluation_page, write_report
from cadrecode.report.series import good_matches, scores, series_of, verdicts
from cadrecode.scans import SWEEP, Scan
from cadrecode.scoring.targets import seed_of
from cadrecode.trial import summarise
from cadrecode.ui.words.text import Words

BLOCK = "import cadquery as cq\nr=cq.Workplane('XY').box(200,100,40)"
SHORT = "import cadquery as cq\nr=cq.Workplane('XY').box(180,100,40)"
NASTY = """<b onclick='alert(1)'>&"x" """


@pytest.fixture
def targets(tmp_path):
    """Three equal blocks; one of them has a name that is markup."""
    (tmp_path / "targets").mkdir()
    for name in ("a", "b", NASTY):
        write_stl(tmp_path / "targets" / f"{name}.stl", *mesh_of(build(parse(BLOCK))))
    return tmp_path / "targets"


def row(id, iou, program=BLOCK, outcome="ok"):
    cd = 0.2 if outcome == "ok" else None
    return {"id": id, "iou": iou, "cd": cd, "outcome": outcome, "program": program, "bbox_error": 0.0, "seconds": 1.0}


def evaluated(targets, rows):
    return report_of(rows, targets, candidates=1, seed=3)


def test_every_row_is_there_names_are_text_and_nothing_is_fetched(targets, tmp_path):
    report = evaluated(targets, [row("a", 1.0), row("b", 0.9, SHORT), row(NASTY, 0.0, "r=(", "syntax error")])
    report["skipped"] = [{"id": "<b>open</b>", "reason": "The mesh is <i>open</i>."}]
    page = write_report(tmp_path / "new" / "folder", [("embedded", report)], commands=["cadrecode evaluate '<x>'"])
    text = page.read_text(encoding="utf-8")
    assert page.name == "index.html"
    assert text.count("<article") == 3
    for words in ("1.000", "0.900", "syntax error", "seed</th><td>3", "cadrecode evaluate &#39;&lt;x&gt;&#39;"):
        assert words in text
    assert NASTY not in text
    assert "<b>open" not in text
    assert "<i>open" not in text
    assert not re.search(r"https?://|<(link|img|iframe)|\ssrc=|\shref=|@import|url\(", text)
    assert text.index("syntax error") < text.index(">b</h3>") < text.index(">a</h3>")  # the worst first


@pytest.mark.parametrize("reports", [[], [("embedded", {"targets": "none", "shapes": [], "skipped": []})]])
def test_it_opens_without_results(reports):
    text = evaluation_page(reports)
    assert "No shape was scored." in text
    assert "<article" not in text
    assert text.rstrip().endswith("</html>")


def test_the_worst_and_the_best_of_many_are_drawn_and_all_are_listed(monkeypatch):
    monkeypatch.setattr("cadrecode.report.page.WORST", 2)
    monkeypatch.setattr("cadrecode.report.page.BEST", 1)
    rows = [row(f"part {i}", i / 9) for i in range(10)]
    text = evaluation_page([("embedded", evaluated("gone", rows))])  # the targets were deleted since
    assert re.findall(r"<h3>(.*?)</h3>", text) == ["part 0", "part 1", "part 9"]
    assert all(f'<th scope="row">part {i}</th>' in text for i in range(10))
    assert "The worst 2 and the best 1 of 10." in text


def test_each_step_has_a_column_with_the_interval_of_its_rows():
    rows = [row("a", 0.5) | {f"{step}_{key}": value for step in ("single", "fit") for key, value in row("a", x).items()}
            for x in (0.2, 0.6)]  # fmt: skip
    report = report_of(rows, "x", candidates=4, seed=0, fit_seconds=2.0)
    columns = series_of([("embedded", report)])
    assert [column.name for column in columns] == ["single sample", "best of 4", "fitted"]
    table = dict(scores(columns))
    poor, good = ("0.400", "0.200 – 0.600"), ("0.500", "0.500 – 0.500")
    assert table["mean IoU, failures 0"] == [poor, good, poor]
    assert table["bounding box within 0.5 %"][0] == ("100.0 %", "100.0 – 100.0")
    assert "F-score at 1 %" not in table
    assert [column.name for column in series_of([("one", report), ("two", report)])][3] == "two: single sample"


def swept(targets, verdict="good_match"):
    """The same poor result for each kind of scan."""
    own = {"verdict": verdict, "genus": 0, "true_genus": 0, "source": "sections", "characters": 9, "numbers": 3}
    rows = [row("a", 0.9, SHORT) | own]
    settings = {"targets": str(targets), "from": "measured", "input": "cloud", "seed": 0, "seconds": 5, "skipped": []}
    return [("", settings | asdict(scan) | summarise(rows) | {"shapes": rows}) for scan in SWEEP]


def test_a_sweep_has_a_line_for_each_kind_of_scan_and_shows_wrong_good_matches(targets):
    text = evaluation_page(swept(targets), sweep=True, said=Words("zh").said, language="zh")
    assert text.count("<circle") == len(SWEEP)
    assert text.count('class="wrong"><title>') == len(SWEEP)
    assert 'class="good"><title>' not in text
    assert "噪声 0.25%" in text
    assert "单" not in re.search(r"<title>(.*?)</title>", text)[1]
    assert text.count("<article") == len(SWEEP)
    assert "1, 0</td>" in text


def test_verdicts_are_counted_by_true_iou():
    pairs = [("good_match", 0.99), ("good_match", 0.96), ("no_match", 0.1), ("details_missing", 1.0)]
    counts = verdicts(pairs)
    assert counts["good_match"] == [0, 0, 0, 0, 1, 0, 1]
    assert counts["details_missing"][-1] == counts["no_match"][0] == 1
    assert good_matches([{"verdict": verdict, "iou": iou} for verdict, iou in pairs]) == (2, 1)


def unpacked(text):
    content = gzip.decompress(base64.b64decode(text))
    (farthest,) = np.frombuffer(content, "<f4", 1)
    places, faces, edges = np.frombuffer(content, "<u4", 3, 4).astype(int)
    triangles = np.frombuffer(content, "<u4", 3 * faces, 16).reshape(-1, 3).astype(int)
    whole = np.frombuffer(content, "<i2", 3 * places, 16 + 12 * faces + 8 * edges).reshape(-1, 3)
    return whole / turnable.STEPS * farthest, triangles, edges


def test_a_packed_mesh_is_the_mesh():
    vertices, faces = mesh_of(build(parse(BLOCK)))
    places, triangles, edges = unpacked(turnable.packed_mesh(vertices + 7, faces))
    corners = vertices[faces].reshape(-1, 9)
    drawn = places[triangles].reshape(-1, 9)
    assert edges == 12
    assert np.abs(np.sort(drawn, axis=0) - np.sort(corners, axis=0)).max() < 0.01
    assert turnable.packed_mesh(vertices, np.tile(faces, (2000, 1))) == ""  # too large, and not closed


def test_the_points_are_those_that_were_rebuilt_from(targets):
    vertices, faces = mesh_of(build(parse(BLOCK)))
    scan = Scan(512, 0.01, "holes")
    report = {"seed": 4, **asdict(scan)}
    assert (cloud_of(report, "a", (vertices, faces)) == scan.of(vertices, faces, seed_of("a", 4))).all()
    assert cloud_of(report | {"input": "mesh"}, "a", (vertices, faces)) is None
    assert len(cloud_of({"seed": 4}, "a", (vertices, faces))) == 8192
