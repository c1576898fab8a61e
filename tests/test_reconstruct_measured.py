"""Programs that are read off the input: without a model, beside the model's, and against a closed mesh by volume."""

import importlib
import json

import numpy as np
import pytest

from cadrecode.cloud import Cloud, sample_surface
from cadrecode.program import build, mesh_of, parse
from cadrecode.program.solid import from_mesh, iou
from cadrecode.reconstruction import given
from tests.test_reconstruct import BLOCK, HALF, HEAD, PLACE, PLATE, SCALE, TURN, answers, rebuilt

pytestmark = pytest.mark.usefixtures("processor_time")


def test_what_is_measured_needs_no_model_and_says_where_it_comes_from():
    solid = build(parse(PLATE))
    points = sample_surface(*mesh_of(solid), 8192, 3)[0] * SCALE + PLACE
    silent = answers()
    result = rebuilt(Cloud(points, None, "plate", "mesh"), generate=silent, source="measured", seconds=4.0)
    assert silent.calls == []
    assert {part.source.removeprefix("symmetric ") for part in result.parts} == {"sections"}
    back = build(parse(result.best.program))
    assert back.volume() == pytest.approx(solid.volume() * SCALE**3, rel=0.01)
    assert back.genus() == 1


@pytest.mark.parametrize(("noise", "fits"), [(0.0, 0), (0.5, 1)])
def test_what_was_measured_in_a_clean_cloud_is_not_fitted(noise, fits, monkeypatch):
    module, calls = importlib.import_module("cadrecode.reconstruction.rebuild"), []
    monkeypatch.setattr(module, "fitted", lambda ranked, *_, **settings: calls.append(settings) or ranked)
    points = sample_surface(*mesh_of(build(parse(PLATE))), 4096, 3)[0]
    points = points + noise * np.random.default_rng(3).standard_normal(points.shape)
    rebuilt(Cloud(points, None, "plate", "mesh"), generate=answers(), source="measured", seconds=2.0)
    assert len(calls) == fits


@pytest.mark.slow
def test_both_sources_are_one_pool():
    points = sample_surface(*mesh_of(build(parse(PLATE))), 8192, 3)[0]
    result = rebuilt(
        Cloud(points, None, "plate", "mesh"), generate=answers(BLOCK), candidates=1, source="both", seconds=2.0
    )
    assert {part.source.removeprefix("symmetric ") for part in result.parts} == {"model", "sections"}
    assert result.best.source.removeprefix("symmetric ") == "sections"  # the block has no hole
    assert not result.stopped


@pytest.mark.parametrize("closed", [True, False])
def test_numbers_become_those_a_person_would_write_and_the_report_says_why(closed, tmp_path):
    text = HEAD + "r=w0.sketch().rect(80,40).push([(24,0)]).circle(3.3,mode='s').finalize().extrude(4,both=True)"
    mesh = Cloud.of_mesh(*mesh_of(build(parse(text))), name="plate.stl", n_surface=4096)
    scan = mesh if closed else Cloud(mesh.points, None, "plate.xyz", "cloud")
    drawn = HEAD + "r=w0.sketch().rect(200,100).push([(60.2,0)]).circle(8.2,mode='s').finalize().extrude(10,both=True)"
    result = rebuilt(scan, candidates=1, generate=answers(drawn), seconds=0, snap=0.1)
    best = result.best
    assert (best.parameters["hole 1 diameter"], best.parameters["hole 1 x"]) == (6.6, 24)
    reasons = {snap.name: str(snap) for snap in best.snapped}
    assert reasons["hole 1 diameter"] == "6.56 -> 6.6: clearance hole for M6, medium (ISO 273), within 0.1"
    report = json.loads(best.write(tmp_path / "plate.json").read_text())
    entry = next(entry for entry in report["snapped"] if entry["name"] == "hole 1 diameter")
    assert (entry["from"], entry["to"]) == (pytest.approx(6.56), 6.6)
    assert entry["reason"] == "clearance hole for M6, medium (ISO 273), within 0.1"
    off = rebuilt(scan, candidates=1, generate=answers(drawn), seconds=0).best  # 0 s: as the model wrote it
    assert off.parameters["hole 1 diameter"] == pytest.approx(6.56)
    assert off.snapped == ()


# --- closed meshes


def meshed(text, turn=None, drop=0):
    """A mesh file's cloud, RAW, without its first `drop` faces."""
    vertices, faces = mesh_of(build(parse(text)))
    vertices = (vertices if turn is None else vertices @ turn.T) * SCALE + PLACE
    return Cloud.of_mesh(vertices, faces[drop:], name="plate.stl")


@pytest.mark.parametrize("turn", [None, TURN])
def test_a_closed_mesh_is_compared_by_volume_and_nothing_else_is_tried(turn):
    cloud = meshed(PLATE, turn)
    result = rebuilt(cloud, generate=answers(*[BLOCK] * 9), source="both")
    assert result.best.source == "sections"
    assert iou(build(parse(result.best.program)), from_mesh(*cloud.solid)) > 0.995
    report = result.best.report
    assert (report["verdict"], report["unexplained"]) == ("good_match", [])
    assert str(report["input"]) == "closed mesh: compared by volume"
    assert report["candidates"][0]["iou"] > 0.995
    assert str(report["candidates"][0]["source_text"]) == "measured sections"


def test_for_a_closed_mesh_the_greater_iou_wins_not_the_smaller_distance():
    result = rebuilt(meshed(PLATE), candidates=2, generate=answers(HALF, BLOCK), seconds=0)
    assert [part.index for part in result.parts] == [1, 0]
    assert str(result.best.report["verdict"]) == "details_missing"
    assert [entry["kind"] for entry in result.best.report["unexplained"]] == ["hole"]
    assert result.parts[1].assessment.verdict == "no_match"


def test_an_open_mesh_is_rebuilt_as_points():
    result = rebuilt(meshed(PLATE, drop=1), candidates=1, generate=answers(PLATE), seconds=0)
    assert result.given.solid is None
    assert str(result.best.report["input"]).startswith("the mesh is open (3 edges)")
    assert result.best.report["verdict"] == "good_match"
    assert "iou" not in result.best.report["candidates"][0]


@pytest.mark.parametrize("closed", [True, False])
def test_points_that_are_left_out_of_a_large_cloud_are_told(closed, monkeypatch):
    monkeypatch.setattr(given, "MOST_POINTS", 4000)
    mesh = Cloud.of_mesh(*mesh_of(build(parse(PLATE))), name="plate.stl", n_surface=4096)
    scan = mesh if closed else Cloud(mesh.points, None, "plate.xyz", "cloud")
    result = rebuilt(scan, candidates=1, generate=answers(PLATE), seconds=0)
    told = "4,000 of the 4,096 points were used, chosen at random." in map(str, result.remarks)
    assert told is not closed
