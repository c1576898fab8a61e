import cadquery as cq

result = (
    cq.Workplane()
    .box(50, 30, 8)
    .faces(">Z")
    .workplane()
    .rect(40, 20, forConstruction=True)
    .vertices()
    .cboreHole(4, 7, 3)
    .edges("|Z")
    .fillet(2)
    .faces(">Z")
    .chamfer(0.5)
)
