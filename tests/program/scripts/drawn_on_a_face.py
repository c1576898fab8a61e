import cadquery as cq

result = cq.Workplane("XY").box(20, 20, 10).faces(">Z").circle(5).extrude(10).faces(">Z").rect(4, 4).cutBlind(-3)
