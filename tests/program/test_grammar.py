"""What may come next in a program, a character at a time."""

import numpy as np
import pytest

from cadrecode.errors import ProgramError
from cadrecode.invent.held_out import held_out
from cadrecode.program import parse, write
from cadrecode.program.grammar import MOST_PLANES, grammar
from cadrecode.program.language import Box, Operation, Plane, Program, Step

HEAD = "import cadquery as cq\nw0=cq.Workplane('XY',origin=(0,0,0))\nr="
SKETCH = "w0.sketch().circle(5)"


def is_whole(text):
    return grammar().is_whole(grammar().read(grammar().start, text))


def begins_a_program(text):
    return not grammar().is_dead(grammar().read(grammar().start, text))


@pytest.mark.parametrize("family", ["general", "designs", "brackets"])
def test_what_is_written_of_invented_parts_is_in_it(family):
    for index in range(60):
        text = write(held_out(family, index))
        assert is_whole(text), text
        assert not is_whole(text[:-1])


@pytest.mark.parametrize(
    "solid",
    [
        "w0.sketch().segment((0,0),(9,0)).arc((10,5),(9.5,9)).segment((0,0)).assemble().finalize().extrude(-3,both=True)",
        "w0.sketch().arc((0,0),(3,1),(5,5)).close().assemble(mode='i').reset().rect(2,0.5).finalize().extrude(1)",
        "w0.sketch().push([(1,2),(-3,4.25)]).circle(5,mode='s').finalize().extrude(1)",
        "w0.sketch().face(w0.sketch().rect(5,5).circle(1,mode='s'),mode='s').finalize().extrude(1)",
        "w0.workplane(offset=-15/2).moveTo(1,2).box(1,2,3).cut(w0.workplane(offset=0.5).cylinder(3,4))",
        "w0.sketch().rarray(168.5/13,1,14,1).rect(6,120).finalize().extrude(40)",
        "w0.sketch().parray(12,10,360,5).rect(6,2).reset().vertices('>Y').chamfer(2).reset().finalize().extrude(5,taper=-3)",
        "w0.sketch().push([(5,0)]).circle(2).finalize().revolve(90,(0,0),(0,1))",
        "w0.workplane(offset=1).sphere(3).copyWorkplane(w0).center(1,0).polarArray(4,0,360,5).cskHole(2,4,82,1)",
        "w0.workplane(offset=0/2).box(1,2,3).faces('>Z').edges('|X or %CIRCLE').fillet(0.5).shell(-0.1)"
        ".mirror('YZ',(0,0,0),union=True)",
        "w0.workplane(offset=0/2).box(1,2,3).union(w0.workplane(offset=1).box(1,2,3).intersect(w0.workplane(offset=1).box(9,9,9)))",
    ],
)
def test_each_construct_of_the_language_is_in_it(solid):
    assert is_whole(HEAD + solid)
    assert write(parse(HEAD + solid))  # so that no example here is outside of the language


@pytest.mark.parametrize(
    "text",
    [
        "import cadquery as cq\nr=",  # no workplane
        HEAD + "w1",  # a name that is not assigned
        "import cadquery as cq\nw1",  # names are assigned in order
        HEAD + "w0.sketch().finalize",  # an empty sketch
        HEAD + "w0.sketch().circle(0)",  # no length
        HEAD + "w0.sketch().circle(-",
        HEAD + "w0.sketch().segment((0,0),(1,0)).assemble",  # a single line
        HEAD + SKETCH + ".finalize().extrude(0)",
        HEAD + SKETCH + ".extrude",
        HEAD + SKETCH + ".finalize().extrude(1).edges('|Q",
        HEAD + SKETCH + ".finalize().extrude(1).fillet",
        HEAD + "w0.workplane(offset=01",
        HEAD + "w0.workplane(offset=12345",  # more than a CODE frame holds
        HEAD + "w0.workplane(offset=1.1234567",
    ],
)
def test_what_is_no_program_is_seen_where_it_goes_wrong(text):
    assert not begins_a_program(text)


def test_as_many_workplanes_as_it_says():
    def standing_on(count):
        planes = [Plane.named("XY", (0, 0, height)) for height in range(count)]
        return write(Program(tuple(Step(Operation.UNION, Box(plane, 0, (0, 0), 1, 1, 1)) for plane in planes)))

    assert is_whole(standing_on(MOST_PLANES))
    assert not begins_a_program(standing_on(MOST_PLANES + 1))


@pytest.mark.slow
def test_whatever_it_allows_is_read_but_for_what_takes_arithmetic():
    """Letters drawn at random from those that may come next."""
    rng = np.random.default_rng(0)
    letters = sorted(set(HEAD + "0123456789.,-()[]'=/abcdefghijklmnopqrstuvwxyzXYZWPMTBoTACELINRH<>|#+% "))
    read, errors = 0, []
    while read < 10:
        text, state = "", grammar().start
        while len(text) < 600 and not (grammar().is_whole(state) and rng.random() < 0.3):
            afters = {letter: grammar().read(state, letter) for letter in letters}
            letter = rng.choice([letter for letter, after in afters.items() if not grammar().is_dead(after)])
            text, state = text + letter, afters[letter]
        if grammar().is_whole(state):
            read += 1
            try:
                parse(text)
            except ProgramError as error:
                errors.append(str(error))
    strange = [
        error
        for error in errors
        if not any(
            word in error
            for word in ("loop", "ends where it begins", "parallel", "taper", "axis", "angle", "array", "corners")
        )
    ]
    assert not strange
    assert len(errors) < read / 2
