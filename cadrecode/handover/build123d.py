"""A program as build123d writes it, in its algebra mode."""

from __future__ import annotations

import keyword

import numpy as np

from cadrecode.handover.choices import FUNCTIONS, choice
from cadrecode.handover.walk import Words, numbers, step_of
from cadrecode.program import language as cad
from cadrecode.program.planes import axes
from cadrecode.program.write import Marked
from cadrecode.program.write import number as n

SIGNS = {cad.Operation.UNION: "+", cad.Operation.CUT: "-", cad.Operation.INTERSECT: "&"}
OWN = """
def middle(item):
    return tuple(item.center(CenterOf.MASS)) if not isinstance(item, Vertex) else (item.X, item.Y, item.Z)


def heading(item):
    if isinstance(item, Face) and item.geom_type == GeomType.PLANE:
        return tuple(item.normal_at())
    if isinstance(item, Edge) and item.geom_type == GeomType.LINE:
        return tuple(item % 0)
    return None


def kind(item):
    return item.geom_type.name


def has(items, item):
    return any(item.is_same(other) for other in items)


def edges_of(faces):
    edges = []
    for face in faces:
        edges = either(edges, list(face.edges()))
    return edges
"""


class Build123d(Words):
    taken = frozenset(keyword.kwlist) | {
        "fillet", "chamfer", "mirror", "shell", "box", "cylinder", "sphere", "circle", "part", "extrude", "revolve",
        "offset", "far", "dot", "headed", "along", "across", "facing", "of_kind", "both", "either", "without", "middle",
        "heading", "kind", "has", "edges_of", "split", "section", "loft", "sweep", "add", "scale", "project", "draft",
    }  # fmt: skip

    def __init__(self, marked: Marked):
        super().__init__(marked)
        self.chooses = False

    def top(self, name: str) -> str:
        sizes = "\n".join(f"{size} = {n(value)}" for size, value in self.marked.sizes.items())
        functions = f"\n{OWN}\n{FUNCTIONS}\n" if self.chooses else ""
        return (
            f'"""{name}, in millimetres, for build123d (pip install build123d)."""\n\nfrom math import radians, tan\n\n'
            f"from build123d import *\n{functions}\n{sizes}\n"
        )

    def assigned(self, name: str, expression: str) -> tuple[str, str]:
        return f"{name} = {expression}", name

    def end(self, name: str, body: str) -> str:
        return (
            f'part = {body}\n\nif __name__ == "__main__":\n    part.label = {name!r}\n'
            f"    export_step(part, {name + '.step'!r})"
        )

    def circle(self, radius: float) -> str:
        return f"Circle({n(radius)})"

    def rectangle(self, width: float, height: float) -> str:
        return f"Rectangle({n(width)}, {n(height)})"

    def loop(self, loop: cad.Loop) -> str:
        pieces, here = [], loop.start
        for edge in loop.edges:
            if isinstance(edge, cad.Line):
                pieces.append(f"Line({numbers(here)}, {numbers(edge.end)})")
            else:
                pieces.append(f"ThreePointArc({numbers(here)}, {numbers(edge.middle)}, {numbers(edge.end)})")
            here = edge.end
        if here != loop.start:
            pieces.append(f"Line({numbers(here)}, {numbers(loop.start)})")
        return f"make_face([{', '.join(pieces)}])"

    def outlines(self, polygons: list[np.ndarray]) -> str:
        raise AssertionError("build123d has all outlines")

    mesh = outlines

    def corners(self, area: str, corners: cad.Corners) -> str:
        vertices = "vertices()"
        if corners.selector is None:
            return f"(lambda area: {corners.blend}(area.{vertices}, {n(corners.size)}))({area})"
        self.chooses = True
        chosen = choice(f"list(area.{vertices})", corners.selector)
        return f"(lambda area: {corners.blend}({chosen}, {n(corners.size)}))({area})"

    def at(self, shape: str, places: cad.Places, *, is_solid: bool = False) -> str:
        none, shape = "Part()" if is_solid else "Sketch()", _grouped(shape)
        match places:
            case cad.Ring((x, y), radius, first, _, count):
                turned = f"Rot(0, 0, {n(first)} + {n(step_of(places))} * i) * Pos({n(radius)}, 0)"
                return f"{none} + [Pos({n(x)}, {n(y)}) * {turned} * {shape} for i in range({count})]"
            case cad.Grid((x, y), dx, dy, columns, rows):
                grid = f"GridLocations({n(dx)}, {n(dy)}, {columns}, {rows})"
                return f"{none} + [Pos({n(x)}, {n(y)}) * place * {shape} for place in {grid}]"
        if len(places) == 1:
            return f"Pos{numbers(places[0])} * {shape}"
        points = ", ".join(numbers(place) for place in places)
        return f"{none} + [Pos(x, y) * {shape} for x, y in [{points}]]"

    def joined(self, operation: cad.Operation, first: str, second: str) -> str:
        return f"{_grouped(first)} {SIGNS[operation]} {_grouped(second)}"

    def extruded(self, area: str, solid: cad.Extrusion) -> str:
        both = ", both=True" if solid.both else ""
        taper = f", taper={n(solid.taper)}" if solid.taper else ""
        return f"extrude({area}, {n(solid.distance)}, dir=(0, 0, 1){both}{taper})"

    def revolved(self, area: str, solid: cad.Revolution, true: cad.Revolution) -> str:
        axis = f"Axis({numbers((*solid.start, 0))}, {numbers((*solid.direction, 0))})"
        return f"revolve({area}, {axis}, {n(solid.degrees)})"

    def _standing(self, solid: cad.Box | cad.Cylinder | cad.Sphere, made: str) -> str:
        place = (*solid.center, solid.offset)
        return made if place == (0, 0, 0) else f"Pos{numbers(place)} * {made}"

    def box(self, solid: cad.Box) -> str:
        return self._standing(solid, f"Box({n(solid.width)}, {n(solid.height)}, {n(solid.depth)})")

    def cylinder(self, solid: cad.Cylinder) -> str:
        return self._standing(solid, f"Cylinder({n(solid.radius)}, {n(solid.height)})")

    def sphere(self, solid: cad.Sphere) -> str:
        return self._standing(solid, f"Sphere({n(solid.radius)})")

    def drill(self, diameter: float, depth: float) -> str:
        return f"Pos(0, 0, -{n(depth)}/2) * Cylinder({n(diameter)}/2, {n(depth)})"

    def sink(self, head: cad.Countersink) -> str:
        depth = f"{n(head.diameter)}/2/tan(radians({n(head.degrees)}/2))"
        return f"Pos(0, 0, -{depth}/2) * Cone(0, {n(head.diameter)}/2, {depth})"

    def placed(self, plane: cad.Plane, solid: str) -> str:
        x, normal = axes(plane).T[[0, 2]] + 0.0
        if not np.any(plane.origin) and np.allclose((x, normal), ((1, 0, 0), (0, 0, 1))):
            return solid
        return f"Plane({numbers(plane.origin)}, {numbers(x)}, {numbers(normal)}) * {_grouped(solid)}"

    def moved(self, placement: cad.Placement, body: str) -> str:
        turned = body
        if placement.degrees:
            turned = f"{body}.rotate(Axis((0, 0, 0), {numbers(placement.axis)}), {n(placement.degrees)})"
        return f"Pos{numbers(placement.offset)} * {turned}"

    def edges(self, body: str, finish: cad.Edges) -> str:
        edges = f"list({body}.edges())"
        if finish.faces:
            edges = f"edges_of({choice(f'list({body}.faces())', finish.faces)})"
        chosen = choice(edges, finish.edges)
        self.chooses |= chosen != edges or bool(finish.faces)
        second = "" if finish.second is None else f", {n(finish.second)}"
        return f"{finish.blend}({chosen}, {n(finish.size)}{second})"

    def shell(self, body: str, finish: cad.Shell) -> str:
        kind = ", kind=Kind.INTERSECTION" if finish.sharp else ""
        if finish.faces:
            self.chooses = True
            openings = choice(f"list({body}.faces())", finish.faces)
            return f"offset({body}, {n(finish.thickness)}, openings={openings}{kind})"
        parallel = f"offset({body}, {n(finish.thickness)}{kind})"
        return f"{body} - {parallel}" if self.marked.value(finish.thickness) < 0 else f"{parallel} - {body}"

    def mirrored(self, body: str, finish: cad.Mirror) -> str:
        x, normal = cad.NAMED_PLANES[finish.plane]
        return f"mirror({body}, Plane({numbers(finish.base)}, {numbers(x)}, {numbers(normal)}))"


def _grouped(expression: str) -> str:
    """The expression, in parentheses where an operator could reach into it."""
    depth = 0
    for character in expression:
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(character, 0)
        if depth == 0 and character in "+-&*":
            return f"({expression})"
    return expression
