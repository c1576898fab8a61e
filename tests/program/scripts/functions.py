import cadquery as cq


def post(x, y, h=10, d=4):
    return cq.Workplane("XY").center(x, y).circle(d / 2).extrude(h)


base = cq.Workplane("XY").box(60, 40, 5, centered=(True, True, False))
for x in (-25, 25):
    for y in (-15, 15):
        base = base.union(post(x, y, h=15))
result = base
