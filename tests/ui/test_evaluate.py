"""The Evaluate tab's handlers."""

import json
import zipfile
from pathlib import Path

import pytest

from cadrecode.errors import CadrecodeError, DatasetError
from cadrecode.program import build, mesh_of, parse
from cadrecode.ui import evaluation as tab
from cadrecode.ui.text import Words

EN = Words("en")


def evaluated(services, typist, **options):
    said = []
    reports = tab.evaluate(
        "invent:plates", ["base:embedded"], services, lambda *p: said.append(p), lambda: False, limit=3,
        generate=typist.generate, **options,
    )  # fmt: skip
    return reports, said


def test_one_row_a_model_with_failures_counted(services, typist):
    reports, said = evaluated(services, typist)
    ((name, scored),) = reports
    assert (name, scored["n"]) == ("embedded", 3)
    assert said[0] == ("loading", 0, 1)
    assert said[-1] == ("embedded", 3, 3)
    (row,) = tab.rows(reports, EN)
    assert row[:3] == [
        "embedded base",
        "3",
        "0 %" if scored["invalid_ratio"] == 0 else f"{100 * scored['invalid_ratio']:.0f} %",
    ]
    assert row[4:6] == ["–", "–"]  # a single sample has no best, and nothing was fitted
    (written,) = json.loads(tab.write_report(reports, services).read_text())
    assert written["model"] == "embedded"
    assert len(written["shapes"]) == 3


def test_the_best_of_several_stands_apart_from_the_single_sample(services, typist):
    reports, _ = evaluated(services, typist, candidates=3)
    (row,) = tab.rows(reports, EN)
    assert float(row[4]) == pytest.approx(reports[0][1]["median_iou"], abs=5e-4)
    assert float(row[3]) == pytest.approx(reports[0][1]["single_median_iou"], abs=5e-4)


def test_nothing_chosen_or_no_path_is_told(services):
    with pytest.raises(CadrecodeError, match="at least one model"):
        tab.evaluate("invent:plates", [], services, lambda *p: None, lambda: False)
    with pytest.raises(DatasetError, match="Give a folder"):
        tab.targets_of(tab.OWN, "plates", None, None, services)
    with pytest.raises(DatasetError, match="Drop meshes"):
        tab.targets_of(tab.UPLOAD, "plates", [], None, services)
    assert tab.targets_of(tab.INVENTED, "plates", None, None, services) == "invent:plates"


def stl(path, size=(20, 10, 5)):
    vertices, faces = mesh_of(build(parse(f"import cadquery as cq\nr=cq.Workplane('XY').box{size}")))
    lines = ["solid part"]
    for triangle in vertices[faces]:
        lines += [
            "facet normal 0 0 0",
            "outer loop",
            *(f"vertex {x} {y} {z}" for x, y, z in triangle),
            "endloop",
            "endfacet",
        ]
    path.write_text("\n".join([*lines, "endsolid part"]))
    return path


def test_meshes_and_zips_of_them_become_targets(services, tmp_path, typist):
    one = stl(tmp_path / "one.stl")
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as packed:
        packed.write(stl(tmp_path / "two.stl", (30, 30, 5)), "folder/two.stl")
        packed.writestr("readme.txt", "words")
    targets = tab.targets_of(tab.UPLOAD, "plates", [str(one), str(tmp_path / "more.zip")], None, services)
    reports = tab.evaluate(
        targets, ["base:embedded"], services, lambda *p: None, lambda: False, generate=typist.generate
    )
    assert sorted(one["id"] for one in reports[0][1]["shapes"]) == ["one", "two"]
    again = tab.targets_of(tab.UPLOAD, "plates", [str(one), str(tmp_path / "more.zip")], None, services)
    assert sorted(path.name for path in Path(again).iterdir()) == ["one.stl", "two.stl"]
    (tmp_path / "note.txt").write_text("words")
    with pytest.raises(DatasetError, match="is no mesh"):
        tab.targets_of(tab.UPLOAD, "plates", [str(tmp_path / "note.txt")], None, services)


def test_a_fit_stands_apart_and_is_not_worse(services, typist):
    reports, _ = evaluated(services, typist, fit_seconds=0.3)
    (row,) = tab.rows(reports, EN)
    assert float(row[5]) >= float(row[3])
    assert list(tab.ious(reports, EN)) == ["embedded base", "embedded base fitted"]
    assert all(len(values) == 3 for values in tab.ious(reports, EN).values())


def test_the_worst_and_the_best_are_drawn_beside_the_true_part(services, typist):
    reports, _ = evaluated(services, typist)
    shown = tab.pictures(reports, tab.shown_targets(reports), services, EN)
    ranked = sorted(reports[0][1]["shapes"], key=lambda one: one["iou"])
    worst, best = shown.split("<h4>embedded base: best")
    assert worst.index(ranked[0]["id"]) < worst.index(ranked[1]["id"])
    assert ranked[-1]["id"] in best
    assert f"IoU {ranked[-1]['iou']:.2f}" in best
    assert shown.count("<img") == 8  # two and two, each beside the part that was asked for


def test_published_figures_are_marked_as_quoted():
    shown = tab.quoted(EN)
    assert "Quoted, not measured here" in shown
    assert shown.count("(quoted)") == len(tab.QUOTED)
