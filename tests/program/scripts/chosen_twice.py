import cadquery as cq

result = (
    cq.Workplane("XY")
    .hLine(20)
    .vLine(10)
    .hLineTo(12)
    .vLineTo(30)
    .hLineTo(0)
    .close()
    .extrude(6)
    .edges("|Z")
    .edges(">Y")
    .chamfer(1)
)
