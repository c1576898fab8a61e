"""The Evaluate tab's handlers."""

import json
import os
import re
import zipfile

import pytest

from cadrecode.errors import CadrecodeError, DatasetError, RunError
from cadrecode.jobs import evaluating, queue
from cadrecode.program import build, mesh_of, parse
from cadrecode.report.parts import scored_parts
from cadrecode.runs import State
from cadrecode.ui.draw import html
from cadrecode.ui.evaluate import actions, parts, views
from cadrecode.ui.words.text import Words

EN = Words("en")


@pytest.fixture(autouse=True)
def no_queue(monkeypatch):
    """These tests are the child process."""
    monkeypatch.setattr(queue, "watch", lambda runs_dir: None)


def started(services, models=("base:embedded",), limit=3, **settings):
    return actions.start(services, actions.INVENTED, "plates", None, None, models, limit=limit, **settings)


def evaluated(services, typist, *, run=None, **settings):
    """An evaluation whose model is the typist: its run and its results."""
    run = run or started(services, **settings)
    evaluating.work(run, load=lambda model, runs_dir: typist.load(model), generate=typist.generate)
    return run, views.results(run)


def test_one_row_a_model_with_failures_counted(services, typist):
    run, results = evaluated(services, typist)
    reports = results.reports
    ((name, scored),) = reports
    assert (name, scored["n"]) == ("embedded", 3)
    status = run.status()
    assert (status["state"], status["model"], status["step"], status["total"]) == ("done", "embedded", 3, 3)
    (row,) = views.rows(reports, EN)
    assert row[:3] == [
        "embedded base",
        "3",
        "0 %" if scored["invalid_ratio"] == 0 else f"{100 * scored['invalid_ratio']:.0f} %",
    ]
    assert row[4:6] == ["–", "–"]  # a single sample has no best, and nothing was fitted
    page, report = views.files(results, services, EN)
    (written,) = json.loads(report.read_text())
    assert written["model"] == "embedded"
    text = page.read_text()
    assert text.count("<article") == 3
    assert "cadrecode evaluate --targets invent:plates --limit 3" in text
    assert not re.search(r"""\s(src|href)=(?!["']?data:)""", text)  # it opens anywhere
    assert len(written["shapes"]) == 3


@pytest.mark.slow
def test_the_best_of_several_stands_apart_from_the_single_sample(services, typist):
    reports = evaluated(services, typist, candidates=3)[1].reports
    (row,) = views.rows(reports, EN)
    assert float(row[4]) == pytest.approx(reports[0][1]["median_iou"], abs=5e-4)
    assert float(row[3]) == pytest.approx(reports[0][1]["single_median_iou"], abs=5e-4)


def test_nothing_chosen_or_no_path_is_told(services, tmp_path):
    with pytest.raises(CadrecodeError, match="at least one model"):
        started(services, models=())
    with pytest.raises(DatasetError, match="Give a folder"):
        actions.targets_of(actions.OWN, "plates", None, None, tmp_path)
    with pytest.raises(DatasetError, match="Drop meshes"):
        actions.targets_of(actions.UPLOAD, "plates", [], None, tmp_path)
    assert actions.targets_of(actions.INVENTED, "plates", None, None, tmp_path) == "invent:plates"


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
    mesh = stl(tmp_path / "one.stl")
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as packed:
        packed.write(stl(tmp_path / "two.stl", (30, 30, 5)), "folder/two.stl")
        packed.writestr("readme.txt", "words")
    files = [str(mesh), str(tmp_path / "more.zip")]
    run = actions.start(services, actions.UPLOAD, "plates", files, None, ["base:embedded"])
    mesh.unlink()  # the page's uploads are removed some time
    _, results = evaluated(services, typist, run=run)
    assert sorted(row["id"] for row in results.reports[0][1]["shapes"]) == ["one", "two"]
    assert "Of meshes to upload" in views.settings_line(results.settings, EN)
    (tmp_path / "note.txt").write_text("words")
    with pytest.raises(DatasetError, match="is not a mesh"):
        actions.targets_of(actions.UPLOAD, "plates", [str(tmp_path / "note.txt")], None, tmp_path)


@pytest.mark.slow
def test_a_fit_stands_apart_and_is_not_worse(services, typist):
    reports = evaluated(services, typist, fit_seconds=0.3)[1].reports
    (row,) = views.rows(reports, EN)
    assert float(row[5]) >= float(row[3])
    assert list(views.ious(reports, EN)) == ["embedded base", "embedded base fitted"]
    assert all(len(values) == 3 for values in views.ious(reports, EN).values())


def test_each_part_is_drawn_beside_the_true_part_the_worst_first(services, typist):
    _, results = evaluated(services, typist)
    shown = parts.parts_html(results.reports, results.targets, None, EN)
    ranked = sorted(results.reports[0][1]["shapes"], key=lambda shape: shape["iou"])
    places = [shown.index(f">{row['id']}<") for row in ranked]
    assert places == sorted(places)
    assert f">IoU {ranked[-1]['iou']:.2f}</b>" in shown
    assert "&lt;b" not in shown
    assert shown.count("<img") == 6
    assert 'data-only="" aria-pressed="true">all 3<' in shown


def scored(iou, outcome="ok"):
    return {"id": f"part {iou} {outcome}", "iou": iou, "program": "r=", "outcome": outcome}


def test_parts_are_told_apart_by_verdict_and_failures_come_first(monkeypatch):
    reports = [("embedded", {"shapes": [scored(0.99), scored(0.9), scored(0.3), scored(0, "syntax error")]})]
    listed = scored_parts(reports)
    assert [part.grade for part in listed] == ["failed", "no_match", "details_missing", "good_match"]
    monkeypatch.setattr(parts, "MOST_PARTS", 2)
    shown = parts.parts_html(reports, {}, None, EN)
    assert shown.count("<article") == 2
    assert "The worst 2 of 4 parts." in shown
    assert 'data-only="good_match" aria-pressed="false">good match 1<' in shown
    assert "syntax error" in shown


def without_seconds(results):
    return [
        (name, {**report, "seconds": 0, "shapes": [{**row, "seconds": 0} for row in report["shapes"]]})
        for name, report in results.reports
    ]


def test_what_was_cut_off_is_there_again_and_goes_on_to_the_same_end(services, typist):
    first, whole = evaluated(services, typist)
    assert views.look(services, EN) == views.Look(first.name, html.idle(), busy=False, resumable=False)

    run = started(services)
    look = views.look(services, EN)
    assert (look.name, look.busy) == (run.name, True)
    assert "queued #1" in look.html
    with pytest.raises(RunError, match="running or waiting already"):
        started(services)
    rows = whole.reports[0][1]["shapes"]
    assert views.latest_results(services).reports == whole.reports  # until the new one has scored something
    for row in rows[:2]:
        evaluating.add_score(run, "base:embedded", row=row)
    with (run.folder / evaluating.SCORES).open("a") as file:
        file.write('\n{"model": "base:embedded", "row": {"id": "pla')  # here the machine lost its power
    assert not first.exists()
    run.claim(os.getpid())
    run.set_status(State.EVALUATING, step=2, total=3, model="embedded")
    assert "embedded base 2 / 3" in views.look(services, EN).html
    run.set_status(State.EVALUATING, process_start=1.0)  # its process is gone

    look = views.look(services, EN)
    assert (look.busy, look.resumable) == (False, True)
    assert "ended without saying why" in look.html
    assert "2 of up to 3 parts" in views.cut_off(run, EN)
    part = views.latest_results(services)
    assert part.reports[0][1]["n"] == 2
    assert views.rows(part.reports, EN)
    actions.go_on(services)
    assert run.state == State.QUEUED
    _, end = evaluated(services, typist, run=run)
    scored = evaluating.read_scores(run)[1]["base:embedded"]
    assert [row["id"] for row in scored] == ["plates-0000", "plates-0001", "plates-0002"]
    assert run.state == State.DONE
    assert without_seconds(end) == without_seconds(whole)
    typist.asked.clear()
    _, again = evaluated(services, typist, run=run)  # there is nothing left to do
    assert typist.asked == []
    assert without_seconds(again) == without_seconds(whole)


def test_a_stop_keeps_what_there_is_and_a_lost_target_costs_no_figure(services, typist, tmp_path):
    typist.programs.clear()
    typist.programs.extend(["import cadquery as cq\nr=cq.Workplane('XY').box(200,100,20)"])
    run = actions.start(services, actions.UPLOAD, "", [str(stl(tmp_path / "one.stl"))], None, ["base:embedded"])
    run.request_stop()
    with pytest.raises(CadrecodeError, match="Stopped before"):
        evaluated(services, typist, run=run)
    run.clear_stop()
    _, results = evaluated(services, typist, run=run)
    run.request_stop()
    _, stopped = evaluated(services, typist, run=run)
    assert stopped.reports == results.reports
    (run.folder / "targets" / "one.stl").unlink()
    assert views.results(run).targets == {}
    assert parts.parts_html(results.reports, {}, None, EN).count("<img") == 2


def test_cancel_takes_a_waiting_evaluation_out_of_the_queue(services):
    actions.cancel(services)  # there is none
    actions.go_on(services)
    run = started(services)
    actions.cancel(services)
    assert run.state == State.STOPPED
    look = views.look(services, EN)
    assert (look.busy, look.resumable) == (False, True)
    assert "0 of up to 3 parts" in look.html


def test_programs_do_not_run_where_the_app_may_not_run_them(services, typist, monkeypatch):
    services.run_programs = False
    run = started(services)
    monkeypatch.setattr("cadrecode.kernel.shared_sandbox", lambda: pytest.fail("the sandbox was asked for"))
    evaluated(services, typist, run=run)
    services.run_programs = True
    actions.cancel(services)  # it has ended: nothing happens
    assert run.state == State.DONE


def test_published_figures_are_marked_as_quoted():
    shown = views.quoted(EN)
    assert "Quoted, not measured here" in shown
    assert shown.count("(quoted)") == len(views.QUOTED)
