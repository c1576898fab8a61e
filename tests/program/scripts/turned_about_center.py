import cadquery as cq

a = cq.Workplane("XY").box(10, 10, 10).rotateAboutCenter((0, 0, 1), 45)
result = a.union(cq.Workplane("XY").transformed(offset=(0, 0, 5), rotate=(0, 15, 0)).cylinder(20, 3))
