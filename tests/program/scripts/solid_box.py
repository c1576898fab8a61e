import cadquery as cq

result = cq.Workplane(cq.Solid.makeBox(10, 5, 20)).cut(
    cq.Workplane(cq.Solid.makeCylinder(2, 30, cq.Vector(5, 2.5, 0), cq.Vector(0, 0, 1)))
)
