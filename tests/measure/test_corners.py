"""Rounded corners that the contour of a cloud cuts off."""

import numpy as np
import pytest

from cadrecode.measure.corners import with_fillets
from cadrecode.measure.pieces import Piece
from cadrecode.measure.walls import Walls

HALF, APART = 40.0, 0.4


def walls(radius: float) -> Walls:
    """Points of a square of 80 with rounded corners, 0.4 apart, at three heights."""
    inner = HALF - radius
    points, normals = [], []
    for turn in range(4):
        quarter = np.linalg.matrix_power(np.array(((0, -1), (1, 0))), turn)
        side = np.arange(-inner, inner, APART)
        angles = np.arange(0, np.pi / 2, APART / max(radius, APART))
        ways = np.column_stack((np.cos(angles), np.sin(angles)))
        points += [np.column_stack((np.full(len(side), HALF), side)) @ quarter.T, (inner + radius * ways) @ quarter.T]
        normals += [np.tile((1.0, 0.0), (len(side), 1)) @ quarter.T, ways @ quarter.T]
    return Walls(np.vstack(points * 3), np.vstack(normals * 3), reach=2.3)


def closed(*corners: tuple[float, float]) -> list[Piece]:
    ends = np.array(corners)
    made = []
    for start, end in zip(ends, np.roll(ends, -1, axis=0)):
        made.append(Piece(start, end, None, (start + end) / 2, (end - start) / np.hypot(*(end - start))))
    return made


@pytest.mark.parametrize("clockwise", [False, True])
@pytest.mark.parametrize(("radius", "cut"), [(12.0, 7.0), (3.0, 0.0)])
def test_a_corner_is_an_arc_where_its_points_are(radius, cut, clockwise):
    """Whether the contour has a bevel there, or nothing."""
    ends = [(HALF - cut, HALF), (HALF, HALF - cut)][: 1 + bool(cut)]
    corners = [(x * way, y * way) for way in (1, -1) for x, y in (*ends, *((b, -a) for a, b in ends))]
    pieces = with_fillets(closed(*corners[:: 1 if clockwise else -1]), walls(radius))
    arcs = [piece for piece in pieces if piece.circle is not None]
    assert len(arcs) == 4
    assert len(pieces) == 8
    for arc in arcs:
        np.testing.assert_allclose(np.abs(arc.circle), (HALF - radius, HALF - radius, radius), atol=0.02)


def test_a_sharp_corner_stays():
    sharp = closed((-HALF, -HALF), (HALF, -HALF), (HALF, HALF), (-HALF, HALF))
    assert all(piece.circle is None for piece in with_fillets(sharp, walls(1e-9)))


@pytest.mark.parametrize("lean", [0.0, 1.5])
def test_an_arc_touches_both_sides_where_points_say_so(lean):
    """A contour's arc has the right circle, but not the right ends: those of a bevel, or of a bulge."""
    radius, inner = 12.0, HALF - 12.0
    pieces = []
    for side in closed((-HALF, -HALF), (HALF, -HALF), (HALF, HALF), (-HALF, HALF)):
        way = (side.end - side.start) / (2 * HALF)
        start, end = side.start + (radius - 3) * way, side.end - (radius - 3) * way
        corner, after = side.end, np.array((-way[1], way[0]))
        center = np.sign(corner) * (inner + lean / 10)
        pieces.append(Piece(start, end, None, (start + end) / 2, way))
        bulge = center + radius * (corner - center) / np.hypot(*(corner - center))
        ends = end, corner + (radius - 3) * after
        pieces.append(Piece(*ends, (*center, radius - lean / 10), bulge, ends[1] - ends[0]))
    for arc in with_fillets(pieces, walls(radius))[1::2]:
        np.testing.assert_allclose(np.abs(arc.circle), (inner, inner, radius), atol=0.02)
        np.testing.assert_allclose(np.sort(np.abs((arc.start, arc.end)), axis=1), [(inner, HALF)] * 2, atol=0.05)
