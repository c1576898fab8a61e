import cadquery as cq

result = cq.Workplane("front").circle(3.0)
result = result.center(1.5, 0.0).rect(0.5, 0.5)
result = result.center(-1.5, 1.5).circle(0.25)
result = result.extrude(0.25)
