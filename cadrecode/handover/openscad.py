"""A program as an OpenSCAD file: a module a feature."""

from __future__ import annotations

import textwrap
from itertools import pairwise

import numpy as np

from cadrecode.handover.walk import Words, numbers, step_of
from cadrecode.program import language as cad
from cadrecode.program.planes import matrix_of, placing
from cadrecode.program.section import corners
from cadrecode.program.write import number as n

WORDS = {cad.Operation.UNION: "union", cad.Operation.CUT: "difference", cad.Operation.INTERSECT: "intersection"}
SIDES = 180  # of a full circle: 0.02 % less area than the circle has
TOP = f"""$fn = {SIDES}; // sides of a circle

// The points of an arc from a through m to b, without a.
function arc(a, m, b) =
  let (d = 2 * (a.x * (m.y - b.y) + m.x * (b.y - a.y) + b.x * (a.y - m.y)))
  abs(d) < 1e-9 ? [b] :
  let (aa = a * a, mm = m * m, bb = b * b,
       c = [aa * (m.y - b.y) + mm * (b.y - a.y) + bb * (a.y - m.y),
            aa * (b.x - m.x) + mm * (a.x - b.x) + bb * (m.x - a.x)] / d,
       from = atan2(a.y - c.y, a.x - c.x), to = atan2(b.y - c.y, b.x - c.x), turn = (to - from + 720) % 360,
       sweep = d > 0 ? turn : turn - 360, count = ceil($fn * abs(sweep) / 360), r = norm(a - c))
  [for (i = [1 : count]) i == count ? b : c + r * [cos(from + sweep * i / count), sin(from + sweep * i / count)]];
"""


def _block(head: str, *children: str) -> str:
    return f"{head} {{\n{textwrap.indent(chr(10).join(children), '  ')}\n}}"


def _matrix(matrix: np.ndarray) -> str:
    """The head that places what follows by a (3, 4) matrix."""
    if np.allclose(matrix[:, :3], np.eye(3)):
        return f"translate({numbers(matrix[:, 3] + 0.0, '[]')})" if matrix[:, 3].any() else ""
    rows = [numbers(row + 0.0, "[]") for row in [*matrix, np.array((0, 0, 0, 1.0))]]
    return f"multmatrix([{', '.join(rows)}])"


class OpenScad(Words):
    comment = "//"
    has_tapers = has_corners = has_finishes = False
    taken = frozenset(
        {"fillet", "chamfer", "mirror", "shell", "box", "cylinder", "sphere", "circle", "square", "cube", "union",
         "difference", "intersection", "module", "function", "polygon", "hull", "arc", "translate", "rotate", "offset"}
    )  # fmt: skip

    def top(self, name: str) -> str:
        sizes = "".join(f"{size} = {n(value)};\n" for size, value in self.marked.sizes.items())
        return f"// {name}, in millimetres\n{sizes}{TOP}"

    def assigned(self, name: str, expression: str) -> tuple[str, str]:
        return _block(f"module {name}()", expression), f"{name}();"

    def end(self, name: str, body: str) -> str:
        return body

    def circle(self, radius: float) -> str:
        return f"circle({n(radius)});"

    def rectangle(self, width: float, height: float) -> str:
        return f"square([{n(width)}, {n(height)}], center = true);"

    def loop(self, loop: cad.Loop) -> str:
        here = numbers(loop.start, "[]")
        pieces = [f"[{here}]"]
        for edge in loop.edges:
            end = numbers(edge.end, "[]")
            pieces.append(
                f"[{end}]" if isinstance(edge, cad.Line) else f"arc({here}, {numbers(edge.middle, '[]')}, {end})"
            )
            here = end
        if loop.edges[-1].end == loop.start and isinstance(loop.edges[-1], cad.Line):
            pieces.pop()
        return f"polygon(concat({', '.join(pieces)}));"

    def outlines(self, polygons: list[np.ndarray]) -> str:
        points = ", ".join(numbers(point, "[]") for polygon in polygons for point in polygon)
        starts = np.cumsum([0, *map(len, polygons)])
        paths = [f"[{', '.join(map(str, range(a, b)))}]" for a, b in pairwise(starts)]
        return f"polygon([{points}], [{', '.join(paths)}]);"

    def corners(self, area: str, corners: cad.Corners) -> str:
        raise AssertionError("what OpenSCAD cannot say comes as points")

    edges = shell = corners

    def at(self, shape: str, places: cad.Places, *, is_solid: bool = False) -> str:
        match places:
            case cad.Ring(center, radius, first, _, count):
                head = f"translate({numbers(center, '[]')}) for (i = [0 : {count - 1}])"
                return _block(
                    f"{head} rotate({n(first)} + {n(step_of(places))} * i) translate([{n(radius)}, 0])", shape
                )
            case cad.Grid((x, y), dx, dy, columns, rows):
                loops = f"for (i = [0 : {columns - 1}], j = [0 : {rows - 1}])"
                at = f"{n(dx)} * (i - {n((columns - 1) / 2)}), {n(dy)} * (j - {n((rows - 1) / 2)})"
                return _block(f"translate([{n(x)}, {n(y)}]) {loops} translate([{at}])", shape)
        if len(places) == 1:
            return _block(f"translate({numbers(places[0], '[]')})", shape)
        points = ", ".join(numbers(place, "[]") for place in places)
        return _block(f"for (place = [{points}]) translate(place)", shape)

    def joined(self, operation: cad.Operation, first: str, second: str) -> str:
        return _block(f"{WORDS[operation]}()", first, second)

    def extruded(self, area: str, solid: cad.Extrusion) -> str:
        d = n(solid.distance)
        if solid.both:
            return _block(f"linear_extrude(2 * abs({d}), center = true)", area)
        return _block(f"translate([0, 0, min(0, {d})]) linear_extrude(abs({d}))", area)

    def revolved(self, area: str, solid: cad.Revolution, true: cad.Revolution) -> str:
        """rotate_extrude turns what is right of the y axis about it, and then calls that axis z."""
        along = np.array(true.direction, float) / np.hypot(*true.direction)
        right = np.array((along[1], -along[0]))
        if ((np.array(corners(true.sketch)) - true.start) @ right).sum() < 0:
            right = -right
        flat = np.eye(3, 4)
        flat[:2, :2] = right, along
        flat[:2, 3] = -flat[:2, :2] @ true.start
        out, up = np.array((*right, 0.0)), np.array((*along, 0.0))
        standing = np.column_stack((out, np.cross(up, out), up, (*true.start, 0.0)))
        turned = _block(f"rotate_extrude(angle = {n(solid.degrees)})", self._under(flat, area))
        return self._under(standing, turned)

    def box(self, solid: cad.Box) -> str:
        place = numbers((*solid.center, solid.offset), "[]")
        return f"translate({place}) cube([{n(solid.width)}, {n(solid.height)}, {n(solid.depth)}], center = true);"

    def cylinder(self, solid: cad.Cylinder) -> str:
        place = numbers((*solid.center, solid.offset), "[]")
        return f"translate({place}) cylinder(h = {n(solid.height)}, r = {n(solid.radius)}, center = true);"

    def sphere(self, solid: cad.Sphere) -> str:
        place = numbers((*solid.center, solid.offset), "[]")
        half = f"translate([0, -{n(solid.radius)}]) square(2 * {n(solid.radius)});"
        return _block(f"translate({place}) rotate_extrude() intersection()", f"circle({n(solid.radius)});", half)

    def drill(self, diameter: float, depth: float) -> str:
        return f"translate([0, 0, -{n(depth)}]) cylinder(h = {n(depth)}, d = {n(diameter)});"

    def sink(self, head: cad.Countersink) -> str:
        deep = f"{n(head.diameter)} / 2 / tan({n(head.degrees)} / 2)"
        return f"translate([0, 0, -{deep}]) cylinder(h = {deep}, d1 = 0, d2 = {n(head.diameter)});"

    def placed(self, plane: cad.Plane, solid: str) -> str:
        return self._under(matrix_of(plane), solid)

    def moved(self, placement: cad.Placement, body: str) -> str:
        return self._under(placing(placement), body)

    @staticmethod
    def _under(matrix: np.ndarray, shape: str) -> str:
        head = _matrix(matrix)
        return _block(head, shape) if head else shape

    def mirrored(self, body: str, finish: cad.Mirror) -> str:
        base, normal = numbers(finish.base, "[]"), numbers(cad.NAMED_PLANES[finish.plane][1], "[]")
        back = numbers([-value + 0.0 for value in finish.base], "[]")
        return _block(f"translate({base}) mirror({normal}) translate({back})", body)

    def mesh(self, vertices: np.ndarray, faces: np.ndarray) -> str:
        points = ", ".join(numbers(vertex, "[]") for vertex in vertices)
        triangles = ", ".join(f"[{a}, {c}, {b}]" for a, b, c in faces.tolist())  # clockwise from outside
        return f"polyhedron([{points}], [{triangles}]);"
