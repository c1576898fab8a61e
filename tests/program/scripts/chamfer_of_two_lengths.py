import cadquery as cq

result = cq.Workplane("XY").box(40, 30, 10).faces(">Z").edges().chamfer(2, 1)
