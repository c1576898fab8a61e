import cadquery as cq

L, W, H, T = 80.0, 50.0, 25.0, 2.0
outer = cq.Workplane("XY").rect(L, W).extrude(H).edges("|Z").fillet(4)
inner = cq.Workplane("XY").workplane(offset=T).rect(L - 2 * T, W - 2 * T).extrude(H - T).edges("|Z").fillet(2)
case = outer.cut(inner)
for x in (-L / 2 + 6, L / 2 - 6):
    for y in (-W / 2 + 6, W / 2 - 6):
        boss = cq.Workplane("XY").workplane(offset=T).center(x, y).circle(3).circle(1.25).extrude(H - 2 * T)
        case = case.union(boss)
result = case
