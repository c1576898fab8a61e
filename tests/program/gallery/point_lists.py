import cadquery as cq

s = cq.Workplane("front").circle(2.0)
s = s.pushPoints([(1.5, 0), (0, 1.5), (-1.5, 0), (0, -1.5)])
s = s.circle(0.25)
result = s.extrude(0.125)
