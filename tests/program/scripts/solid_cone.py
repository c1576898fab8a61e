import cadquery as cq

result = cq.Workplane(obj=cq.Solid.makeCone(10, 5, 20))
