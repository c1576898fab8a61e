"""Finished shapes: find, measure, mesh and write them. Imported in the sandbox's child only."""

from pathlib import Path

import cadquery as cq
import numpy as np
from OCP.Bnd import Bnd_Box
from OCP.BRep import BRep_Builder, BRep_Tool
from OCP.BRepBndLib import BRepBndLib
from OCP.BRepMesh import BRepMesh_IncrementalMesh
from OCP.BRepTools import BRepTools
from OCP.IFSelect import IFSelect_ReturnStatus
from OCP.Interface import Interface_Static
from OCP.StepBasic import StepBasic_Product
from OCP.STEPControl import STEPControl_AsIs, STEPControl_Reader, STEPControl_Writer
from OCP.TCollection import TCollection_HAsciiString
from OCP.TopAbs import TopAbs_Orientation
from OCP.TopLoc import TopLoc_Location
from OCP.TopoDS import TopoDS_Shape

from cadrecode import geometry
from cadrecode.formats.glb_write import GlbFile

MESH_TOLERANCE = 1e-3  # largest distance between mesh and surface, as a part of the bounding box's diagonal
MESH_ANGLE = 0.2  # radians between neighbouring facets of a curved face
STEP_UNITS = {"mm": "MM", "cm": "CM", "m": "M", "inch": "INCH"}


def shapes_in(value: object) -> list[cq.Shape] | None:
    """The shapes that a variable holds: all objects of a Workplane's stack, or a Shape. None when it is neither."""
    if isinstance(value, cq.Workplane):
        return [item for item in value.vals() if isinstance(item, cq.Shape)]
    return [value] if isinstance(value, cq.Shape) else None


def joined(shapes: list[cq.Shape]) -> tuple[cq.Shape | None, int]:
    """All solids in the shapes as a single shape, a compound when there are several; and their number."""
    solids = [solid for shape in shapes if not shape.isNull() for solid in shape.Solids()]
    if len(solids) > 1:
        return cq.Compound.makeCompound(solids), len(solids)
    return (solids[0] if solids else None), len(solids)


def tight_bounding_box(shape: cq.Shape) -> tuple[float, ...]:
    """(xmin, ymin, zmin, xmax, ymax, zmax) of the geometry itself: the usual box grows by its edges' tolerances."""
    box = Bnd_Box()
    BRepBndLib.AddOptimal_s(shape.wrapped, box, False, False)
    if box.IsVoid():
        raise ValueError("the shape has no extent")
    box.SetGap(0.0)
    return box.Get()


def triangles(shape: cq.Shape) -> tuple[np.ndarray, np.ndarray]:
    """Mesh a shape face by face, with outward facets. Vertices on an edge appear once for each face that meets there.

    Returns: vertices (n, 3) float64 and facets (m, 3) int64, in the shape's own numbers.
    """
    low, high = np.array(tight_bounding_box(shape)).reshape(2, 3)
    tolerance = MESH_TOLERANCE * float(np.linalg.norm(high - low))
    BRepTools.Clean_s(shape.wrapped)
    BRepMesh_IncrementalMesh(shape.wrapped, tolerance, False, MESH_ANGLE, True)
    vertices, facets, count = [], [], 0
    for face in shape.Faces():
        location = TopLoc_Location()
        mesh = BRep_Tool.Triangulation_s(face.wrapped, location)
        if mesh is None:  # a face too small for the tolerance
            continue
        place = location.Transformation()
        points = (mesh.Node(i).Transformed(place) for i in range(1, mesh.NbNodes() + 1))
        vertices.append(np.array([(point.X(), point.Y(), point.Z()) for point in points]))
        corners = np.array([mesh.Triangle(i).Get() for i in range(1, mesh.NbTriangles() + 1)], dtype=np.int64)
        if face.wrapped.Orientation() == TopAbs_Orientation.TopAbs_REVERSED:
            corners = corners[:, ::-1]
        facets.append(corners + (count - 1))
        count += mesh.NbNodes()
    if not facets:
        return np.empty((0, 3)), np.empty((0, 3), dtype=np.int64)
    return np.concatenate(vertices), np.concatenate(facets)


def weld(vertices: np.ndarray, facets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Join vertices that lie in the same place, so that a closed shape is a closed mesh; drop facets that vanish."""
    if not len(vertices):
        return vertices, facets
    welded, numbers = geometry.weld(vertices, np.ptp(vertices, axis=0).max() * 1e-7)
    return welded, geometry.three_cornered(numbers[facets])


def write_step(shape: cq.Shape, path: Path, unit: str, name: str) -> None:
    """Write STEP whose lengths are the shape's numbers in `unit` (OpenCASCADE would convert from millimetres)."""
    writer = STEPControl_Writer()
    Interface_Static.SetCVal_s("xstep.cascade.unit", STEP_UNITS[unit])
    Interface_Static.SetCVal_s("write.step.unit", STEP_UNITS[unit])
    done = IFSelect_ReturnStatus.IFSelect_RetDone
    if writer.Transfer(shape.wrapped, STEPControl_AsIs) != done:
        raise OSError("OpenCASCADE could not turn the shape into STEP")
    model = writer.Model()
    for entity in map(model.Entity, range(1, model.NbEntities() + 1)):
        if isinstance(entity, StepBasic_Product):  # named here, because OpenCASCADE numbers the names it is given
            entity.SetId(TCollection_HAsciiString(_step_text(name)))
            entity.SetName(TCollection_HAsciiString(_step_text(name)))
    if writer.Write(str(path)) != done:
        raise OSError("OpenCASCADE could not write the STEP file")


def _step_text(text: str) -> str:
    """STEP is ASCII: other letters are written as \\X2\\ and their UTF-16 in hexadecimal (ISO 10303-21)."""
    return "".join(c if c.isascii() else f"\\X2\\{c.encode('utf-16-be').hex().upper()}\\X0\\" for c in text)


def write_glb(vertices: np.ndarray, facets: np.ndarray, path: Path, name: str) -> None:
    """glTF 2 in a single file. The data keep the shape's numbers and its Z; the node turns Z up into glTF's Y up.

    Faces share no vertices (see `triangles`), so normals averaged per vertex are smooth on a face, sharp at its edges.
    """
    facet_normals = geometry.corner_crosses(vertices[facets])
    normals = np.zeros_like(vertices)
    for corner in range(3):
        np.add.at(normals, facets[:, corner], facet_normals)
    normals = geometry.unit(normals)
    normals[~normals.any(axis=1)] = (0.0, 0.0, 1.0)
    file = GlbFile()
    attributes = {"POSITION": file.vectors(vertices), "NORMAL": file.vectors(normals)}
    meshes = [{"primitives": [{"attributes": attributes, "indices": file.indices(facets), "material": 0}]}]
    nodes = [{"mesh": 0, "name": name, "rotation": [-(0.5**0.5), 0.0, 0.0, 0.5**0.5]}]
    file.write(path, nodes, meshes, [{"pbrMetallicRoughness": {"metallicFactor": 0.1, "roughnessFactor": 0.6}}])


def read(path: Path) -> cq.Shape:
    """Read STEP (in millimetres, whatever unit the file has) or BREP.

    Raises: ValueError: it is not such a file, or holds no shape.
    """
    if path.suffix == ".brep":
        shape = TopoDS_Shape()
        if not BRepTools.Read_s(shape, str(path), BRep_Builder()) or shape.IsNull():
            raise ValueError("it is not a BREP file, or it is cut short")
        return cq.Shape.cast(shape)
    reader = STEPControl_Reader()
    if reader.ReadFile(str(path)) != IFSelect_ReturnStatus.IFSelect_RetDone:
        raise ValueError("it is not a STEP file, or it is cut short")
    if not reader.TransferRoots() or reader.OneShape().IsNull():
        raise ValueError("it holds no shape")
    return cq.Shape.cast(reader.OneShape())
