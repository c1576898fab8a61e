"""Origins of planes at simple places."""

import pytest

from cadrecode.program import build, iou, parse, write
from cadrecode.snapping import snapped
from cadrecode.snapping.origins import simple_origins, with_origins

HOUSING = """import cadquery as cq
w0=cq.Workplane('XY',origin=(310,55,0))
w1=cq.Workplane('ZX',origin=(310,46,{z}))
w2=cq.Workplane('ZY',origin=(310,55,{z}))
w3=cq.Workplane('ZX',origin=(310,40,0))
r=w0.sketch().rect(78,24).finalize().extrude(10).union(w1.sketch().push([({middle},0)]).rect(30,38).push([({axis},0)])\
.circle(11,mode='s').finalize().extrude(18)).union(w2.sketch().push([({ring},0)]).rect(4,20).finalize()\
.revolve(360,({axis},0),({axis},1))).cut(w3.sketch().push([(25,12)]).circle(2).finalize().extrude(30))"""


def housing(z: float):
    places = {name: f"{place - z:g}" for name, place in (("middle", 25), ("axis", 27), ("ring", 45))}
    return parse(HOUSING.format(z=z, **places))


def test_places_are_those_of_the_file_where_that_is_shorter():
    middle, zero = housing(22.97), housing(0)
    simple = with_origins(middle, simple_origins(middle, 3))
    assert write(simple) == write(zero)
    assert iou(build(simple), build(middle)) == pytest.approx(1, abs=1e-6)


def test_an_origin_that_makes_places_short_is_kept():
    text = "import cadquery as cq\nw0=cq.Workplane('XY',origin=(12.5,7.5,0))\n"
    program = parse(text + "r=w0.sketch().rect(25,15).push([(0,5)]).circle(2,mode='s').finalize().extrude(4)")
    assert with_origins(program, simple_origins(program, 3)) == program


def test_far_from_zero_the_next_whole_number_is_shorter():
    text = "import cadquery as cq\nw0=cq.Workplane('XY',origin=(20000.3,0,0))\n"
    program = parse(
        text + "r=w0.sketch().push([(-0.3,0),(9.7,2),(19.7,3),(24.7,6),(31.7,1)]).rect(5,5).finalize().extrude(4)"
    )
    assert simple_origins(program, 3) == [20000, 0]


def test_numbers_that_become_simple_have_the_names_and_places_of_the_program_that_is_written():
    rough = parse(write(housing(22.97)).replace("rect(30,38)", "rect(30,38.02)"))
    simple, snaps = snapped(rough, 0.025, lambda program: True, decimals=3)
    assert write(simple) == write(housing(0))
    assert [str(snap) for snap in snaps] == ["38.02 -> 38: whole, within 0.025"]
