import cadquery as cq

pts = [(0, 0), (30, 0), (30, 10), (20, 20), (0, 20)]
w = cq.Workplane("XY").moveTo(*pts[0])
for p in pts[1:]:
    w = w.lineTo(*p)
result = w.close().extrude(5)
