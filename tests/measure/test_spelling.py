"""What is drawn is written in few words: rounded corners as such, and equal outlines once."""

import math

import pytest

from cadrecode.measure.features import Prism, numbers_of, program_of
from cadrecode.measure.proposals import region_of
from cadrecode.measure.spelling import respelled_steps
from cadrecode.program import parse, write
from cadrecode.program.language import Arc, Circle, Line, Loop, Mode, Operation, Rect, SketchStep

HALF = math.sqrt(0.5)


def rounded_box(width, height, radius, x=0.0, y=0.0, corners=((1, -1), (1, 1), (-1, 1), (-1, -1))):
    """The loop of a rectangle, counter-clockwise from its lower left, with some of its corners rounded."""
    edges, start = [], None
    for sx, sy in ((1, -1), (1, 1), (-1, 1), (-1, -1)):
        corner = x + sx * width / 2, y + sy * height / 2
        if (sx, sy) not in corners:
            edges.append(Line(corner))
            continue
        middle = corner[0] - sx * radius, corner[1] - sy * radius
        ends = (corner[0] - sx * radius, corner[1]), (corner[0], corner[1] - sy * radius)
        first, last = ends if sx == -sy else ends[::-1]
        bulge = middle[0] + sx * radius * HALF, middle[1] + sy * radius * HALF
        edges += [Line(first), Arc(bulge, last)]
    start = edges[-1].end
    return Loop(start, tuple(edges))


def slot(x, y):
    return Loop(
        (x - 30, y - 15),
        (
            Line((x + 30, y - 15)),
            Arc((x + 45, y), (x + 30, y + 15)),
            Line((x - 30, y + 15)),
            Arc((x - 45, y), (x - 30, y - 15)),
        ),
    )


def text_of(steps):
    return write(program_of([Prism(Operation.UNION, 2, 0.0, 10.0, steps)]))


def assert_same(steps, shorter):
    one, other = region_of(steps), region_of(shorter)
    assert (one - other).area() + (other - one).area() < 1e-3 * one.area()
    assert write(parse(text_of(shorter))) == text_of(shorter)


@pytest.mark.parametrize(
    ("loop", "words"),
    [
        (rounded_box(80, 40, 10), ".rect(80,40).vertices().fillet(10)"),
        (rounded_box(80, 40, 2.5, 7, -3), ".push([(7,-3)]).rect(80,40).reset().vertices().fillet(2.5)"),
        (rounded_box(80, 40, 6, corners=((1, -1), (1, 1))), ".rect(80,40).vertices('>X').fillet(6)"),
    ],
    ids=["all corners", "off the middle", "one side"],
)
def test_a_rounded_rectangle_is_written_as_one(loop, words):
    steps = (SketchStep(loop),)
    shorter = respelled_steps(steps)
    assert words in text_of(shorter)
    assert_same(steps, shorter)


def test_a_rounded_pocket_of_a_sketch_keeps_the_corners_of_the_rest():
    steps = (SketchStep(Rect(100, 60)), SketchStep(rounded_box(50, 30, 5), Mode.SUBTRACT))
    shorter = respelled_steps(steps)
    assert ".rect(50,30).vertices().fillet(5)" in text_of(shorter)
    assert_same(steps, shorter)


def test_equal_slots_are_written_once_with_their_places():
    steps = (SketchStep(Rect(200, 160)), *(SketchStep(slot(x, y), Mode.SUBTRACT) for x, y in ((-40, 30), (40, -50))))
    shorter = respelled_steps(steps)
    assert text_of(shorter).count(".arc(") == 2
    assert numbers_of(shorter) < numbers_of(steps)
    assert_same(steps, shorter)


@pytest.mark.parametrize(
    "steps",
    [
        (SketchStep(slot(0, 0)),),
        (SketchStep(rounded_box(80, 40, 6, corners=((1, 1), (-1, -1)))),),
        (
            SketchStep(Rect(200, 160)),
            SketchStep(slot(-40, 30), Mode.SUBTRACT),
            SketchStep(Circle(9)),
            SketchStep(slot(40, -50), Mode.SUBTRACT),
        ),
    ],
    ids=["round ends", "opposite corners", "another mode between"],
)
def test_what_no_shorter_word_says_stays_as_it_is(steps):
    assert respelled_steps(steps) == steps


def test_a_slot_counts_as_one_however_it_is_written():
    assert numbers_of([SketchStep(slot(10, 20))]) == 5
    bent = Loop((0, 0), (Line((60, 0)), Arc((75, 15), (60, 30)), Line((0, 30)), Arc((15, 15), (0, 0))))
    assert numbers_of([SketchStep(bent)]) == 14


def test_round_corners_cost_one_number_more_than_sharp_ones():
    assert numbers_of([SketchStep(rounded_box(100, 60, 10))]) == 3
