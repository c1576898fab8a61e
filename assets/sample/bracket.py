import cadquery as cq
w0=cq.Workplane('XY',origin=(0,0,0))
w1=cq.Workplane('YZ',origin=(-36,0,0))
r=w0.sketch().push([(0,0)]).rect(80,50).push([(22,-15),(22,15)]).circle(4.5,mode='s').finalize().extrude(8).union(w1.sketch().segment((-25,0),(25,0)).segment((25,32)).arc((0,57),(-25,32)).close().assemble().push([(0,32)]).circle(12,mode='s').finalize().extrude(10))
