import cadquery as cq

result = (
    cq.Workplane("XY")
    .rect(40, 40)
    .rect(34, 34)
    .extrude(20)
    .faces("<X")
    .workplane(invert=True, offset=2, centerOption="CenterOfBoundBox")
    .rect(5, 5)
    .extrude("last")
)
