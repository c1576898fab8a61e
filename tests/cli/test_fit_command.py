"""`python -m cadrecode fit`, word for word, in both of its forms."""

import json

import numpy as np
import pytest

from cadrecode.cli import main
from cadrecode.cloud import read_cloud, read_mesh, sample_surface
from cadrecode.figures import length
from cadrecode.part import ENDINGS
from cadrecode.program import build, mesh_of, parse

TRUE = "import cadquery as cq\nw0=cq.Workplane('XY',origin=(100,50,0))\nr=w0.box(60,30,12)\n"
GUESS = "import cadquery as cq\nw0=cq.Workplane('XY',origin=(101,50,0))\nr=w0.box(57,31,13)\n"
CENTRED = "import cadquery as cq\nr=cq.Workplane('XY').box(200,100,40)"
GUESS_CENTRED = "import cadquery as cq\nr=cq.Workplane('XY').box(190,104,44)"


@pytest.fixture
def scan(tmp_path):
    points, _ = sample_surface(*mesh_of(build(parse(TRUE))), 2000, 0)
    np.savetxt(tmp_path / "scan.xyz", points, fmt="%.5f")
    (tmp_path / "guess.py").write_text(GUESS)
    return tmp_path


def fit_single(scan, *more, program="guess.py"):
    return main(
        ["fit", "--program", str(scan / program), "--cloud", str(scan / "scan.xyz"), "--output",
         str(scan / "out" / "better.py"), "--seconds", "2", *more]
    )  # fmt: skip


def test_one_program_is_fitted_in_place_and_written_with_all_its_files(scan, capsys):
    assert fit_single(scan, "--units", "cm") == 0
    printed = capsys.readouterr().out
    assert {path.name for path in (scan / "out").iterdir()} == {f"better{ending}" for ending in ENDINGS.values()}
    true = mesh_of(build(parse(TRUE)))[0]
    fitted = mesh_of(build(parse((scan / "out" / "better.py").read_text())))[0]
    np.testing.assert_allclose([fitted.min(0), fitted.max(0)], [true.min(0), true.max(0)], atol=0.1)
    step, _ = read_mesh(scan / "out" / "better.step")  # STEP is read in millimetres, and says that these are cm
    np.testing.assert_allclose([step.min(0), step.max(0)], [10 * true.min(0), 10 * true.max(0)], atol=1)
    report = json.loads((scan / "out" / "better_report.json").read_text(encoding="utf-8"))
    assert report["distance"] < report["distance_before"]
    assert f"{length(report['distance_before'], 'cm')} -> {length(report['distance'], 'cm')}" in printed
    assert len(read_cloud(scan / "out" / "better_deviation.ply").points) == 2000


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("nowhere.py", "nowhere.py cannot be read"),
        ("text.py", "text.py: `text` is not in the language"),
        ("centred.py", "use --frame code"),
    ],
)
def test_a_program_that_cannot_be_fitted_is_told_in_words(scan, capsys, program, words):
    (scan / "text.py").write_text("import cadquery as cq\nr=cq.Workplane('XY').text('A', 3, 1)")
    (scan / "centred.py").write_text(GUESS_CENTRED)
    assert fit_single(scan, program=program) == 2
    printed = capsys.readouterr().err
    assert words in printed
    assert "Traceback" not in printed
    assert not (scan / "out").exists()


def test_the_models_units_are_read_where_they_are_said(scan, capsys):
    (scan / "centred.py").write_text(GUESS_CENTRED)
    assert fit_single(scan, "--frame", "code", program="centred.py") == 0
    fitted = mesh_of(build(parse((scan / "out" / "better.py").read_text())))[0]
    np.testing.assert_allclose([fitted.min(0), fitted.max(0)], [(70, 35, -6), (130, 65, 6)], atol=0.1)


def test_many_programs_give_rows_and_means_and_a_code_of_zero(scan, capsys):
    vertices, faces = mesh_of(build(parse(CENTRED)))
    np.savez(scan / "t.npz", a_v=vertices, a_f=faces, open_v=vertices, open_f=faces[1:])
    rows = [{"id": "a", "code": GUESS_CENTRED}, {"id": "open", "code": CENTRED}, {"id": "gone", "code": CENTRED}]
    rows.append({"id": "a", "code": "import cadquery as cq\nr=cq.Workplane('XY').text('3', 3, 3)"})
    (scan / "p.jsonl").write_text("\n".join(map(json.dumps, rows)))
    out = scan / "deep" / "out.json"
    arguments = ["fit", "--programs", str(scan / "p.jsonl"), "--targets", str(scan / "t.npz"), "--json", str(out)]
    assert main([*arguments, "--seconds", "1.5", "--points", "1000"]) == 0
    report = json.loads(out.read_text())
    assert [row["id"] for row in report["rows"]] == ["a", "a"]
    assert report["rows"][0]["iou_after"] > 0.99 > report["rows"][0]["iou_before"]
    assert "`text`" in report["rows"][1]["error"]
    assert {entry["id"] for entry in report["skipped"]} == {"open", "gone"}
    printed = capsys.readouterr().out
    assert "2 fitted or failed, 1 of them with an error, 2 skipped" in printed
    assert f"{report['mean_iou_before']:.4f} -> {report['mean_iou_after']:.4f}" in printed


def test_nothing_that_can_be_fitted_ends_in_words(scan, capsys):
    (scan / "p.jsonl").write_text(json.dumps({"id": "gone", "code": CENTRED}))
    arguments = ["fit", "--programs", str(scan / "p.jsonl"), "--json", str(scan / "out.json"), "--targets"]
    assert main([*arguments, str(scan / "no.npz")]) == 2
    assert "no.npz is no folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--program, --cloud, --output missing"),
        (["--program", "p.py"], "--cloud, --output missing"),
        (["--programs", "p.jsonl"], "--targets, --json missing"),
        (["--programs", "p", "--targets", "t", "--json", "j", "--cloud", "c"], "--cloud cannot be used together"),
        (["--program", "p", "--cloud", "c", "--output", "o", "--points", "9"], "--points cannot be used together"),
        (["--program", "p", "--cloud", "c", "--output", "o", "--seconds", "0"], "not a number above 0"),
    ],
)
def test_half_a_form_and_a_mixture_are_refused(arguments, words, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["fit", *arguments])
    assert ended.value.code == 2
    assert words in capsys.readouterr().err
