"""What is not the part goes, what is the part stays."""

import numpy as np
import pytest

from cadrecode.cloud import Cloud, read_cloud, sample_surface
from cadrecode.cloud.clean import clean
from cadrecode.invent.draw import FAMILIES, invent
from cadrecode.program import build, mesh_of, parse

HEAD = "import cadquery as cq\nw0=cq.Workplane('XY')\nw1=cq.Workplane('YZ')\n"
BRACKET = (
    HEAD + "r=w0.workplane(offset=10).box(200,100,20).union(w1.workplane(offset=-90).moveTo(0,60).box(100,120,20))"
    ".cut(w0.workplane(offset=0).moveTo(40,10).cylinder(200,20))"
)
SIZE = 200.0

SLABS = [family for family in FAMILIES if family != "machined"]


def part(count=8192, seed=0, noise=0.0):
    vertices, faces = mesh_of(build(parse(BRACKET)))
    points, normals = sample_surface(vertices, faces, count, seed)
    return points + np.random.default_rng(seed).normal(size=points.shape) * noise * SIZE, normals


def table(count, half, seed=1, noise=0.0, under=True):
    """A square of a table at z = 0; what the part hides is missing, unless it is seen from below too."""
    rng = np.random.default_rng(seed)
    points = np.column_stack((rng.uniform(-half, half, (count, 2)), rng.normal(0, noise * SIZE + 1e-9, count)))
    hidden = (np.abs(points[:, 0]) < 100) & (np.abs(points[:, 1]) < 50)
    hidden &= np.hypot(points[:, 0] - 40, points[:, 1] - 10) > 20  # it is seen through the bore
    return points if under else points[~hidden]


def as_cloud(points, normals=None):
    return Cloud(points, normals, "scan", "cloud")


@pytest.mark.parametrize("noise", [0.0, 0.003])
@pytest.mark.parametrize("own_bottom", [True, False])
def test_the_table_goes_and_the_part_keeps_its_bottom(noise, own_bottom):
    points, _ = part(noise=noise)
    if not own_bottom:
        points = points[points[:, 2] > 4 * noise * SIZE + 1]
    around = table(8000, 250, noise=noise, under=False)
    cleaned = clean(as_cloud(np.vstack((points, around))))
    of_part, of_table = cleaned.remaining[: len(points)], cleaned.remaining[len(points) :]
    assert of_table.mean() < 0.02
    assert of_part.mean() > 0.97
    assert cleaned.table == pytest.approx(len(around), rel=0.06)
    assert "on the plane that the part stands on" in str(cleaned)
    if own_bottom:
        bottom = points[:, 2] < 3 * noise * SIZE + 0.5
        assert of_part[bottom].mean() > 0.85  # all but its rim
    size = np.ptp(cleaned.cloud.points, axis=0)
    np.testing.assert_allclose(size, np.ptp(points, axis=0), atol=0.08 * SIZE)


def test_a_wall_behind_one_view_of_the_part_goes():
    points, normals = part(20_000)
    seen = points[normals[:, 2] > 0.5] + (0, 0, 60)
    wall = table(6000, 220)
    cleaned = clean(as_cloud(np.vstack((seen, wall))))
    assert cleaned.remaining[: len(seen)].mean() > 0.99
    assert cleaned.remaining[len(seen) :].mean() < 0.02


def test_lone_points_go_and_are_counted():
    points, normals = part()
    rng = np.random.default_rng(5)
    far = rng.uniform(-1.5, 1.5, (200, 3)) * SIZE
    far = far[np.abs(far).max(axis=1) > 0.75 * SIZE]
    order = rng.permutation(len(points) + len(far))
    cleaned = clean(as_cloud(np.vstack((points, far))[order], np.vstack((normals, far))[order]), surroundings=False)
    was_far = order >= len(points)
    assert cleaned.remaining[was_far].mean() < 0.05
    assert cleaned.remaining[~was_far].mean() > 0.999
    assert (cleaned.table, cleaned.pieces) == (0, 0)
    assert cleaned.outliers == np.count_nonzero(~cleaned.remaining)
    assert f"took {cleaned.outliers} lone points" in str(cleaned)
    np.testing.assert_array_equal(cleaned.cloud.points, np.vstack((points, far))[order][cleaned.remaining])
    np.testing.assert_array_equal(cleaned.cloud.normals, np.vstack((normals, far))[order][cleaned.remaining])


def test_a_small_piece_apart_goes_and_the_walls_of_a_hollow_stay():
    points, _ = part()
    crumb = np.random.default_rng(2).normal(size=(150, 3)) * 3 + (0, 0, 300)
    hollow = np.random.default_rng(3).normal(size=(300, 3))
    hollow = hollow / np.linalg.norm(hollow, axis=1, keepdims=True) * 4 + (-40, 0, 10)  # a ball in the thick of it
    cleaned = clean(as_cloud(np.vstack((points, crumb, hollow))))
    stayed = np.split(cleaned.remaining, (len(points), len(points) + len(crumb)))
    assert [round(side.mean(), 2) for side in stayed] == [1, 0, 1]
    assert "150 in pieces apart from the part" in str(cleaned)


@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_a_clean_part_stays_whole(noise):
    lost = []
    for seed in range(len(SLABS)):
        family = SLABS[seed]
        vertices, faces = mesh_of(build(invent(np.random.default_rng([1, seed]), family)))
        points, _ = sample_surface(vertices, faces, 8192, seed)
        points = points + np.random.default_rng(seed).normal(size=points.shape) * noise * np.ptp(points, axis=0).max()
        lost.append(1 - clean(as_cloud(points)).remaining.mean())
    assert max(lost) < 0.005
    assert np.median(lost) < 0.001


def test_one_view_of_a_box_from_a_corner_is_no_table():
    rng = np.random.default_rng(0)
    points = np.where(np.arange(6000)[:, None] % 3 == np.arange(3), 1.0, rng.random((6000, 3)))
    cleaned = clean(as_cloud(points * (3, 2, 1)))
    assert cleaned.remaining.all()
    assert str(cleaned) == "nothing to take from 6,000 points"


@pytest.mark.parametrize("points", [np.eye(3), np.zeros((40, 3)), np.column_stack((np.arange(50.0),) * 3)])
def test_what_has_no_surface_is_given_back_as_it_is(points):
    assert clean(as_cloud(points)).remaining.all()


def test_scans_of_whole_things_stay_whole(shared_data):
    for file in sorted((shared_data / "scans").iterdir()):
        cleaned = clean(read_cloud(file))
        least = 0.94 if "machined" in file.name else 0.999  # crumbs beside it
        assert cleaned.remaining.mean() > least, (file.name, str(cleaned))
