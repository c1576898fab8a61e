import cadquery as cq

b = cq.Workplane("XY").box(40, 40, 20).faces(">Z").workplane().rect(30, 30).cutBlind(-10)
result = b.faces(">X").workplane(centerOption="CenterOfBoundBox").circle(2).cutBlind("next")
