"""A program as a macro of FreeCAD: its features in the tree, its sizes in a spreadsheet that they follow."""

from __future__ import annotations

from importlib import resources

import numpy as np

from cadrecode.geometry import polygon_area
from cadrecode.handover.choices import FUNCTIONS, choice
from cadrecode.handover.walk import Words, numbers
from cadrecode.program import language as cad
from cadrecode.program.planes import axes
from cadrecode.program.write import FIRST_MARK
from cadrecode.program.write import number as n


def _size(value: float) -> str:
    """A number, or the expression that a mark stands for, as a text that FreeCAD evaluates."""
    return f'"{n(value)}"' if value >= FIRST_MARK else n(value)


def _sizes(*values: float) -> str:
    return ", ".join(map(_size, values))


class FreeCad(Words):
    prefix = "Dimensions."

    def top(self, name: str) -> str:
        functions = resources.files("cadrecode.handover").joinpath("functions.FCMacro").read_text("utf-8")
        sizes = "".join(f"    {size!r}: {n(value)},\n" for size, value in self.marked.sizes.items())
        return (
            f"# {name}, in millimetres: a macro of FreeCAD (Macro > Macros... > Execute)\nNAME = {name!r}\n"
            f"SIZES = {{\n{sizes}}}\n\n{functions}\n{FUNCTIONS}\n\n# --- the part\n"
        )

    def assigned(self, name: str, expression: str) -> tuple[str, str]:
        return f"f_{name} = {expression}\nf_{name}.Label = {name.replace('_', ' ')!r}", f"f_{name}"

    def end(self, name: str, body: str) -> str:
        return f"part = {body}\npart.Label = NAME\npart.Visibility = True\ndoc.recompute()"

    def circle(self, radius: float) -> str:
        return f"circle({_size(radius)})"

    def rectangle(self, width: float, height: float) -> str:
        return f"rectangle({_sizes(width, height)})"

    def loop(self, loop: cad.Loop) -> str:
        edges = [[edge.end] if isinstance(edge, cad.Line) else [edge.middle, edge.end] for edge in loop.edges]
        if edges[-1][-1] != loop.start:
            edges.append([loop.start])
        texts = (f"[{', '.join(map(self._point, edge))}]" for edge in edges)
        return f"loop({self._point(loop.start)}, {', '.join(texts)})"

    def _point(self, point: cad.Point2) -> str:
        return numbers([self.marked.value(value) for value in point])

    def outlines(self, polygons: list[np.ndarray]) -> str:
        """The outer polygons without the holes, which run clockwise."""
        text = ""
        for polygon in sorted(polygons, key=lambda polygon: -polygon_area(polygon)):
            points = polygon.tolist()
            one = self.loop(cad.Loop(tuple(points[0]), tuple(cad.Line(tuple(point)) for point in points[1:])))
            kind = "union" if polygon_area(polygon) > 0 else "cut"
            text = f'area("{kind}", {text}, {one})' if text else one
        return text

    def corners(self, area: str, corners: cad.Corners) -> str:
        chosen = choice("corners", corners.selector)
        return f'rounded("{corners.blend}", {_size(corners.size)}, lambda corners: {chosen}, {area})'

    def taper_takes(self, sketch: cad.Sketch) -> bool:
        return all(isinstance(step, cad.SketchStep) for step in sketch.steps) and len(sketch.steps) == 1

    def _places(self, places: cad.Places) -> str:
        match places:
            case cad.Ring((x, y), radius):
                return f"ring({n(x)}, {n(y)}, {_size(radius)}, {numbers(places.angles(), '[]')})"
            case cad.Grid(center, dx, dy, columns, rows):
                plain = cad.Grid(center, self.marked.value(dx), self.marked.value(dy), columns, rows)
                return f"[{', '.join(map(numbers, cad.points_of(plain)))}]"
        return f"[{', '.join(f'({_sizes(*place)})' for place in places)}]"

    def at(self, shape: str, places: cad.Places, *, is_solid: bool = False) -> str:
        if is_solid:  # the tools of a hole
            return f"holes({{frame}}, {self._places(places)}, {shape})"
        return f"at({self._places(places)}, {shape})"

    def joined(self, operation: cad.Operation, first: str, second: str) -> str:
        if first.startswith("("):  # the tools of a hole
            return f"{first}, {second}"
        if first.startswith("f_"):
            return f'joined("{operation}", {first}, {second})'
        return f'area("{operation}", {first}, {second})'

    def extruded(self, area: str, solid: cad.Extrusion) -> str:
        both = ", both=True" if solid.both else ""
        taper = f", taper={_size(solid.taper)}" if solid.taper else ""
        return f"extruded({area}, {{frame}}, {_size(solid.distance)}{both}{taper})"

    def revolved(self, area: str, solid: cad.Revolution, true: cad.Revolution) -> str:
        return f"revolved({area}, {{frame}}, {_size(solid.degrees)}, {numbers(true.start)}, {numbers(true.direction)})"

    def box(self, solid: cad.Box) -> str:
        return f"box({{frame}}, {_sizes(*solid.center, solid.offset, solid.width, solid.height, solid.depth)})"

    def cylinder(self, solid: cad.Cylinder) -> str:
        return f"cylinder({{frame}}, {_sizes(*solid.center, solid.offset, solid.height, solid.radius)})"

    def sphere(self, solid: cad.Sphere) -> str:
        return f"sphere({{frame}}, {_sizes(*solid.center, solid.offset, solid.radius)})"

    def drill(self, diameter: float, depth: float) -> str:
        return f'("drill", {_sizes(diameter, depth)})'

    def sink(self, head: cad.Countersink) -> str:
        return f'("sink", {_sizes(head.diameter, head.degrees)})'

    def placed(self, plane: cad.Plane, solid: str) -> str:
        x, _, normal = axes(plane).T + 0.0
        return solid.replace("{frame}", f"frame({numbers(plane.origin)}, {numbers(x)}, {numbers(normal)})", 1)

    def moved(self, placement: cad.Placement, body: str) -> str:
        return f"placed({body}, {numbers(placement.axis)}, {n(placement.degrees)}, {numbers(placement.offset)})"

    def edges(self, body: str, finish: cad.Edges) -> str:
        edges = f"shape_of({body}).Edges"
        if finish.faces:
            edges = f"edges_of({choice(f'shape_of({body}).Faces', finish.faces)})"
        second = "" if finish.second is None else f", {_size(finish.second)}"
        return f'dressed("{finish.blend}", {body}, {choice(edges, finish.edges)}, {_size(finish.size)}{second})'

    def shell(self, body: str, finish: cad.Shell) -> str:
        opened = choice(f"shape_of({body}).Faces", finish.faces) if finish.faces else "()"
        return f"shelled({body}, {_size(finish.thickness)}, {opened}, {finish.sharp})"

    def mirrored(self, body: str, finish: cad.Mirror) -> str:
        return f"mirrored({body}, {numbers(finish.base)}, {numbers(cad.NAMED_PLANES[finish.plane][1])})"

    def mesh(self, vertices: np.ndarray, faces: np.ndarray) -> str:
        raise AssertionError("FreeCAD has all finishes")
