"""Polygons read as shapes."""

import numpy as np
import pytest

from cadrecode.measure.grid import Grid, inside
from cadrecode.measure.levels import levels_of_faces
from cadrecode.measure.outlines import on_levels, outline_of
from cadrecode.program.language import Arc, Circle, Line, Loop, Rect
from cadrecode.program.section import loop_points

TOLERANCE = 0.06


def around(sides: int, radius: float, center=(0.0, 0.0)) -> np.ndarray:
    angles = 2 * np.pi * np.arange(sides) / sides
    return np.column_stack((np.cos(angles), np.sin(angles))) * radius + center


@pytest.mark.parametrize("sides", [12, 24, 96])
def test_a_round_polygon_is_the_circle_through_its_corners(sides):
    outline = outline_of(around(sides, 30, (5, -7)), TOLERANCE)
    assert isinstance(outline.shape, Circle)
    assert outline.shape.radius == pytest.approx(30, abs=1e-3)
    assert outline.place == pytest.approx((5, -7), abs=1e-3)


def test_a_large_hexagon_stays_a_hexagon():
    outline = outline_of(around(6, 30), TOLERANCE)
    assert isinstance(outline.shape, Loop)
    assert len(outline.shape.edges) == 5  # and the way back
    assert all(isinstance(edge, Line) for edge in outline.shape.edges)


def test_a_hole_has_a_negative_area():
    assert outline_of(around(24, 5)[::-1], TOLERANCE).area == pytest.approx(-np.pi * 25, rel=0.02)


def test_a_rectangle_with_corners_on_its_sides_is_a_rectangle():
    polygon = np.array([(-10, -5), (0, -5), (10, -5), (10, 2), (10, 15), (-10, 15)], float)
    outline = outline_of(polygon, TOLERANCE)
    assert outline.shape == Rect(20, 20)
    assert outline.place == (0, 5)


def test_a_rounded_rectangle_has_four_lines_and_four_arcs_where_they_begin():
    corners = [((20, 10), 0), ((-20, 10), 90), ((-20, -10), 180), ((20, -10), 270)]
    polygon = []
    for (x, y), first in corners:
        for angle in np.radians(np.linspace(first, first + 90, 9)):
            polygon.append((x + 6 * np.cos(angle), y + 6 * np.sin(angle)))
    loop = outline_of(np.array(polygon), TOLERANCE).shape
    kinds = [type(edge) for edge in loop.edges]
    assert kinds.count(Arc) == 4
    assert kinds.count(Line) in (3, 4)  # the way back may be a line
    ends = np.array([loop.start, *(edge.end for edge in loop.edges)])
    meant = np.array(
        [
            (x + 6 * dx, y + 6 * dy)
            for x, y in ((20, 10), (-20, 10), (-20, -10), (20, -10))
            for dx, dy in ((np.sign(x), 0), (0, np.sign(y)))
        ]
    )
    assert np.abs(ends[:, None] - meant).sum(axis=2).min(axis=1).max() < 1e-2


def test_what_a_loop_encloses_is_what_the_polygon_did():
    """A gear-like star, a half disk: area within a thousandth."""
    star = np.vstack(
        [
            around(1, r) @ np.array(((np.cos(a), np.sin(a)), (-np.sin(a), np.cos(a))))
            for a, r in zip(np.linspace(0, 2 * np.pi, 24, endpoint=False), [40, 25] * 12)
        ]
    )
    half = around(64, 50)[:33]
    for polygon in (star, half):
        outline = outline_of(polygon, TOLERANCE)
        x, y = np.array(loop_points(outline.shape, 0.02)).T
        assert abs(0.5 * (x @ np.roll(y, -1) - y @ np.roll(x, -1))) == pytest.approx(abs(outline.area), rel=3e-3)


def test_edges_near_a_level_are_put_on_it():
    outline = outline_of(np.array([(-9.995, -5), (10, -5), (10, 5), (-9.995, 5)]), TOLERANCE)
    moved = on_levels(outline, (np.array([-10.0, 10.0]), np.array([-5.0, 5.0])))
    assert moved.shape == Rect(20, 10)


def test_places_inside_of_polygons_with_a_hole():
    u, v = np.linspace(-20, 20, 81) + 0.01, np.linspace(-20, 20, 81) + 0.02
    mask = inside([around(200, 15), around(200, 6)[::-1]], u, v)
    distance = np.hypot(*np.meshgrid(u, v, indexing="ij"))
    sure = (np.abs(distance - 15) > 0.1) & (np.abs(distance - 6) > 0.1)
    assert (mask == ((distance < 15) & (distance > 6)))[sure].all()


def test_cells_end_at_levels_and_fill_the_box():
    levels = [np.array([-100.0, -99.4, 100]), np.array([-50.0, 50]), np.array([-5.0, 0, 5])]
    grid = Grid.between(levels)
    assert grid.volume(np.ones(grid.shape, bool)) == pytest.approx(200 * 100 * 10)
    assert (grid.interval[0] == 0).sum() >= 2  # the sheet has cells of its own


def test_faces_that_look_up_are_kept_apart_from_those_that_look_down():
    heights, facing = np.array([0.3, -0.3, 40.0]), np.array([1.0, -1.0, 1.0])
    levels = levels_of_faces(heights, facing, np.full(3, 5000.0), (-0.3, 40.0), 200.0)
    assert levels.tolist() == [-0.3, 0.3, 40.0]
    # a slanted face is on no level, nor is one that is too small
    assert len(levels_of_faces(heights, np.array([0.9, -1, 1]), np.full(3, 5000.0), (-0.3, 40.0), 200.0)) == 2
    assert len(levels_of_faces(heights, facing, np.full(3, 0.1), (-0.3, 40.0), 200.0)) == 2
