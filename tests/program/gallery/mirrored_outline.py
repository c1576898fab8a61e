import cadquery as cq

s = cq.Workplane("front").hLine(1.0)
s = s.vLine(0.5).hLine(-0.25).vLine(-0.25).hLineTo(0.0)
result = s.mirrorY().extrude(0.25)
