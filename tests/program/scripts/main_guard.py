import cadquery as cq


def make(length: float = 50, width: float = 30) -> cq.Workplane:
    """A plate."""
    plate = cq.Workplane("XY").box(length, width, 5)
    return plate.edges("|Z").fillet(3)


if __name__ == "__main__":
    result = make(width=20)
