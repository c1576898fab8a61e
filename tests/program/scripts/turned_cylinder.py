import cadquery as cq

result = cq.Workplane("XY").cylinder(20, 10, direct=cq.Vector(1, 0, 0))
