import cadquery as cq

result = cq.Workplane("front").box(2, 3, 0.5)
result = result.faces(">Z").workplane().hole(0.5)
