"""The house of DESIGN, held by test: imports go down only, and each heavy library keeps to its homes."""

import ast
import functools
import graphlib
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "cadrecode"
FLOORS = [
    {"errors", "figures", "frames", "geometry", "heap", "links", "shipped", "turns"},
    {"json_files", "pictures"},
    {"adapters", "config", "parallel", "runs", "formats"},
    {"kernel", "program"},
    {"cloud", "invent", "snapping"},
    {"handover"},
    {"model", "export"},
    {"fit"},
    {"measure", "data", "scoring", "estimate", "merging"},
    {"assessor", "scans"},
    {"part", "report"},
    {"part_faces", "solids"},
    {"reconstruction", "pretrain", "evaluation", "scores", "refine"},
    {"doctor", "label"},
    {"training", "build_dataset"},
    {"engine", "jobs", "trial"},
    {"library", "engine_process"},
    {"ui", "cli"},
    {"__main__"},
]
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
HOMES = {  # library: rooms that may import it
    "gradio": {"ui"},
    "plotly": {"ui"},
    "cadquery": {"kernel"},
    "OCP": {"kernel"},
    "manifold3d": {"program", "invent", "cloud", "measure"},
    "trimesh": {"formats"},
    "igl": {"cloud", "measure"},
    "pyarrow": {"data"},
    "ray": {"parallel"},
    "peft": {"model", "merging"},
    "bitsandbytes": {"model", "doctor"},
    "torch": {"model", "merging", "data", "training", "pretrain", "evaluation", "reconstruction", "estimate", "doctor"},
}
MODULES = sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@functools.cache
def imports(path: Path) -> list[str]:
    """Every dotted name that a file imports, also inside of functions."""
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the floors"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


def test_every_room_has_a_floor():
    rooms = {room_of(path) for path in MODULES} - {"__init__"}
    assert rooms <= set(FLOOR_OF), f"rooms without a floor: {rooms - set(FLOOR_OF)}"


def test_imports_go_down_only():
    for path in MODULES:
        here = room_of(path)
        for name in imports(path):
            parts = name.split(".")
            if parts[0] != "cadrecode" or len(parts) < 2 or parts[1] not in FLOOR_OF or here == "__init__":
                continue
            there = parts[1]
            assert there == here or FLOOR_OF[there] < FLOOR_OF[here], f"{path} (floor {FLOOR_OF[here]}) imports {name}"


def test_heavy_libraries_keep_to_their_homes():
    for path in MODULES:
        for name in imports(path):
            homes = HOMES.get(name.split(".")[0])
            assert homes is None or room_of(path) in homes, f"{path} imports {name}; its homes: {sorted(homes)}"


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported_modules(path: Path) -> set[str]:
    """The modules of the package that a file imports."""
    modules = {module_of(path) for path in MODULES}
    prefixes = {next((p for p in (name, name.rpartition(".")[0]) if p in modules), None) for name in imports(path)}
    return prefixes - {None, module_of(path)}


def test_no_circle_of_imports():
    graphlib.TopologicalSorter({module_of(path): imported_modules(path) for path in MODULES}).prepare()


def test_no_circle_between_the_folders_of_ui():
    """A tab may use another tab, and all use what they share; what they share uses no tab."""
    graph: dict[str, set[str]] = {}
    for path in (PACKAGE / "ui").rglob("*.py"):
        names = [name.split(".")[2] for name in imported_modules(path) if name.startswith("cadrecode.ui.")]
        here = path.relative_to(PACKAGE / "ui").parts[0].removesuffix(".py")
        graph.setdefault(here, set()).update(set(names) - {here})
    graphlib.TopologicalSorter(graph).prepare()


def test_program_and_invent_need_numpy_and_manifold_alone():
    allowed = {"numpy", "manifold3d", "cadrecode"} | set(sys.stdlib_module_names)
    for path in [*(PACKAGE / "program").glob("*.py"), *(PACKAGE / "invent").glob("*.py")]:
        assert {name.split(".")[0] for name in imports(path)} <= allowed, path


def test_pretraining_needs_little():
    """Numpy, manifold3d, torch and transformers, with what these or the settings bring: a rented GPU has no more."""
    waiting, result, libraries = {"cadrecode.pretrain", "cadrecode.__main__"}, set(), set()
    while waiting:
        name = waiting.pop()
        base = ROOT.joinpath(*name.split("."))
        path = next(
            (candidate for candidate in (base.with_suffix(".py"), base / "__init__.py") if candidate.is_file()), None
        )
        if path is None or path in result:
            continue
        result.add(path)
        for node in ast.parse(path.read_text()).body:  # not what functions import, which others call
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            libraries |= {name.partition(".")[0] for name in names}
            waiting |= {name for name in names if name.startswith("cadrecode")}
    assert len(result) > 20
    allowed = {"numpy", "manifold3d", "torch", "transformers", "tokenizers", "safetensors", "pydantic", "yaml"}
    assert libraries - set(sys.stdlib_module_names) - {"cadrecode"} <= allowed
