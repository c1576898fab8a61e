import cadquery as cq

result = cq.Workplane("front").box(3, 2, 0.5)
result = result.faces(">Z").vertices("<XY").workplane(centerOption="CenterOfMass")
result = result.circle(1.0).cutThruAll()
