import cadquery as cq

result = (
    cq.Workplane("front")
    .circle(1)
    .extrude(10)
    .copyWorkplane(cq.Workplane("right", origin=(-5, 0, 0)))
    .circle(1)
    .extrude(10)
)
