import cadquery as cq

r = cq.Workplane("XY").box(50, 20, 5)
i = 0
while True:
    if i >= 3:
        break
    r = r.faces(">Z").workplane(origin=(0, 0, 0)).moveTo(-15 + 15 * i, 0).hole(3 + i)
    i += 1
