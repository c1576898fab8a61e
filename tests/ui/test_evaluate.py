"""The Evaluate tab's handlers."""

import json
import zipfile

import pytest

from cadrecode.errors import CadrecodeError, DatasetError
from cadrecode.program import build, mesh_of, parse
from cadrecode.ui.evaluate import actions as tab
from cadrecode.ui.evaluate.stored import Asked, Kept
from cadrecode.ui.words.text import Words

EN = Words("en")


def evaluated(services, typist, *, stop=lambda: False, kept=None, **options):
    said = []
    if kept is None:
        kept = Kept.new(services)
        kept.begin(Asked("invent:plates", ("base:embedded",), limit=3, **options))
    scores = tab.evaluate(kept, services, lambda *p: said.append(p), stop, generate=typist.generate)
    return scores, said


def test_one_row_a_model_with_failures_counted(services, typist):
    scores, said = evaluated(services, typist)
    reports = scores.reports
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
    scores, _ = evaluated(services, typist, candidates=3)
    reports = scores.reports
    (row,) = tab.rows(reports, EN)
    assert float(row[4]) == pytest.approx(reports[0][1]["median_iou"], abs=5e-4)
    assert float(row[3]) == pytest.approx(reports[0][1]["single_median_iou"], abs=5e-4)


def test_nothing_chosen_or_no_path_is_told(tmp_path):
    with pytest.raises(CadrecodeError, match="at least one model"):
        Asked("invent:plates", ())
    with pytest.raises(DatasetError, match="Give a folder"):
        tab.targets_of(tab.OWN, "plates", None, None, tmp_path)
    with pytest.raises(DatasetError, match="Drop meshes"):
        tab.targets_of(tab.UPLOAD, "plates", [], None, tmp_path)
    assert tab.targets_of(tab.INVENTED, "plates", None, None, tmp_path) == "invent:plates"


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
    kept = Kept.new(services)
    targets = tab.targets_of(tab.UPLOAD, "plates", [str(one), str(tmp_path / "more.zip")], None, kept.folder)
    one.unlink()  # the page's uploads are gone some time
    kept.begin(Asked(targets, ("base:embedded",)))
    scores, _ = evaluated(services, typist, kept=kept)
    assert sorted(one["id"] for one in scores.reports[0][1]["shapes"]) == ["one", "two"]
    assert "Of meshes to upload" in tab.asked_for(scores.asked, EN)
    (tmp_path / "note.txt").write_text("words")
    with pytest.raises(DatasetError, match="is no mesh"):
        tab.targets_of(tab.UPLOAD, "plates", [str(tmp_path / "note.txt")], None, tmp_path)


def test_a_fit_stands_apart_and_is_not_worse(services, typist):
    reports = evaluated(services, typist, fit_seconds=0.3)[0].reports
    (row,) = tab.rows(reports, EN)
    assert float(row[5]) >= float(row[3])
    assert list(tab.ious(reports, EN)) == ["embedded base", "embedded base fitted"]
    assert all(len(values) == 3 for values in tab.ious(reports, EN).values())


def test_the_worst_and_the_best_are_drawn_beside_the_true_part(services, typist):
    scores, _ = evaluated(services, typist)
    reports = scores.reports
    shown = tab.pictures(reports, scores.targets, services, EN)
    ranked = sorted(reports[0][1]["shapes"], key=lambda one: one["iou"])
    worst, best = shown.split("<h4>embedded base: best")
    assert worst.index(ranked[0]["id"]) < worst.index(ranked[1]["id"])
    assert ranked[-1]["id"] in best
    assert f"IoU {ranked[-1]['iou']:.2f}" in best
    assert shown.count("<img") == 8  # two and two, each beside the part that was asked for


def without_seconds(scores):
    return [
        (name, {**report, "seconds": 0, "shapes": [{**row, "seconds": 0} for row in report["shapes"]]})
        for name, report in scores.reports
    ]


def test_what_was_cut_off_is_there_again_and_goes_on_to_the_same_end(services, typist):
    whole, _ = evaluated(services, typist)
    assert (whole.whole, tab.cut_off(whole, EN)) == (True, "")

    kept = Kept.new(services)
    kept.begin(Asked("invent:plates", ("base:embedded",), limit=3))
    assert Kept.latest(services).folder == kept.folder
    nothing = tab.so_far(kept)
    assert (nothing.reports, nothing.whole) == ([], False)
    assert len(list(kept.folder.parent.iterdir())) == 2  # the one before stays until there is something
    for row in whole.reports[0][1]["shapes"][:2]:
        kept.add("base:embedded", row=row)
    with (kept.folder / "scored.jsonl").open("a") as file:
        file.write('\n{"model": "base:embedded", "row": {"id": "pla')  # here the app was killed

    assert len(list(kept.folder.parent.iterdir())) == 1
    part = tab.so_far(Kept.latest(services))
    assert part.reports[0][1]["n"] == 2
    assert "2 of up to 3 parts" in tab.cut_off(part, EN)
    assert tab.rows(part.reports, EN)
    typist.asked.clear()
    end, said = evaluated(services, typist, kept=Kept.latest(services))
    assert [row["id"] for row in kept.read()[1]["base:embedded"]] == ["plates-0000", "plates-0001", "plates-0002"]
    assert end.whole
    assert without_seconds(end) == without_seconds(whole)
    again, said = evaluated(services, typist, kept=kept)  # there is nothing left to do
    assert said == []
    assert without_seconds(again) == without_seconds(whole)


def test_a_stop_keeps_what_there_is_and_a_lost_target_costs_no_figure(services, typist):
    typist.programs.clear()
    typist.programs.extend(["import cadquery as cq\nr=cq.Workplane('XY').box(200,100,20)"])
    kept = Kept.new(services)
    targets = kept.folder / "targets"
    targets.mkdir()
    stl(targets / "one.stl")
    kept.begin(Asked(str(targets), ("base:embedded",)))
    with pytest.raises(CadrecodeError, match="Stopped before"):
        evaluated(services, typist, kept=kept, stop=lambda: True)
    scores, _ = evaluated(services, typist, kept=kept)
    stopped, _ = evaluated(services, typist, kept=kept, stop=lambda: True)
    assert stopped.reports == scores.reports
    (targets / "one.stl").unlink()
    assert tab.so_far(kept).targets == {}
    assert tab.pictures(scores.reports, {}, services, EN).count("<img") == 4


def test_published_figures_are_marked_as_quoted():
    shown = tab.quoted(EN)
    assert "Quoted, not measured here" in shown
    assert shown.count("(quoted)") == len(tab.QUOTED)
