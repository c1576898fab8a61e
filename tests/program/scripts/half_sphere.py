import cadquery as cq

result = cq.Workplane("XY").sphere(20, angle1=0)
