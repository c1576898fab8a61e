import cadquery as cq

L, W, H, T, R = 100, 60, 30, 2.5, 6
box = (
    cq.Workplane("XY")
    .box(L, W, H, centered=(True, True, False))
    .edges("|Z")
    .fillet(R)
    .faces("<Z")
    .edges()
    .fillet(2)
    .faces(">Z")
    .shell(-T)
)
posts = (
    cq.Workplane("XY")
    .workplane(offset=T)
    .rect(L - 20, W - 20, forConstruction=True)
    .vertices()
    .circle(3.5)
    .circle(1.5)
    .extrude(10)
)
result = box.union(posts).faces(">X").workplane(centerOption="CenterOfBoundBox").rect(20, 8).cutBlind(-5)
