import cadquery as cq

a = cq.Workplane("XY").box(10, 10, 10)
b = cq.Workplane("XY").center(20, 0).box(10, 10, 10)
result = a.add(b).combine()
