"""Arcs go on where the points of their wall do, and tell of the discs that they are of."""

import numpy as np
import pytest

from cadrecode.measure.arcs import discs_of, followed
from cadrecode.measure.pieces import Piece
from cadrecode.measure.walls import Walls
from cadrecode.program.language import Arc, Line, Loop

RADIUS, FLOOR = 10.0, -8.0  # a disc that stands in a floor: they meet at (6, -8) and (-6, -8)


def on_circle(degrees: float) -> np.ndarray:
    return RADIUS * np.array((np.cos(np.radians(degrees)), np.sin(np.radians(degrees))))


def line(start, end) -> Piece:
    start, end = np.array(start, float), np.array(end, float)
    way = end - start
    return Piece(start, end, None, (start + end) / 2, way / np.hypot(*way))


def contour() -> list[Piece]:
    """The disc from 0 to 180 degrees, and the corners to both sides of it filled, as winding numbers fill them."""
    arc = Piece(on_circle(0), on_circle(180), (0.0, 0.0, RADIUS), on_circle(90), np.zeros(2))
    left = [line((-10, 0), (-9.5, -5)), line((-9.5, -5), (-8, FLOOR)), line((-8, FLOOR), (-30, FLOOR))]
    below = [line((-30, FLOOR), (-30, -20)), line((-30, -20), (30, -20)), line((30, -20), (30, FLOOR))]
    return [arc, *left, *below, line((30, FLOOR), (8, FLOOR)), line((8, FLOOR), (9.5, -5)), line((9.5, -5), (10, 0))]


def walls(first: float, last: float) -> Walls:
    """Points on the circle between two angles."""
    points = np.array([on_circle(degrees) for degrees in np.arange(first, last, 2)])
    return Walls(points, points / RADIUS, reach=1.5)


def test_an_arc_goes_on_into_the_corners_that_its_contour_fills():
    pieces = followed(contour(), walls(-50, 230))
    (arc,) = [piece for piece in pieces if piece.circle is not None]
    assert sorted((arc.start, arc.end), key=lambda place: place[0])[0] == pytest.approx((-6, FLOOR), abs=1e-6)
    assert sorted((arc.start, arc.end), key=lambda place: place[0])[1] == pytest.approx((6, FLOOR), abs=1e-6)
    assert len(pieces) == len(contour()) - 4
    ends = [piece.end for piece in pieces]
    assert np.allclose(ends, [piece.start for piece in [*pieces[1:], pieces[0]]])


def test_an_arc_ends_where_its_points_end():
    assert len(followed(contour(), walls(0, 180))) == len(contour())


def test_half_a_circle_is_of_a_disc_and_a_quarter_is_not():
    loop = Loop((8.0, -6.0), (Arc((0.0, 10.0), (-8.0, -6.0)), Line((-8.0, -20.0)), Line((8.0, -20.0))))
    assert list(discs_of(loop)) == [pytest.approx((0, 0, 10), abs=1e-9)]
    quarter = Loop((10.0, 0.0), (Arc(tuple(on_circle(45)), (0.0, 10.0)), Line((0.0, 0.0))))
    assert list(discs_of(quarter)) == []
