import cadquery as cq

r = cq.Workplane("front").circle(2.0)
r = r.pushPoints([(1.5, 0), (0, 1.5), (-1.5, 0), (0, -1.5)])
r = r.circle(0.25)
result = r.extrude(0.125)
