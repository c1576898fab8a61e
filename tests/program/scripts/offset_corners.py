import cadquery as cq

result = (
    cq.Workplane("XY").polyline([(0, 0), (40, 0), (40, 10), (10, 10), (10, 30), (0, 30)]).close().offset2D(2).extrude(4)
)
r2 = (
    cq.Workplane("XY")
    .polyline([(0, 0), (40, 0), (40, 10), (10, 10), (10, 30), (0, 30)])
    .close()
    .offset2D(-2)
    .extrude(4)
    .translate((0, 0, 10))
)
result = result.union(r2)
