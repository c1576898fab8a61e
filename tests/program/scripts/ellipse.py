import cadquery as cq

result = cq.Workplane("XY").ellipse(20, 10).extrude(5).faces(">Z").workplane().hole(6)
