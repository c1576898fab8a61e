import cadquery as cq

base = cq.Workplane("XY").rect(60, 40).extrude(4)
result = (
    base.faces(">Z")
    .workplane()
    .rarray(15, 15, 3, 2)
    .eachpoint(lambda loc: cq.Workplane("XY").box(4, 4, 6).val().located(loc), combine=True)
)
