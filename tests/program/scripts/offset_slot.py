import cadquery as cq

result = cq.Workplane("XY").slot2D(40, 10).offset2D(3).slot2D(40, 10).extrude(4)
