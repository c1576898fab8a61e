"""Programs of any system beside true solids: every target has a row, and every figure is what its name says."""

import json
import re

import numpy as np
import pytest
from scipy.spatial import cKDTree

from cadrecode.cli import main
from cadrecode.errors import DatasetError
from cadrecode.formats.mesh_write import write_stl
from cadrecode.invent.draw import invent
from cadrecode.program import Program, build, from_mesh, iou, mesh_of, parse, write
from cadrecode.program.edit import transform
from cadrecode.program.language import Operation, Step
from cadrecode.scores import Scores, groups_of, summarise
from cadrecode.scoring import chamfer
from cadrecode.scoring.targets import Shape

HEAD = "import cadquery as cq\nw0=cq.Workplane('XY')\n"
BLOCK = HEAD + "r=w0.workplane(offset=0/2).box(200,100,40)"
ABOVE = "w1=cq.Workplane('XY',origin=(0,0,20))\n"
DRILLED = f"{HEAD}{ABOVE}{BLOCK.splitlines()[-1]}.copyWorkplane(w1).pushPoints([(0,0)]).hole(30)"
SHORT = HEAD + "r=w0.workplane(offset=0/2).box(180,100,40)"


@pytest.fixture
def folder(tmp_path):
    """Targets at different sizes and places, one open; programs in the CODE frame."""
    (tmp_path / "targets").mkdir()
    (tmp_path / "programs").mkdir()
    vertices, faces = mesh_of(build(parse(BLOCK)))
    for name, scale in (("right", 0.1), ("short", 3.0), ("bad", 1.0), ("forgotten", 1.0)):
        write_stl(tmp_path / "targets" / f"{name}.stl", vertices * scale + 7, faces)
    write_stl(tmp_path / "targets" / "open.stl", vertices, faces[1:])
    for name, text in (("right", BLOCK), ("short", SHORT), ("bad", "r=1/0"), ("open", BLOCK), ("stray", BLOCK)):
        (tmp_path / "programs" / f"{name}.py").write_text(text)
    return tmp_path


def test_every_target_has_a_row_and_every_failure_counts(folder):
    report = Scores().run(folder / "programs", folder / "targets")
    rows = {row["id"]: row for row in report["shapes"]}
    assert {name: row["outcome"] for name, row in rows.items()} == {
        "right": "ok", "short": "ok", "bad": "outside of the language", "forgotten": "no program",
    }  # fmt: skip
    assert rows["right"]["iou"] == rows["right"]["f_score"] == rows["right"]["normal_consistency"] == 1
    assert rows["short"]["iou"] == pytest.approx(0.9)
    assert rows["short"]["f_score"] < 0.95
    assert (report["mean_iou_all"], report["invalid_ratio"]) == (pytest.approx(1.9 / 4), 0.5)
    assert report["mean_iou_valid"] == pytest.approx(0.95)
    assert {entry["id"] for entry in report["skipped"]} == {"open", "stray"}
    assert (rows["right"]["bodies"], rows["right"]["faces"], rows["right"]["operations"]) == (1, {"plane": 6}, ["box"])


def test_several_programs_are_a_single_sample_and_the_one_nearest_to_the_points(folder):
    lines = [json.dumps({"id": "right", "code": text}) for text in (SHORT, BLOCK, DRILLED)]
    (folder / "three.jsonl").write_text("\n".join(lines))
    report = Scores().run(folder / "three.jsonl", folder / "targets")
    (row,) = [row for row in report["shapes"] if row["samples"]]
    assert (row["iou"], row["best_iou"]) == (pytest.approx(0.9), 1)
    assert report["best_mean_iou_all"] == pytest.approx(1 / 4)


def test_programs_of_true_programs_stand_in_their_place(folder):
    moved = write(transform(parse(DRILLED), 0.2, (3, 4, 5)))
    (folder / "true.jsonl").write_text(json.dumps({"id": "a", "code": moved, "other": write(parse(moved))}))
    truth = folder / "true.jsonl"
    (row,) = Scores(in_code=False).run(truth, truth, field="other")["shapes"]
    assert (row["iou"], row["genus"], row["true_genus"]) == (pytest.approx(1), 1, 1)
    words = ["--programs", str(truth), "--targets", str(truth), "--frame", "raw", "--report", str(folder / "both")]
    assert main(["score", *words, "--field", "code", "other"]) == 0
    page = (folder / "both" / "index.html").read_text()
    assert all(f'<th scope="col" class="n">{name}</th>' in page for name in ("code", "other"))
    assert page.count("<canvas") == 3
    with pytest.raises(DatasetError, match="a program under `none`"):
        Scores().run(truth, truth, field="none")


def test_a_fit_sees_points_alone_and_its_program_stands_where_the_others_do(processor_time):
    """In the units and the place of the target, as the program was."""
    vertices, faces = mesh_of(build(parse(BLOCK)))
    shape = Shape("a", vertices * 0.2 + (3, 4, 5), faces)
    given = write(transform(parse(SHORT), 0.2, (3, 4, 5)))
    row = Scores(in_code=False, fit_seconds=0.5).row(shape, [given])
    assert (row["iou"], row["program"]) == (pytest.approx(0.9), given)
    assert row["fit_iou"] > 0.995
    fitted = build(parse(row["fit_program"]))
    assert iou(fitted, from_mesh(shape.vertices, shape.faces)) == pytest.approx(row["fit_iou"], abs=1e-3)


def test_fields_joined_are_samples_and_earlier_reports_stand_beside(folder, capsys):
    rows = [{"id": "right", "one": SHORT, "other": BLOCK}]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (folder / "only").mkdir()
    (folder / "targets" / "right.stl").rename(folder / "only" / "right.stl")
    words = ["--programs", str(folder / "rows.jsonl"), "--targets", str(folder / "only")]
    earlier, page = folder / "earlier.json", folder / "page"
    assert main(["score", *words, "--field", "one", "--json", str(earlier)]) == 0
    capsys.readouterr()
    joined = ["--field", "one+other", "--beside", str(earlier), "--report", str(page)]
    assert main(["score", *words, *joined]) == 0
    table = capsys.readouterr().out
    for name in ("one+other: first program", "one+other: nearest of several", "earlier"):
        assert name in table
        assert f">{name}</th>" in (page / "index.html").read_text()
    [ious] = [line for line in table.splitlines() if line.startswith("mean IoU, failures 0")]
    assert re.findall(r"(\d\.\d+) \(", ious) == ["0.900", "1.000", "0.900"]
    assert main(["score", "--beside", str(earlier), str(earlier)]) == 0
    assert "1 scored, 0 skipped\n" in capsys.readouterr().out
    others = folder / "others.json"
    report = json.loads(earlier.read_text())
    others.write_text(json.dumps(report | {"shapes": [report["shapes"][0] | {"id": "other"}]}))
    assert main(["score", "--beside", str(earlier), str(others)]) == 2
    assert "is of other shapes: 1 of them, 0 of our 1" in capsys.readouterr().err
    (folder / "broken.json").write_text("[]")
    assert main(["score", *words, "--field", "one", "--beside", str(folder / "broken.json")]) == 2
    assert "broken.json is no report of evaluate --json" in capsys.readouterr().err
    for missing in ([], ["--targets", "x"], ["--beside", str(earlier), "--json", "x"]):
        with pytest.raises(SystemExit):
            main(["score", *missing])


def test_nothing_to_score_is_said(folder):
    (folder / "strays.jsonl").write_text(json.dumps({"id": "nobody", "code": BLOCK}))
    with pytest.raises(DatasetError, match=r"No program of .* has a target"):
        Scores().run(folder / "strays.jsonl", folder / "targets")


def test_chamfer_is_the_published_formula():
    a, b = np.random.default_rng(5).uniform(size=(2, 300, 3))
    apart = ((a[:, None] - b[None]) ** 2).sum(axis=-1)
    assert chamfer(a, b) == pytest.approx(1000 * (apart.min(axis=1).mean() + apart.min(axis=0).mean()), abs=1e-9)
    assert len(cKDTree(a).data) == 300


def test_intervals_and_groups_are_those_of_the_rows():
    row = {"cd": 0.1, "f_score": 1.0, "normal_consistency": 1.0, "characters": 9, "numbers": 3, "genus": 0}
    rows = [
        {**row, "iou": value, "true_genus": 0, "outcome": "ok", "solids": 1, "operations": ["box"], **size}
        for value, size in (
            (1.0, {"thinness": 0.01, "size": 10.0}),
            (0.8, {"thinness": 0.1, "size": 99.9}),
            (0.6, {"thinness": 0.5, "size": 0.5}),
        )
    ]
    low, high = summarise(rows)["mean_iou_all_interval"]
    assert 0.6 <= low < 0.8 < high <= 1
    groups = groups_of(rows)
    sizes = {"10 to 100 long": 2, "0.1 to 1 long": 1}
    thickness = {"slender": 1, "stout": 1, "thin": 1}
    assert {name: groups[name]["n"] for name in groups} == {"1 solid": 3, "box": 3, **thickness, **sizes}
    assert groups["thin"]["mean_iou"] == 1


def test_the_command_prints_the_table_and_writes_the_report(folder, capsys):
    words = [
        "--programs",
        str(folder / "programs"),
        "--targets",
        str(folder / "targets"),
        "--json",
        str(folder / "r.json"),
        "--report",
        str(folder / "page"),
    ]
    assert main(["score", *words]) == 0
    printed = capsys.readouterr().out
    assert "4 scored, 2 skipped" in printed
    assert "mean IoU, failures 0" in printed
    assert json.loads((folder / "r.json").read_text())["n"] == 4
    page = (folder / "page" / "index.html").read_text()
    assert page.count("<article") == 4
    assert f"--report {folder / 'page'}" in page
    assert main(["score", "--programs", str(folder / "none"), "--targets", str(folder / "targets")]) == 2


@pytest.mark.slow
def test_overlaps_are_those_of_opencascades_booleans(sandbox):
    """Pairs of an invented part and the same, moved a little; all of 100 agreed when this was written."""
    for index in range(6):
        part = invent(np.random.default_rng(index), "designs")
        other = transform(part, 0.97, (2, -1, 1))
        common = Program((Step(Operation.UNION, part), Step(Operation.INTERSECT, other)))
        first, second, both = (sandbox.run(write(program)).volume for program in (part, other, common))
        assert iou(build(part), build(other)) == pytest.approx(both / (first + second - both), rel=5e-3)
