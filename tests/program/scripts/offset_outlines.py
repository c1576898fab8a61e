import cadquery as cq

result = (
    cq.Workplane("XY")
    .rect(40, 20)
    .offset2D(4)
    .extrude(5)
    .faces(">Z")
    .workplane()
    .rect(40, 20)
    .offset2D(-2)
    .cutBlind(-2)
)
