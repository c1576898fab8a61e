import cadquery as cq

b = cq.Workplane("XY").box(30, 20, 10)
bb = b.val().BoundingBox()
result = b.union(cq.Workplane("XY").workplane(offset=bb.zmax).circle(5).extrude(bb.xlen / 3))
