"""How invented parts are put together: each family draws a list of slabs, in arbitrary units, for `invent` to check.

`general` is what the embedded base model was trained on, and what its figures are of: no draw of it may change.
`designs` is nearer to real programs: thinner plates, more cuts, single holes, loops of two edges and of many, bent and
slanted ones. The other families are narrow on purpose: dialects to fine-tune on.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np

from cadrecode.invent import profiles
from cadrecode.invent.outlines import CircleOutline, LoopOutline, Outline, RectOutline, rounded
from cadrecode.invent.pieces import Mix, Slab, corner_holes, crossing, first_slab, on_top, pocket, sketch_union, wall
from cadrecode.invent.profiles import draw_outline

GENERAL = Mix(
    profiles.GENERAL,
    solids=(0.4, 0.34, 0.19, 0.07),
    sheets=0.0,
    plates=0.45,
    blocks=0.35,
    thinnest=0.025,
    holed=0.38,
    single=0.0,
    on_top=0.42,
    wall=0.18,
    crossing=0.14,
)
DESIGNS = Mix(
    profiles.DESIGNS,
    solids=(0.33, 0.27, 0.18, 0.11, 0.07, 0.04),  # parts of many are drawn anew more often
    sheets=0.1,
    plates=0.48,
    blocks=0.28,
    thinnest=0.05,
    holed=0.55,
    single=0.5,
    on_top=0.3,
    wall=0.1,
    crossing=0.1,
)


def _parts(rng: np.random.Generator, mix: Mix) -> list[Slab]:
    if rng.random() < 0.08:
        return shafts(rng)
    if rng.random() < 0.06:
        return sketch_union(rng, mix)
    base = first_slab(rng, mix)
    slabs = [base]
    wanted = int(rng.choice(len(mix.solids), p=mix.solids)) + 1
    last: Slab | None = None
    while len(slabs) < wanted:
        choice = rng.random()
        if choice < mix.on_top:
            new = on_top(rng, mix, base, last if rng.random() < 0.3 else None)
            last = new[0]
        elif choice < mix.on_top + mix.wall:
            new = wall(rng, mix, base)
        elif choice < mix.on_top + mix.wall + mix.crossing:
            new = crossing(rng, mix, base)
        else:
            new = pocket(rng, mix, base)
        slabs.extend(new[: wanted - len(slabs)])
    return slabs


# --- narrow families


def brackets(rng: np.random.Generator) -> list[Slab]:
    """Flanged brackets: a foot plate with bolt holes, an upright flange with a bore, often a rib between them."""
    width, foot, height = 100.0, rng.uniform(45, 110), rng.uniform(40, 120)
    thickness = rng.uniform(6, 16)
    bolt = rng.uniform(0.04, 0.075) * width
    inset = bolt * rng.uniform(1.6, 2.4)
    x = width / 2 - inset
    y0, y1 = thickness + inset, foot - inset
    rows = (y0, y1) if y1 - y0 > 5 * bolt else ((thickness + foot) / 2,)
    bolts = tuple(CircleOutline(side * x, y, bolt) for side in (-1, 1) for y in rows)
    if rng.random() < 0.5:
        sole: Outline = RectOutline(-width / 2, 0, width / 2, foot)
    else:
        corners = [(-width / 2, 0), (width / 2, 0), (width / 2, foot), (-width / 2, foot)]
        sole = rounded(corners, inset * 0.9)
    plate = Slab(2, 0.0, thickness, (sole,), bolts)
    bore = min(height - thickness, width) * rng.uniform(0.14, 0.3)
    bore_z = thickness + (height - thickness) * rng.uniform(0.5, 0.6)
    # the flange stands on the ZX plane: its local x is the world's z, its local y the world's x
    if rng.random() < 0.5:
        flange: Outline = RectOutline(0, -width / 2, height, width / 2)
    else:
        top = min(width / 2, height * 0.45)
        straight = height - top
        flange = LoopOutline(
            ((0, -width / 2), (straight, -width / 2), (straight, width / 2), (0, width / 2)),
            (None, (height, 0.0), None, None),
        )
    upright = Slab(1, 0.0, thickness, (flange,), (CircleOutline(bore_z, 0, bore),))
    return [plate, upright]


def plates(rng: np.random.Generator) -> list[Slab]:
    """Flat plates with bolt patterns and a window."""
    w, h = 100.0, rng.uniform(35, 100)
    outline = draw_outline(rng, w, h, str(rng.choice(["rect", "rounded_rect", "chamfered", "slot"])))
    if not isinstance(outline, RectOutline):
        outline = rounded([(-w / 2, -h / 2), (w / 2, -h / 2), (w / 2, h / 2), (-w / 2, h / 2)], rng.uniform(4, 14))
    holes = corner_holes(rng, 0, 0, w, h)[:4]
    if rng.random() < 0.6:
        a, b = w * rng.uniform(0.12, 0.28), h * rng.uniform(0.12, 0.25)
        holes += (RectOutline(-a, -b, a, b) if rng.random() < 0.5 else CircleOutline(0, 0, min(a, b)),)
    return [Slab(int(rng.integers(3)), 0.0, rng.uniform(3, 14), (outline,), holes)]


def shafts(rng: np.random.Generator) -> list[Slab]:
    """Stepped shafts and flanged hubs: coaxial cylinders, some bored through, some with a bolt circle."""
    axis = int(rng.integers(3))
    count = int(rng.integers(2, 4))
    radii = rng.uniform(10, 50, count)
    lengths = rng.uniform(8, 90, count)
    bore = radii.min() * rng.uniform(0.3, 0.8) if rng.random() < 0.4 else 0.0
    slabs: list[Slab] = []
    z = 0.0
    for index, (radius, length) in enumerate(zip(radii, lengths)):
        holes: tuple[Outline, ...] = (CircleOutline(0, 0, bore),) if bore else ()
        if index == int(radii.argmax()) and rng.random() < 0.4:
            inner = np.delete(radii, index).max()
            if inner < 0.7 * radius:
                ring = (radius + inner) / 2
                hole = (radius - inner) / 2 * rng.uniform(0.35, 0.7)
                bolts = int(rng.choice([3, 4, 6]))
                holes += tuple(
                    CircleOutline(ring * math.cos(k * math.tau / bolts), ring * math.sin(k * math.tau / bolts), hole)
                    for k in range(bolts)
                )
        slabs.append(Slab(axis, z, z + length, (CircleOutline(0, 0, radius),), holes))
        z += length
    return slabs


MACHINED = "machined"  # drawn as programs (`machined.draw`), not as slabs
DRAWERS: dict[str, Callable[[np.random.Generator], list[Slab]]] = {
    "general": functools.partial(_parts, mix=GENERAL),
    "brackets": brackets,
    "plates": plates,
    "shafts": shafts,
    "designs": functools.partial(_parts, mix=DESIGNS),
}
