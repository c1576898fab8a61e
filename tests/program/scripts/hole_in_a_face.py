import cadquery as cq

result = (
    cq.Workplane("XY")
    .circle(30)
    .extrude(4)
    .faces(">Z")
    .workplane()
    .circle(12)
    .extrude(20, taper=5)
    .faces(">Z")
    .hole(10)
)
