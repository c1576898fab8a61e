import cadquery as cq

result = cq.Workplane("front").box(3, 2, 0.5)
result = result.faces("<X").workplane(offset=0.75)
result = result.circle(1.0).extrude(0.5)
