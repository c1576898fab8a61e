import cadquery as cq


def f(a, b, c):
    return cq.Workplane("XY").box(a, b, c)


size = (3, 4, 5)
result = f(*size)
