import cadquery as cq

w = d = 20
h, radius = 10, 3
result = cq.Workplane("XY").box(w, d, h).edges("|Z").fillet(radius)
