"""Many programs: every row is accounted for, and each is what it would be alone."""

import gzip
import json

import numpy as np
import pytest

from cadrecode.cloud import sample_surface
from cadrecode.errors import DatasetError
from cadrecode.fit import fit, ruler_for
from cadrecode.formats.mesh_write import write_stl
from cadrecode.frames import Frame
from cadrecode.program import build, iou, mesh_of, parse, write
from cadrecode.refine import refine_all, summarise
from cadrecode.scoring.targets import seed_of

HEAD = "import cadquery as cq\nw0=cq.Workplane('XY')\n"
BLOCK = HEAD + "r=w0.workplane(offset=0/2).moveTo(0,0).box(200,100,40)"
OFF = HEAD + "r=w0.workplane(offset=0/2).moveTo(3,0).box(190,104,44)"
LOFTED = HEAD + "r=w0.workplane(offset=-20).rect(200,100).workplane(offset=40).rect(180,80).loft()"


@pytest.fixture
def folder(tmp_path):
    """Targets of different sizes and places, one of them open; a file of programs with all that can go wrong."""
    vertices, faces = mesh_of(build(parse(BLOCK)))
    (tmp_path / "targets").mkdir()
    write_stl(tmp_path / "targets" / "a.stl", vertices * 0.1 + 7, faces)
    write_stl(tmp_path / "targets" / "b.v1.stl", vertices * 3, faces)
    write_stl(tmp_path / "targets" / "open.stl", vertices, faces[1:])
    (tmp_path / "targets" / "broken.stl").write_bytes(b"solid")
    write_stl(tmp_path / "targets" / "unasked.stl", vertices, faces)
    return tmp_path


def programs(folder, *rows, name="programs.jsonl"):
    path = folder / name
    lines = "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows)
    opened = gzip.open if name.endswith(".gz") else open
    with opened(path, "wt", encoding="utf-8") as file:
        file.write(lines)
    return path


def run(folder, path, **options):
    return refine_all(path, folder / "targets", **{"seconds": 1.5, "points": 1000} | options)


def test_rows_come_back_in_order_better_and_in_the_models_units(folder):
    path = programs(folder, {"id": "b.v1", "code": OFF}, {"id": "a", "code": OFF}, {"id": "a", "code": BLOCK})
    report = run(folder, path)
    assert [row["id"] for row in report["rows"]] == ["b.v1", "a", "a"]
    for row in report["rows"]:
        assert set(row) == {
            "id", "code", "distance_before", "distance_after", "iou_before", "iou_after", "seconds",
        }  # fmt: skip
    for row in report["rows"][:2]:
        assert row["iou_before"] == pytest.approx(iou(build(parse(OFF)), build(parse(BLOCK))), abs=1e-3)
        assert row["iou_after"] > 0.99
        assert row["iou_after"] == pytest.approx(iou(build(parse(row["code"])), build(parse(BLOCK))), abs=1e-3)
        assert row["distance_after"] < 0.5 < row["distance_before"]
    assert report["rows"][2]["iou_after"] == pytest.approx(1, abs=1e-3)
    assert report["n_errors"] == report["n_skipped"] == 0
    assert report["mean_iou_after"] == pytest.approx(np.mean([row["iou_after"] for row in report["rows"]]))
    assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_a_row_is_what_the_fit_alone_makes_of_it(folder):
    row = run(folder, programs(folder, {"id": "b.v1", "code": OFF}))["rows"][0]
    vertices, faces = mesh_of(build(parse(BLOCK)))
    seed = seed_of("b.v1", 0)
    corners = np.asarray(vertices * 3, np.float32).astype(float)
    points, _ = sample_surface(corners, faces, 1000, np.random.default_rng(seed))
    ruler = ruler_for(Frame.of(corners).to_code(points), seed=seed)
    alone = fit(parse(OFF), ruler, seconds=1.5)
    there, here = (mesh_of(build(parse(code)))[0] for code in (row["code"], write(alone.program)))
    np.testing.assert_allclose([there.min(0), there.max(0)], [here.min(0), here.max(0)], atol=0.1)


def test_nothing_stops_and_every_failure_is_listed_with_its_reason(folder):
    path = programs(
        folder,
        {"id": "a", "code": LOFTED},
        {"id": "a", "code": "r = ("},
        {"id": "a", "code": HEAD + "r=w0.box(1,1,1).cut(w0.box(2,2,2))"},
        {"id": "open", "code": BLOCK},
        {"id": "broken", "code": BLOCK},
        {"id": "nobody", "code": BLOCK},
        {"id": "a"},
        {"code": BLOCK},
        ["a", BLOCK],
        "not json",
        "",
        {"id": "a", "code": BLOCK},
    )
    report = run(folder, path, seconds=0.5)
    assert (report["n"], report["n_errors"], report["n_skipped"]) == (4, 3, 7)
    reasons = {entry["line"]: entry["reason"] for entry in report["skipped"]}
    assert "closed" in reasons[4]
    assert "broken.stl" in reasons[5]
    assert "no target of that name" in reasons[6]
    assert all("`code`" in reasons[line] for line in (7, 8, 9))
    assert "not JSON" in reasons[10]
    errors = [row.get("error", "") for row in report["rows"]]
    assert "outside of the language" in errors[0]
    assert "syntax error" in errors[1]
    assert "empty" in errors[2]
    assert errors[3] == ""
    assert all(row["iou_after"] == 0 and row["distance_after"] is None for row in report["rows"][:3])
    assert report["rows"][0]["code"] == LOFTED
    assert report["mean_iou_after_valid"] == pytest.approx(1, abs=1e-3)
    assert report["mean_iou_after"] == pytest.approx(0.25, abs=1e-3)


def test_gzip_numbers_as_ids_and_an_archive_of_targets_are_read(folder):
    vertices, faces = mesh_of(build(parse(BLOCK)))
    np.savez(folder / "t.npz", **{"7_v": vertices.astype(np.float32), "7_f": faces.astype(np.int32)})
    path = programs(folder, {"id": 7, "code": OFF}, name="p.jsonl.gz")
    report = refine_all(path, folder / "t.npz", seconds=1, points=800)
    assert report["rows"][0]["id"] == "7"
    assert report["rows"][0]["iou_after"] > report["rows"][0]["iou_before"]


def test_noise_is_a_share_of_the_size_and_the_seed_decides(folder):
    path = programs(folder, {"id": "a", "code": BLOCK})
    clean, noisy, again, other = (
        run(folder, path, seconds=0.1, **options)["rows"][0]["distance_before"]
        for options in ({}, {"noise": 0.02}, {"noise": 0.02}, {"noise": 0.02, "seed": 1})
    )
    assert clean < 0.05 < 1 < noisy
    assert noisy == again != other


def test_a_limit_draws_programs_by_the_seed(folder):
    path = programs(folder, *[{"id": "a", "code": BLOCK}] * 3, {"id": "b.v1", "code": BLOCK})
    drawn = {tuple(row["id"] for row in run(folder, path, seconds=0.05, limit=1, seed=s)["rows"]) for s in range(6)}
    assert drawn == {("a",), ("b.v1",)}


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "holds no programs"),
        (["[]"], "Line 1: .* `code`"),
        ([{"id": "nobody", "code": BLOCK}], "nobody.*no target of that name"),
    ],
)
def test_nothing_to_do_is_an_error_that_says_why(folder, rows, words):
    with pytest.raises(DatasetError, match=words):
        run(folder, programs(folder, *rows))


def test_files_that_are_not_there_or_not_what_they_seem_are_named(folder):
    with pytest.raises(DatasetError, match=r"nowhere\.jsonl cannot be read"):
        run(folder, folder / "nowhere.jsonl")
    (folder / "fake.jsonl.gz").write_text("plain")
    with pytest.raises(DatasetError, match=r"fake\.jsonl\.gz cannot be read"):
        run(folder, folder / "fake.jsonl.gz")


def test_means_of_nothing_are_none():
    failed = {"id": "a", "iou_before": 0.0, "iou_after": 0.0, "distance_before": None, "distance_after": None,
              "seconds": 0.0, "error": "x"}  # fmt: skip
    figures = summarise([failed])
    assert (figures["n"], figures["n_errors"], figures["mean_iou_after"]) == (1, 1, 0)
    assert figures["mean_iou_after_valid"] is None
    assert figures["mean_distance_before"] is None
