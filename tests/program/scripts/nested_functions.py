import math

import cadquery as cq


def circ(n, r, phase=0):
    return [
        (r * math.cos(math.radians(phase + 360 / n * i)), r * math.sin(math.radians(phase + 360 / n * i)))
        for i in range(n)
    ]


def disc(r, h):
    d = cq.Workplane("XY").circle(r).extrude(h)
    if h > 5:
        return d.edges(">Z").chamfer(1)
    return d


result = disc(30, 8).faces(">Z").workplane().pushPoints(circ(5, 20, phase=18)).hole(5).faces(">Z").workplane().hole(12)
