"""The rules for the contents of a program, read from its syntax tree before anything runs.

An import allow-list alone is useless (`cq.exporters.os.system` needs no import), so every *attribute name* must be
known. Names reach nothing but the program's own variables, a reduced set of builtins, cadquery and math.
This is the first layer of several: isolation.py holds where it does not.
"""

import ast
import builtins
import math
from collections.abc import Iterator
from dataclasses import dataclass

from cadrecode.errors import Message, at_line, foreign

MAX_CHARACTERS = 200_000


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


SAFE_BUILTINS = _words(
    """
    abs all any bool complex dict divmod enumerate filter float frozenset hash hex int isinstance iter len list map
    max min next ord chr pow print range repr reversed round set slice sorted str sum tuple zip NotImplemented
    ArithmeticError AssertionError AttributeError BaseException Exception FloatingPointError IndexError KeyError
    LookupError NotImplementedError OverflowError RuntimeError StopIteration TypeError ValueError ZeroDivisionError
    """
)

_CADQUERY_TYPES = _words(
    """
    BoundBox CQ Compound Edge Face Location Matrix Plane Shape Shell Sketch Solid Vector Vertex Wire Workplane
    AndSelector AreaNthSelector BoxSelector CenterNthSelector DirectionMinMaxSelector DirectionNthSelector
    DirectionSelector InverseSelector LengthNthSelector NearestToPointSelector ParallelDirSelector
    PerpendicularDirSelector RadiusNthSelector Selector StringSyntaxSelector SubtractSelector SumSelector
    TypeSelector sortWiresByBuildOrder
    """
)

# Everything that builds, selects or measures. Left out on purpose: whatever reads or writes files (export*, import*,
# save, load), leaves CadQuery (wrapped, toVtkPolyData, toOCC, occ_impl), or looks attributes up by name (format,
# format_map).
ATTRIBUTES = (
    _CADQUERY_TYPES
    | {name for name in vars(math) if not name.startswith("_")}
    | _words(
        """
        selectors add all ancestors apply bezier box cboreHole center chamfer circle clean close combine compounds
        consolidateWires copyWorkplane cskHole cut cutBlind cutEach cutThruAll cylinder each eachpoint edges ellipse
        ellipseArc end extrude faces fillet filter findSolid first hLine hLineTo hole interpPlate intersect invoke
        item largestDimension last line lineTo loft map mirror mirrorX mirrorY move moveTo newObject offset2D
        parametricCurve parametricSurface placeSketch polarArray polarLine polarLineTo polygon polyline pushPoints
        radiusArc rarray rect revolve rotate rotateAboutCenter sagittaArc section shell shells siblings size sketch
        slot2D solids sort sphere spline splineApprox split sweep tag tangentArcPoint text threePointArc toPending
        transformed translate twistExtrude union vLine vLineTo val vals vertices wedge wire wires workplane
        workplaneFromTagged plane objects parent ctx pendingWires pendingEdges arc assemble constrain copy delete
        distribute edge face finalize hull located moved offset parray push regularPolygon replace reset segment
        select slot solve subtract trapezoid Area BoundingBox Center CenterOfBoundBox Closed CombinedCenter
        CombinedCenterOfBoundBox CompSolids Compounds Edges Faces ShapeType Shells Solids Vertices Volume Wires
        centerOfMass computeMass distance distances facesIntersectedByLine fix fuse geomType hashCode isEqual isNull
        isSame isValid locate location matrixOfInertia remove reverse scale solid toLocs toNURBS toSplines
        transformGeometry transformShape vertex toTuple toArcs addCavity dprism extrudeLinear
        extrudeLinearWithRotation hollow innerShells isInside isSolid makeBox makeCone makeCylinder makeLoft
        makeSolid makeSphere makeTorus makeWedge outerShell sweep_multi makeCompound makeText makeShell makeVertex
        addHole chamfer2D constructOn extend fillet2D innerWires isoline isolines locationAt makeFromWires
        makeNSidedSurface makePlane makeRuledSurface makeSplineApprox normalAt normals outerWire paramAt params
        positionAt positions project tangentAt tangents thicken toPln trim uvBounds IsClosed Length assembleEdges
        bounds curvatureAt curvatures endPoint locations makeCircle makeEllipse makeHelix makePolygon normal
        paramsLength radius sample startPoint stitch arcCenter makeBezier makeLine makeSpline makeTangentArc
        makeThreePointArc cross distanceToLine distanceToPlane dot getAngle getSignedAngle multiply normalized
        projectToLine projectToPlane sub toDir toPnt transform x y z X Y Z XY XZ YX YZ ZX ZY back bottom front left
        right top named mirrorInPlane origin rotated setOrigin2d toLocalCoords toWorldCoords xDir yDir zDir inverse
        rotateX rotateY rotateZ transposed_list DiagonalLength enlarge findOutsideBox2D xlen xmax xmin ylen ymax
        ymin zlen zmax zmin append clear count extend get index insert items keys pop popitem setdefault update
        values difference discard intersection isdisjoint issubset issuperset symmetric_difference is_integer real
        imag conjugate endswith isdigit join lower lstrip replace rstrip split startswith strip title upper zfill
        """
    )
)

IMPORTS = {"cadquery": _CADQUERY_TYPES, "math": frozenset(name for name in vars(math) if not name.startswith("_"))}

# Syntax that no CadQuery program needs is left out: a class can define hooks, `match` looks attributes up by name.
_SYNTAX = _words(
    """
    Module Expr Assign AugAssign AnnAssign NamedExpr Pass Delete Assert If For While Break Continue Return
    FunctionDef Lambda arguments arg Global Nonlocal Try ExceptHandler Raise Yield YieldFrom Import ImportFrom alias
    BoolOp BinOp UnaryOp IfExp Compare Call keyword Attribute Subscript Starred Name Constant JoinedStr
    FormattedValue List Tuple Dict Set Slice ListComp SetComp DictComp GeneratorExp comprehension Load Store Del And
    Or Add Sub Mult MatMult Div Mod Pow LShift RShift BitOr BitXor BitAnd FloorDiv Invert Not UAdd USub Eq NotEq Lt
    LtE Gt GtE Is IsNot In NotIn
    """
)

_SYNTAX_WORDS = {
    "ClassDef": Message("a class"),
    "With": "`with`",
    "Match": "`match`",
    "AsyncFunctionDef": "`async`",
    "Await": "`await`",
    "TryStar": "`except*`",
}


@dataclass(frozen=True)
class Fault:
    """Why a text is not run. `syntax`: it is not Python; else it holds a construct that is not allowed."""

    syntax: bool
    detail: str
    line: int | None


class _Forbidden(Exception):
    def __init__(self, node: ast.AST, what: str):
        self.line, self.what = getattr(node, "lineno", None), what
        super().__init__(what)


def check(code: str) -> Fault | None:
    """Read a program without running it. None when it may run.

    The line is counted from 1, and None where the fault has no place.
    """
    if len(code) > MAX_CHARACTERS:
        return Fault(
            False,
            Message("the program has {n:,} characters; at most {most:,} are run", n=len(code), most=MAX_CHARACTERS),
            None,
        )
    try:
        tree = ast.parse(code)
        for node in ast.walk(tree):
            _check_node(node)
        _check_names(tree)
        _check_annotations(tree)
    except SyntaxError as error:
        return Fault(True, at_line(foreign(error.msg), error.lineno, error.offset or None), error.lineno)
    except (RecursionError, MemoryError):
        return Fault(True, Message("the program is nested too deeply to be read"), None)
    except ValueError as error:  # half a surrogate pair, a null byte
        return Fault(True, str(error), None)
    except _Forbidden as fault:
        return Fault(False, at_line(fault.what, fault.line), fault.line)
    return None


def _check_node(node: ast.AST) -> None:
    kind = type(node).__name__
    if kind not in _SYNTAX and not isinstance(node, ast.expr_context | ast.operator):
        raise _Forbidden(node, Message("{what} is not allowed", what=_SYNTAX_WORDS.get(kind, kind)))
    for name in _identifiers(node):
        if name.startswith("__") and name != "__name__":
            raise _Forbidden(node, Message("the name {name} is not allowed", name=name))
    if isinstance(node, ast.Attribute):
        _check_attribute(node)
    elif isinstance(node, ast.Import):
        for alias in node.names:
            _check_module(node, alias.name)
    elif isinstance(node, ast.ImportFrom):
        _check_import_from(node)


def _identifiers(node: ast.AST) -> Iterator[str]:
    """Every name that a node binds or reads, wherever the grammar keeps it."""
    for field in ("id", "arg", "name", "asname"):
        value = getattr(node, field, None)
        if isinstance(value, str):
            yield value
    if isinstance(node, ast.Global | ast.Nonlocal):
        yield from node.names


def _check_attribute(node: ast.Attribute) -> None:
    if node.attr not in ATTRIBUTES:
        hint = ""
        if "export" in node.attr or node.attr in {"save", "write", "toSvg"}:
            hint = Message(" (leave the export out: the files are written from r)")
        raise _Forbidden(node, Message("the attribute .{name} is not allowed{hint}", name=node.attr, hint=hint))
    if not isinstance(node.ctx, ast.Load):
        raise _Forbidden(node, Message("changing the attribute .{name} is not allowed", name=node.attr))


def _check_module(node: ast.AST, module: str | None) -> None:
    if module not in IMPORTS:
        raise _Forbidden(
            node,
            Message(
                "import of {name} is not allowed, only cadquery and math", name=module or Message("a relative module")
            ),
        )


def _check_import_from(node: ast.ImportFrom) -> None:
    _check_module(node, None if node.level else node.module)
    for alias in node.names:
        star_of_math = alias.name == "*" and node.module == "math"
        if alias.name not in IMPORTS[node.module] and not star_of_math:
            raise _Forbidden(
                node, Message("import of {name} from {module} is not allowed", name=alias.name, module=node.module)
            )


_HINT_SYNTAX = (
    *(ast.Name, ast.Attribute, ast.Subscript, ast.Tuple, ast.List, ast.BinOp, ast.BitOr, ast.Load, ast.Constant),
)


def _check_annotations(tree: ast.Module) -> None:
    """Allow as annotations the names of types alone.

    CadQuery's dispatch by argument type may read a callable's type hints, and a hint that is text is *evaluated*, also
    where a variable holds it.
    """
    own = {name for node in ast.walk(tree) if not isinstance(node, ast.alias) for name in _bound_by(node)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.arg | ast.AnnAssign | ast.FunctionDef):
            continue
        hint = node.returns if isinstance(node, ast.FunctionDef) else node.annotation
        for part in ast.walk(hint) if hint else ():
            if isinstance(part, ast.Constant) and isinstance(part.value, str | bytes):
                raise _Forbidden(hint, Message("a type annotation in quotes is not allowed"))
            if not isinstance(part, _HINT_SYNTAX) or (isinstance(part, ast.Name) and part.id in own):
                raise _Forbidden(hint, Message("a type annotation that is not the name of a type is not allowed"))


def _bound_by(node: ast.AST) -> Iterator[str]:
    """The names to which a node gives a value."""
    if isinstance(node, ast.keyword) or (isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)):
        return
    yield from _identifiers(node)


def _check_names(tree: ast.Module) -> None:
    """Refuse builtins outside of the safe set, unless the program gives the name a meaning of its own."""
    bound = {name for node in ast.walk(tree) for name in _bound_by(node)}
    closed = set(dir(builtins)) - SAFE_BUILTINS - bound - {"__name__"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in closed:
            raise _Forbidden(node, Message("the name {name} is not allowed", name=node.id))
