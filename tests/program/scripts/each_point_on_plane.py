import cadquery as cq

pin = cq.Workplane("XY").circle(2).extrude(8).val()
result = (
    cq.Workplane("XZ")
    .box(40, 30, 5)
    .faces("<Y")
    .workplane()
    .pushPoints([(10, 5), (-10, -5)])
    .eachpoint(lambda loc: pin.moved(loc), True, True)
)
