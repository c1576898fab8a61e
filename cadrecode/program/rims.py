"""Fillets and chamfers along the edges of a solid: a wedge for each chain of edges, cut off or filled in."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from manifold3d import Manifold, Mesh64, OpType, triangulate

from cadrecode.errors import Message, ProgramError
from cadrecode.geometry import polygon_area, unit
from cadrecode.program import budget
from cadrecode.program.clearance import check_clearance
from cadrecode.program.language import Blend, Edges
from cadrecode.program.section import segments_of
from cadrecode.program.topology import SHARP, Topology

AT_A_TIME = 16  # wedges that are joined before the budget is looked at
OUTWARD = 2e-3  # of a blend's size: how far a wedge reaches beyond the faces that it is cut off, so that nothing stays
FARTHEST = 4.0  # times a blend's size: how far a wedge's end may lean
FEWEST_PIECES, MOST_PIECES = 3, 5  # of a fillet's arc: more change little and take most of the time
FINE = 1e-4  # sagitta over radius: whoever asks for less hands a mesh on, and gets up to so many pieces
MOST_FINE_PIECES = 16
LEAST_ACROSS = 0.05  # cosine between an edge and a face that it ends at


@dataclass(frozen=True)
class _Piece:
    """A segment as a chain runs through it."""

    start: int
    end: int
    left: int
    right: int
    turn: float


@dataclass(frozen=True)
class Second:
    """The other length of a chamfer.

    Args:
        caps: (3,) float64, the normal of the faces that have it, those of the body's first solid.
    """

    length: float
    caps: np.ndarray

    def lengths(self, size: float, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """(n, 2, 1): on the faces to the left and to the right of each segment, whose normals are (n, 1, 3)."""

        def is_later(normals: np.ndarray) -> np.ndarray:
            upright = np.abs(normals[:, 0] @ self.caps)
            return 10 * upright + np.abs(normals[:, 0, 1])

        is_left = is_later(left) > is_later(right)
        return np.where(np.stack((is_left, ~is_left), 1), self.length, size)[..., None]


def rounded_edges(solid: Manifold, finish: Edges, sagitta: float, caps: np.ndarray) -> Manifold:
    """A solid with some of its edges rounded or bevelled.

    Args:
        caps: (3,) float64, the normal of the plane of the body's first solid.
    Raises: ProgramError: there is no such edge.
    """
    topology = Topology(solid)
    segments = topology.chosen_edges(finish.faces, finish.edges)
    if not segments:
        raise ProgramError(
            "There is no edge to {blend}.", expected=Message("a selector of sharp edges"), blend=str(finish.blend)
        )
    second = None if finish.second is None else Second(finish.second, caps)
    return blended(solid, topology, segments, finish, sagitta, second)


def blended(
    solid: Manifold,
    topology: Topology,
    segments: Sequence[int],
    finish: Edges,
    sagitta: float,
    second: Second | None = None,
) -> Manifold:
    """`with_blend`, where there is room for it.

    Raises: ProgramError: a face beside the edges is too narrow.
    """
    whole = np.array(sorted(_with_tangent(topology, set(segments))))
    check_clearance(topology, whole, _strips(topology, whole, finish, second), finish.blend)
    return with_blend(solid, topology, segments, finish.blend, finish.size, sagitta, second)


def _strips(topology: Topology, segments: np.ndarray, finish: Edges, second: Second | None) -> np.ndarray:
    """(n, 2): how much of the faces to the left and to the right of each segment a blend takes."""
    edges = topology.segments
    if finish.blend is Blend.FILLET:
        return np.repeat(finish.size * np.tan(np.abs(edges.turn[segments]) / 2)[:, None], 2, axis=1)
    if second is None:
        return np.full((len(segments), 2), finish.size)
    left, right = (topology.facet_normal[side[segments]][:, None, :] for side in (edges.left, edges.right))
    return second.lengths(finish.size, left, right)[..., 0]


def with_blend(
    solid: Manifold,
    topology: Topology,
    segments: Sequence[int],
    blend: Blend,
    size: float,
    sagitta: float,
    second: Second | None = None,
) -> Manifold:
    """Blend the segments of these numbers, and the edges that go on smoothly from them."""
    chips: list[Manifold] = []
    fills: list[Manifold] = []
    for chain, closed in _chains(topology, _with_tangent(topology, set(segments))):
        budget.check()
        wedge = _wedge(topology, chain, closed, blend, size, sagitta, second)
        if wedge is not None:
            (chips if chain[0].turn > 0 else fills).append(wedge)
    if chips:
        solid = solid - _together(chips)
    if fills:
        solid = solid + _together(fills)
    return solid


def _together(wedges: list[Manifold]) -> Manifold:
    """Wedges as one solid, a few at a time: of a few hundred that cross each other, a single union never ends."""
    whole = Manifold.batch_boolean(wedges[:AT_A_TIME], OpType.Add)
    for start in range(AT_A_TIME, len(wedges), AT_A_TIME):
        budget.check_triangles(whole.num_tri())
        budget.check()
        whole = Manifold.batch_boolean([whole, *wedges[start : start + AT_A_TIME]], OpType.Add)
    return whole


# --- chains of edges


def _at_vertices(topology: Topology, segments: Iterable[int]) -> dict[int, list[int]]:
    segments_at: dict[int, list[int]] = {}
    starts, ends = topology.segments.start.tolist(), topology.segments.end.tolist()
    for segment in segments:
        segments_at.setdefault(starts[segment], []).append(segment)
        segments_at.setdefault(ends[segment], []).append(segment)
    return segments_at


def _with_tangent(topology: Topology, chosen: set[int]) -> set[int]:
    """With the segments that go on smoothly, as OpenCASCADE adds them by itself."""
    around = _at_vertices(topology, range(len(topology.segments.start)))
    chosen, waiting = set(chosen), list(chosen)
    while waiting:
        segment = waiting.pop()
        for vertex in (int(topology.segments.start[segment]), int(topology.segments.end[segment])):
            if len(around[vertex]) == 2:
                (other,) = [s for s in around[vertex] if s != segment] or [segment]
                if other not in chosen and _angle(topology, segment, other, vertex) < SHARP:
                    chosen.add(other)
                    waiting.append(other)
    return chosen


def _angle(topology: Topology, segment: int, other: int, vertex: int) -> float:
    """The angle at a vertex between two segments: 0 where they go straight on."""

    def away(number: int) -> np.ndarray:
        start, end = int(topology.segments.start[number]), int(topology.segments.end[number])
        vector = topology.points[end if start == vertex else start] - topology.points[vertex]
        return vector / np.linalg.norm(vector)

    return math.acos(float(np.clip(-away(segment) @ away(other), -1, 1)))


def _chains(topology: Topology, chosen: set[int]) -> Iterator[tuple[list[_Piece], bool]]:
    """Segments in a row that share a face, and whether the row is closed. Convex and concave edges are never in one."""
    around = _at_vertices(topology, sorted(chosen))
    left = set(chosen)

    def piece(segment: int, flipped: bool) -> _Piece:
        s = topology.segments
        ends, sides = (int(s.start[segment]), int(s.end[segment])), (int(s.left[segment]), int(s.right[segment]))
        turn = float(s.turn[segment])
        # against its own direction the left facet is the right one
        return _Piece(*(ends[::-1] if flipped else ends), *(sides[::-1] if flipped else sides), turn)

    def following(last: _Piece, vertex: int, forward: bool) -> _Piece | None:
        candidates = around[vertex]
        if len(candidates) != 2:
            return None
        for segment in candidates:
            if segment not in left:
                continue
            starts_here = int(topology.segments.start[segment]) == vertex
            new = piece(segment, flipped=starts_here is not forward)
            faces = topology.face_of_facet
            shares = faces[new.left] == faces[last.left] or faces[new.right] == faces[last.right]
            if shares and (new.turn > 0) is (last.turn > 0):
                left.discard(segment)
                return new
        return None

    while left:
        chain = [piece(min(left), flipped=False)]
        left.discard(min(left))
        while (new := following(chain[-1], chain[-1].end, forward=True)) is not None:
            chain.append(new)
        closed = len(chain) > 2 and chain[-1].end == chain[0].start and len(around[chain[0].start]) == 2
        while not closed and (new := following(chain[0], chain[0].start, forward=False)) is not None:
            chain.insert(0, new)
        yield chain, closed


# --- the wedge along a chain


def _wedge(
    topology: Topology,
    chain: list[_Piece],
    closed: bool,
    blend: Blend,
    size: float,
    sagitta: float,
    second: Second | None,
) -> Manifold | None:
    convex = chain[0].turn > 0
    widest = max(abs(piece.turn) for piece in chain)
    pieces = math.ceil(segments_of(size, sagitta) * widest / math.tau)
    pieces = min(max(FEWEST_PIECES, pieces), MOST_FINE_PIECES if sagitta < FINE * size else MOST_PIECES)
    profiles = _profiles(topology, chain, blend, size, pieces, second)
    starts = topology.points[[piece.start for piece in chain]]
    directions = unit(topology.points[[piece.end for piece in chain]] - starts)
    before, after = np.roll(directions, 1, axis=0), directions
    mitres = before + after
    inside = slice(0 if closed else 1, None)
    if len(chain) > 1 and np.linalg.norm(mitres[inside], axis=1).min() < LEAST_ACROSS:
        return None
    places = starts[:, None, :]
    sides = [
        _onto(profile + places, direction, places, mitres, size)
        for profile, direction in ((np.roll(profiles, 1, axis=0), before), (profiles, after))
    ]
    rings = list((sides[0] + sides[1]) / 2)
    if not closed:
        first, last = chain[0], chain[-1]
        rings[0] = _end(topology, first, first.start, profiles[0], -directions[0], size, convex)
        rings.append(_end(topology, last, last.end, profiles[-1], directions[-1], size, convex))
    return _swept(np.array(rings), _flat(profiles[0], directions[0]), closed)


def _profiles(
    topology: Topology, chain: list[_Piece], blend: Blend, size: float, pieces: int, second: Second | None
) -> np.ndarray:
    """(n, k, 3): the wedge's outline across each segment, from its edge; the edge itself, pushed outward, comes
    first."""
    left = topology.facet_normal[[piece.left for piece in chain]][:, None, :]  # (n, 1, 3)
    right = topology.facet_normal[[piece.right for piece in chain]][:, None, :]
    turn = np.abs([piece.turn for piece in chain])[:, None, None]
    sign = 1 if chain[0].turn > 0 else -1
    middle = sign * (left + right) / (1 + np.cos(turn))
    push = OUTWARD * size
    if blend is Blend.FILLET:
        angles = turn * np.arange(pieces + 1)[:, None] / pieces  # (n, pieces + 1, 1)
        arc = (np.sin(turn - angles) * left + np.sin(angles) * right) / np.sin(turn)
        arc[:, 1:-1] *= _equal_area(turn, pieces)
        inner = size * (sign * arc - middle)
    else:
        along = topology.points[[piece.end for piece in chain]] - topology.points[[piece.start for piece in chain]]
        along = unit(along)[:, None, :]
        # into either face, away from the edge
        lengths = size if second is None else second.lengths(size, left, right)
        inner = lengths * np.concatenate((np.cross(left, along), np.cross(along, right)), axis=1)
    outer = [push * middle, inner[:, :1] + sign * push * left, inner, inner[:, -1:] + sign * push * right]
    return np.concatenate(outer, axis=1)


def _equal_area(turn: np.ndarray, pieces: int) -> np.ndarray:
    """Distance of a polygon's inner corners from the middle of a unit arc, whose ends are its own, where it has the
    arc's area: a fillet of five straight pieces between points of the arc took 6 % too much.

    With d the turn of a piece, its triangles have the area sin(d) / 2 times r, r^2, ..., r^2, r.
    """
    more = pieces - 2
    return (np.sqrt(1 + more * turn / np.sin(turn / pieces)) - 1) / more


def _onto(points: np.ndarray, direction: np.ndarray, vertex: np.ndarray, normal: np.ndarray, size: float) -> np.ndarray:
    """(..., k, 3) points moved along directions (..., 3) onto the planes across `normal` (..., 3) through vertices."""
    direction, normal = direction[..., None, :], normal[..., None, :]
    away = np.sum((points - vertex) * normal, axis=-1, keepdims=True)
    across = np.sum(direction * normal, axis=-1, keepdims=True)
    with np.errstate(
        divide="ignore", invalid="ignore"
    ):  # at the ends of an open chain, which have outlines of their own
        distance = np.clip(-away / across, -FARTHEST * size, FARTHEST * size)
    return points + distance * direction


def _end(
    topology: Topology, piece: _Piece, vertex: int, profile: np.ndarray, outward: np.ndarray, size: float, convex: bool
) -> np.ndarray:
    """The last outline of a chain: in the plane of the face at which it ends, or a little beyond."""
    point = topology.points[vertex]
    facets = set(topology.facet[(topology.triangles == vertex).any(axis=1)].tolist()) - {piece.left, piece.right}
    normals = [topology.facet_normal[facet] for facet in facets]
    across = max(normals, key=lambda normal: abs(normal @ outward), default=outward)
    if abs(across @ outward) < LEAST_ACROSS:
        across = outward
    ring = _onto(profile + point, outward, point, across, size)
    ends_in_air = across @ outward > 0
    return ring + outward * (OUTWARD * size if ends_in_air == convex else 0)


def _flat(profile: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """(k, 2): the outline across its direction, counter-clockwise about it."""
    x = profile[-1] - profile[1]
    x = x / np.linalg.norm(x)
    y = np.cross(direction, x)
    return np.column_stack((profile @ x, profile @ y))


def _swept(rings: np.ndarray, flat: np.ndarray, closed: bool) -> Manifold | None:
    """(n, k, 3) outlines in a row as a solid."""
    n, k = rings.shape[:2]
    here = np.arange(n if closed else n - 1)[:, None] * k
    there = (here + k) % (n * k)
    at, after = np.arange(k), (np.arange(k) + 1) % k
    quads = np.stack((here + at, here + after, there + after, there + at), axis=-1).reshape(-1, 4)
    triangles = [quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]
    clockwise = polygon_area(flat) < 0
    if not closed:
        order = np.arange(k)[::-1] if clockwise else np.arange(k)
        cap = order[np.array(triangulate([flat[order]]))]
        cap = cap[:, ::-1] if not clockwise else cap
        triangles += [cap, cap[:, ::-1] + (n - 1) * k]
    faces = np.concatenate(triangles)
    if clockwise:
        faces[: 2 * len(quads)] = faces[: 2 * len(quads), ::-1]
        faces[2 * len(quads) :] = faces[2 * len(quads) :, ::-1]
    mesh = Mesh64(vert_properties=rings.reshape(-1, 3), tri_verts=np.ascontiguousarray(faces.astype(np.uint64)))
    wedge = Manifold(mesh)
    return None if wedge.is_empty() else wedge
