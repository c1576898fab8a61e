import cadquery as cq

height = 60.0
width = 80.0
thickness = 10.0
result = cq.Workplane("front").box(2.0, 2.0, 0.5)
