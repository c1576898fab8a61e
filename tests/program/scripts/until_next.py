import cadquery as cq

result = (
    cq.Workplane("XY")
    .box(40, 40, 5)
    .union(cq.Workplane("XY").workplane(offset=30).box(40, 40, 5))
    .faces("<Z")
    .workplane(offset=-5, invert=True)
    .circle(5)
    .extrude("next")
)
