import math

import cadquery as cq

n = 12
pts = []
for i in range(n):
    a0 = 2 * math.pi * i / n
    a1 = a0 + math.pi / n
    pts += [
        (20 * math.cos(a0), 20 * math.sin(a0)),
        (25 * math.cos(a1 - 0.1), 25 * math.sin(a1 - 0.1)),
        (25 * math.cos(a1 + 0.1), 25 * math.sin(a1 + 0.1)),
    ]
result = cq.Workplane("XY").polyline(pts).close().extrude(8).faces(">Z").workplane().hole(10)
