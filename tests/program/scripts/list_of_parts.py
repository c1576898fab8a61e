import cadquery as cq

parts = []
for i in range(3):
    parts.append(cq.Workplane("XY").box(10, 10, 10).translate((i * 9, 0, 0)))
result = parts[0]
for p in parts[1:]:
    result = result.union(p)
