"""Lines that programs of attacks are made of."""

HEAD = "import cadquery as cq\n"
BOX = "cq.Workplane('XY').box(10,20,30)"


def lines(first: str, each: str, times: int, last: str) -> str:
    """A program that repeats a line; `{n}` is its number, `{m}` the one before."""
    body = [each.replace("{n}", str(n)).replace("{m}", str(n - 1)) for n in range(1, times + 1)]
    return "\n".join([HEAD + first, *body, last.replace("{n}", str(times))])
