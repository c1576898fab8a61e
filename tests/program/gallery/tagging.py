import cadquery as cq

result = (
    cq.Workplane("XY")
    .box(10, 10, 10)
    .faces(">Z")
    .workplane()
    .circle(3)
    .extrude(4)
    .faces(">Z", tag=None)
    .workplane()
    .tag("top")
    .circle(1)
    .extrude(3)
    .workplaneFromTagged("top")
    .center(2, 0)
    .hole(0.5)
)
