"""A job in its own confined process: run a program or read a file; leave result.json and files in its folder.

Nothing here is trusted by the parent: it reads the JSON as data and opens the files itself.
"""

import builtins
import faulthandler
import json
import math
import traceback
from pathlib import Path
from types import ModuleType

import cadquery as cq
import numpy as np

from cadrecode.formats.mesh_write import write_stl
from cadrecode.kernel import isolation, rules, solids

PROGRAM = "<program>"  # the file name in tracebacks
SHAPE_NAMES = ("r", "result")


def run(order: dict, folder: Path) -> None:
    """Do what the order says and write `result.json`. The process is confined already.

    Args:
        order: its kind is "program" (with code, exports, unit, name), "mesh" (with source, a file name in the folder)
            or "probe" (with memory_mb); all have seconds.
        folder: where the job reads and writes.
    """
    faulthandler.enable()  # a crash or a timeout leaves the program's line in stderr.txt
    faulthandler.dump_traceback_later(order["seconds"] * 0.9)
    if order["kind"] == "program":
        result = _run_program(order, folder)
    elif order["kind"] == "mesh":
        result = _mesh_file(folder / order["source"], folder)
    else:
        result = {"outcome": "ok", "layers": isolation.probe(folder, order["memory_mb"])}
    (folder / "result.json").write_text(json.dumps(result))


def _run_program(order: dict, folder: Path) -> dict:
    namespace = {"__name__": "__main__", "__builtins__": _builtins()}
    try:
        program = compile(order["code"], PROGRAM, "exec", dont_inherit=True)
    except SyntaxError as error:  # what only the compiler sees, as `return` outside of a function
        return {"outcome": "syntax error", "detail": f"line {error.lineno}: {error.msg}", "line": error.lineno}
    try:
        exec(program, namespace)
    except BaseException as error:
        namespace.clear()  # after a MemoryError, room to report it
        return _failure(error, _line_of(error))
    name = next((name for name in SHAPE_NAMES if name in namespace), None)
    if name is None:
        return {"outcome": "no shape", "detail": "the program does not assign r (or result)"}
    value = namespace[name]
    shapes = solids.shapes_in(value)
    if shapes is None:
        kind = type(value).__name__
        return {"outcome": "no shape", "detail": f"{name} is a {kind}, not a Workplane or a Shape"}
    try:
        return _judge(shapes, name, order, folder)
    except Exception as error:  # OpenCASCADE gives up while measuring or writing: the shape is at fault
        result = _failure(error, None)
        if result["outcome"] == "raised":
            result |= {"outcome": "invalid solid", "detail": f"it cannot be measured or written: {result['detail']}"}
        return result


def _judge(shapes: list[cq.Shape], name: str, order: dict, folder: Path) -> dict:
    shape, count = solids.joined(shapes)
    if shape is None:
        kinds = ", ".join(sorted({item.ShapeType() for item in shapes})) or "nothing"
        return {"outcome": "empty", "detail": f"{name} holds no solid ({kinds})"}
    volume = sum(solid.Volume() for solid in shape.Solids())
    box = solids.tight_bounding_box(shape)
    measured = {"volume": volume, "bounding_box": box, "solids": count, "valid": shape.isValid() and volume > 0}
    if volume == 0 or not all(map(math.isfinite, (volume, *box))):
        return {"outcome": "empty", "detail": f"{name} has no finite volume"}
    if not measured["valid"]:
        why = "its volume is not above zero" if volume <= 0 else "its faces and edges do not fit together (BRepCheck)"
        return {"outcome": "invalid solid", "detail": why, **measured}
    return {"outcome": "ok", "detail": "", **measured, "files": _export(shape, order, folder)}


def _export(shape: cq.Shape, order: dict, folder: Path) -> list[str]:
    wanted = order["exports"]
    names, features = order.get("features"), None
    if "stl" in wanted or "glb" in wanted or names:
        vertices, facets = solids.triangles(shape)
    if names:
        places = np.load(folder / "places.npy", allow_pickle=False)
        features = solids.features_of_faces(shape, places, names)
    if "step" in wanted:
        solids.write_step(shape, folder / "part.step", order["unit"], order["name"], features)
    if "stl" in wanted or "glb" in wanted:
        if "stl" in wanted:
            write_stl(folder / "part.stl", vertices, facets)
        if "glb" in wanted:
            solids.write_glb(vertices, facets, folder / "part.glb", order["name"])
    return wanted


def _mesh_file(source: Path, folder: Path) -> dict:
    try:
        vertices, facets = solids.weld(*solids.triangles(solids.read(source)))
    except Exception as error:
        return _failure(error, None)
    np.save(folder / "vertices.npy", vertices, allow_pickle=False)
    np.save(folder / "facets.npy", facets, allow_pickle=False)
    return {"outcome": "ok", "detail": ""}


def _builtins() -> dict:
    """The builtins of a program. Its `import` reaches two modules, which are here already."""
    modules = {"cadquery": cq, "math": math}

    def import_module(
        name: str, _globals: object = None, _locals: object = None, _names: object = (), level: int = 0
    ) -> ModuleType:
        if level or name not in rules.IMPORTS:
            raise ImportError(f"import of {name} is not allowed, only cadquery and math")
        return modules[name]

    return {name: getattr(builtins, name) for name in rules.SAFE_BUILTINS} | {"__import__": import_module}


def _failure(error: BaseException, line: int | None) -> dict:
    kind = type(error).__name__
    place = f"line {line}: " if line else ""
    if isinstance(error, MemoryError) or "OutOfMemory" in kind:
        detail = f"{place}the program needs more memory than it may have"
        return {"outcome": "out of memory", "detail": detail, "line": line}
    message = str(error) or "no message"
    return {"outcome": "raised", "detail": f"{place}{kind}: {message}"[:1000], "line": line}


def _line_of(error: BaseException) -> int | None:
    """The deepest line of the *program*; the lines below it are CadQuery's."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == PROGRAM]
    return lines[-1] if lines else None


def warm_up(folder: Path) -> None:
    """Load what every job needs, once, before the first fork: the STEP writer's tables, the mesher.

    Nothing here may start OpenCASCADE's thread pool (booleans do): threads do not survive a fork.
    """
    box = cq.Solid.makeBox(1, 1, 1)
    solids.tight_bounding_box(box)
    box.isValid()
    solids.write_step(box, folder / "warm.step", "mm", "warm")
    (folder / "warm.step").unlink()
