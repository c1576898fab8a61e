"""Noise thickens walls for whoever looks at distances alone."""

import numpy as np
import pytest

from cadrecode.cloud import sample_surface
from cadrecode.fit import fit, ruler_for
from cadrecode.fit.numbers import least_squares
from cadrecode.fit.objective import Objective
from cadrecode.fit.unbiased import unbiased
from cadrecode.program import build, iou, mesh_of, parse, write

HEAD = "import cadquery as cq\nw0=cq.Workplane('XY')\n"
NOISE = 2.0


def plate(length=200, width=120, height=6):
    return parse(f"{HEAD}r=w0.workplane(offset=0/2).box({length},{width},{height})")


def noisy(program, seed=0):
    points, _ = sample_surface(*mesh_of(build(program)), 2048, seed)
    return points + NOISE * np.random.default_rng(seed).standard_normal(points.shape)


def objective_of(program, points):
    return Objective(ruler_for(points), program, np.inf, fine=True)


@pytest.mark.parametrize("seed", range(3))
def test_a_thin_plate_gets_its_thickness_where_least_squares_make_it_thicker(seed):
    given, points = plate(196, 124, 6), noisy(plate(height=4), seed)
    objective = objective_of(given, points)
    nearest = least_squares(given, objective.cost(given), objective)[0].steps[0].solid
    solid = unbiased(given, given, objective)[0].steps[0].solid
    assert nearest.depth > 4.4
    assert solid.depth == pytest.approx(4, abs=0.35)
    assert (solid.width, solid.height) == pytest.approx((200, 120), abs=1.5)


def test_what_is_right_stays_to_the_digit():
    objective = objective_of(plate(), noisy(plate()))
    assert unbiased(plate(), plate(), objective)[0] == plate()


def test_a_number_that_the_cloud_does_not_contradict_stays_while_another_moves():
    given = plate(height=12)
    solid = unbiased(given, given, objective_of(given, noisy(plate())))[0].steps[0].solid
    assert (solid.width, solid.height) == (200, 120)
    assert solid.depth == pytest.approx(6, abs=0.6)


def test_the_noise_is_told():
    objective = objective_of(plate(), noisy(plate()))
    assert unbiased(plate(), plate(), objective)[1] == pytest.approx(NOISE, rel=0.08)


def test_another_structure_is_believed_only_when_the_points_are_its_own():
    thin = plate()
    holed = parse(write(thin) + ".cut(w0.workplane(offset=0/2).moveTo(40,0).cylinder(40,20))")
    for part, is_holed in ((thin, False), (holed, True)):
        objective = objective_of(thin, noisy(part))
        assert objective.explains_better(holed, thin, NOISE) is is_holed


@pytest.mark.slow
def test_a_noisy_cloud_of_a_thin_part_is_fitted():
    part = parse(
        f"{HEAD}r=w0.sketch().rect(200,100).push([(60,0),(-60,0)]).circle(20,mode='s').finalize().extrude(8)"
        ".union(w0.workplane(offset=35).moveTo(0,46).box(200,8,70))"
    )
    off = parse(write(part).replace("circle(20", "circle(23").replace("extrude(8)", "extrude(11)"))
    fitted = fit(off, noisy(part), seconds=6)
    assert iou(build(off), build(part)) < 0.87
    assert iou(build(fitted.program), build(part)) > 0.97
