"""The CAD program as data: text to tree to solid and back, with numpy and manifold3d alone."""

from cadrecode.errors import ProgramError
from cadrecode.program.language import Program
from cadrecode.program.parse import parse
from cadrecode.program.solid import build, from_mesh, iou, mesh_of
from cadrecode.program.write import write

__all__ = ["Program", "ProgramError", "build", "from_mesh", "iou", "mesh_of", "parse", "write"]
