"""Scans of what is no part, or not all of one: each gets the verdict that a person would give, and never a crash."""

import importlib

import numpy as np
import pytest

from cadrecode.cloud import Cloud, sample_surface
from cadrecode.config import ReconstructConfig
from cadrecode.engine import Engine
from cadrecode.program import build, mesh_of, parse

HEAD = "import cadquery as cq\nw0=cq.Workplane('XY')\n"
BOX = HEAD + "r=w0.box(60,40,25)"
TWO = HEAD + "r=w0.box(60,40,25).union(w0.workplane(offset=-20).moveTo(60,0).circle(12).extrude(40))"


def cloud(points):
    return Cloud(np.asarray(points, float), None, "scan", "cloud")


def surface(text, n=3000):
    return sample_surface(*mesh_of(build(parse(text))), n, 0)


def rebuilt(scan, **settings):
    """A rebuild by measuring alone; where nothing can be read, the model writes a box."""
    boxes = "import cadquery as cq\nw0=cq.Workplane('XY')\nr=w0.box(200,150,100)"
    engine = Engine(
        load_model=lambda base, device: (Model(), None),
        generate=lambda model, tokenizer, clouds, **options: [boxes] * len(clouds),
    )
    config = ReconstructConfig(source="measured", candidates=1, seconds=1, **settings)
    return engine.reconstruct(scan, config)


class Model:
    device = "fake"

    class point_settings:
        n_points, heard_points, columns = 32, 0, 3


def blob():
    ways = np.random.default_rng(5).normal(size=(3000, 3))
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    return ways * (30 + 6 * np.sin(9 * ways[:, :1]) * np.cos(7 * ways[:, 1:2])) * [1, 0.8, 0.6]


@pytest.fixture(autouse=True)
def _seconds(processor_time, monkeypatch):
    """Limits of time count the processor's seconds, and few of them."""
    module = importlib.import_module("cadrecode.reconstruction.rebuild")  # there is a function of that name, too
    monkeypatch.setattr(module, "LEAST_MEASURING_SECONDS", 3.0)


def test_a_line_says_nothing_about_a_solid():
    along = np.random.default_rng(5).uniform(0, 100, (300, 1)) * (1, 0.5, 0.2)
    for noise in (0.0, 0.05):
        assert (
            rebuilt(cloud(along + np.random.default_rng(5).normal(0, noise, along.shape))).best.assessment.verdict
            == "no_match"
        )


def test_of_a_plane_at_most_a_part_was_seen():
    plane = np.random.default_rng(5).uniform(0, 80, (2000, 3)) * (1, 0.6, 0)
    assert rebuilt(cloud(plane)).best.assessment.verdict in ("partly_seen", "no_match")


@pytest.mark.slow
def test_of_a_box_seen_from_one_side_the_rest_is_a_guess():
    points, normals = surface(BOX)
    result = rebuilt(cloud(points[normals @ (0.5, -0.6, 0.62) > 0.1]))
    assert result.best.assessment.verdict == "partly_seen"


@pytest.mark.slow
def test_what_is_no_part_is_never_a_good_match():
    assert rebuilt(cloud(blob())).best.assessment.verdict in ("details_missing", "no_match")


@pytest.mark.slow
def test_what_lies_around_a_part_is_named_and_its_removal_helps():
    points, _ = surface(BOX)
    dirty = cloud(np.vstack((points, np.random.default_rng(5).uniform(-90, 90, (300, 3)))))
    result = rebuilt(dirty)
    assert result.best.assessment.verdict == "no_match"
    (advice,) = result.advice
    assert "lone points" in str(advice)
    assert "Set clean to all" in str(advice)
    cleaned = rebuilt(dirty, clean="all")
    assert cleaned.best.assessment.verdict in ("good_match", "details_missing")
    assert np.ptp(cleaned.best.vertices, axis=0) == pytest.approx((60, 40, 25), abs=4)
    assert cleaned.advice == ()


@pytest.mark.slow
def test_a_table_under_a_part_is_named():
    points, normals = surface(BOX)
    table = np.random.default_rng(5).uniform(-1, 1, (4000, 3)) * (120, 100, 0) - (0, 0, 12.5)
    bare = ~((abs(table[:, 0]) < 30) & (abs(table[:, 1]) < 20))
    result = rebuilt(cloud(np.vstack((points[normals[:, 2] > -0.5], table[bare]))))
    assert result.best.assessment.verdict != "good_match"
    assert "on the plane that the part stands on" in str(result.advice)


def test_two_parts_are_two_bodies():
    vertices, faces = mesh_of(build(parse(TWO)))
    result = rebuilt(Cloud.of_mesh(vertices, faces))
    assert result.best.assessment.verdict == "good_match"
    assert result.best.about["candidates"][0]["bodies"] == 2


def test_metres_are_recognised():
    result = rebuilt(cloud(surface(BOX)[0] / 1000))
    (advice,) = result.advice
    assert str(advice) == "The longest side is 0.0600 mm. Is the file in metres? Set the unit to m."
