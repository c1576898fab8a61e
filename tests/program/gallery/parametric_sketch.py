import cadquery as cq

sketch = cq.Sketch().rect(20, 12).vertices().fillet(3).reset().rarray(8, 5, 2, 2).circle(1, mode="s")
result = cq.Workplane().placeSketch(sketch).extrude(4)
