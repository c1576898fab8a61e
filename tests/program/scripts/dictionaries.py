import cadquery as cq

holes = {"a": (10, 4), "b": (-10, 6)}
r = cq.Workplane("XY").box(50, 20, 5)
for _, (x, d) in holes.items():
    r = r.cut(cq.Workplane("XY").center(x, 0).circle(d / 2).extrude(20, both=True))
