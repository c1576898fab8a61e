import math

import numpy as np
import pytest

from cadrecode.errors import ProgramError
from cadrecode.program import build, from_mesh, iou, mesh_of, parse
from cadrecode.program.solid import bounds, is_single_body, sample


def solid(text: str):
    return build(parse(f"import cadquery as cq\nr={text}"))


def test_box_stands_where_cadquery_puts_it():
    low, high = bounds(solid("cq.Workplane('YZ',origin=(5,0,0)).workplane(offset=15/2).moveTo(1,2).box(4,6,15)"))
    # YZ: local x is the world's y, local y its z, the normal its x
    np.testing.assert_allclose(low, (5, -1, -1))
    np.testing.assert_allclose(high, (20, 3, 5))


def test_negative_and_two_sided_extrusions():
    low, high = bounds(solid("cq.Workplane('XY').sketch().rect(2,2).finalize().extrude(-3)"))
    assert (low[2], high[2]) == (-3, 0)
    low, high = bounds(solid("cq.Workplane('XY').sketch().rect(2,2).finalize().extrude(3,both=True)"))
    assert (low[2], high[2]) == (-3, 3)


def test_a_rotated_plane_turns_the_solid():
    low, high = bounds(solid("cq.Workplane(cq.Plane((0,0,0),(1,1,0),(0,0,1))).box(2,2,1)"))
    np.testing.assert_allclose(high - low, (2 * math.sqrt(2), 2 * math.sqrt(2), 1))


def test_volumes_are_those_of_geometry():
    assert solid("cq.Workplane('XY').cylinder(10,5)").volume() == pytest.approx(math.pi * 250, rel=2e-3)
    half_disc = "cq.Workplane('XY').sketch().arc((-5,0),(0,5),(5,0)).close().assemble().finalize().extrude(2)"
    assert solid(half_disc).volume() == pytest.approx(math.pi * 25, rel=2e-3)
    holed = "cq.Workplane('XY').sketch().rect(10,10).push([(-2,0),(2,0)]).circle(1,mode='s').finalize().extrude(1)"
    assert solid(holed).volume() == pytest.approx(100 - 2 * math.pi, rel=2e-3)
    common = "cq.Workplane('XY').box(4,4,4).intersect(cq.Workplane('XY').moveTo(2,0).box(4,4,4))"
    assert solid(common).volume() == pytest.approx(32)


def test_size_does_not_change_the_number_of_sides():
    small = solid(
        "cq.Workplane('XY').sketch().circle(0.05).push([(0.01,0)]).circle(0.01,mode='s').finalize().extrude(0.1)"
    )
    large = solid("cq.Workplane('XY').sketch().circle(50).push([(10,0)]).circle(10,mode='s').finalize().extrude(100)")
    assert small.num_tri() == large.num_tri()


@pytest.mark.parametrize(
    "text",
    [
        "cq.Workplane('XY').sketch().circle(1).circle(2,mode='s').finalize().extrude(1)",
        "cq.Workplane('XY').box(1,1,1).cut(cq.Workplane('XY').box(2,2,2))",
    ],
)
def test_nothing_left_is_an_error(text):
    with pytest.raises(ProgramError):
        solid(text)


def test_iou_of_shifted_cubes():
    a = solid("cq.Workplane('XY').box(2,2,2)")
    b = solid("cq.Workplane('XY').moveTo(1,0).box(2,2,2)")
    assert iou(a, b) == pytest.approx(1 / 3)
    assert iou(a, a) == pytest.approx(1)


def test_a_mesh_comes_back_as_the_same_solid_and_an_open_one_is_refused():
    cube = solid("cq.Workplane('XY').box(2,3,4)")
    vertices, faces = mesh_of(cube)
    soup = vertices[faces].reshape(-1, 3)  # as in an STL: no vertex is shared
    again = from_mesh(soup, np.arange(len(soup)).reshape(-1, 3))
    assert again.volume() == pytest.approx(24)
    with pytest.raises(ProgramError, match="not a closed solid"):
        from_mesh(vertices, faces[1:])


def test_a_cavity_is_a_second_shell():
    assert is_single_body(solid("cq.Workplane('XY').box(4,4,4)"))
    assert not is_single_body(solid("cq.Workplane('XY').box(4,4,4).cut(cq.Workplane('XY').box(1,1,1))"))


def test_samples_lie_on_the_surface_with_outward_normals():
    points, normals = sample(solid("cq.Workplane('XY').box(2,2,2)"), 500, np.random.default_rng(0))
    np.testing.assert_allclose(np.abs(points).max(axis=1), 1)
    np.testing.assert_allclose((points * normals).sum(axis=1), 1)


def test_what_stands_on_a_sum_of_decimals_is_one_body_with_it():
    """34.3 + 12.1 is 46.400000000000006."""
    text = (
        "w0=cq.Workplane('XY',origin=(0,0,34.3))\nw1=cq.Workplane('XY',origin=(0,0,46.4))\n"
        "r=w0.{}.union(w1.workplane(offset=20.2/2).cylinder(20.2,30))"
    )
    for lower in (
        "workplane(offset=12.1/2).cylinder(12.1,50)",
        "workplane(offset=12.1/2).box(100,90,12.1)",
        "sketch().rect(100,90).finalize().extrude(12.1)",
    ):
        assert is_single_body(build(parse(text.format(lower))))
    above = build(parse(text.replace("46.4", "46.5").format("sketch().rect(100,90).finalize().extrude(12.1)")))
    assert not is_single_body(above)
