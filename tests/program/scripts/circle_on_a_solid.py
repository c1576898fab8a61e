import cadquery as cq

result = cq.Workplane("XY").circle(10).extrude(10).circle(5).extrude(20)
