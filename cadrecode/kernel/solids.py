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
from OCP.Quantity import Quantity_Color, Quantity_TypeOfColor
from OCP.ShapeCustom import ShapeCustom
from OCP.StepBasic import StepBasic_Product
from OCP.STEPCAFControl import STEPCAFControl_Writer
from OCP.STEPControl import STEPControl_AsIs, STEPControl_Reader
from OCP.TCollection import TCollection_ExtendedString, TCollection_HAsciiString
from OCP.TDataStd import TDataStd_Name
from OCP.TDF import TDF_Label
from OCP.TDocStd import TDocStd_Document
from OCP.TopAbs import TopAbs_Orientation
from OCP.TopLoc import TopLoc_Location
from OCP.TopoDS import TopoDS_Shape
from OCP.XCAFApp import XCAFApp_Application
from OCP.XCAFDoc import XCAFDoc_ColorType, XCAFDoc_DocumentTool

from cadrecode import geometry
from cadrecode.formats.glb_write import GlbFile
from cadrecode.frames import MM_PER_UNIT

MESH_TOLERANCE = 1e-3  # largest distance between mesh and surface, as a part of the bounding box's diagonal
MESH_ANGLE = 0.2  # radians between neighbouring facets of a curved face
VOTERS = 12  # facets of a face that say which feature it is of
ASIDE = 0.1  # of the diagonal: how much farther a place counts that faces a right angle away, or so
COLOURS = [  # of features, light and apart for colour-blind eyes (after Okabe and Ito)
    (0.80, 0.82, 0.85), (0.34, 0.71, 0.91), (0.90, 0.62, 0.0), (0.0, 0.62, 0.45), (0.94, 0.89, 0.26),
    (0.80, 0.47, 0.65), (0.84, 0.37, 0.0), (0.0, 0.45, 0.70),
]  # fmt: skip


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
    vertices, facets, count = [np.empty((0, 3))], [np.empty((0, 3), np.int64)], 0
    for face in shape.Faces():
        points, corners = _face_triangles(face)
        vertices.append(points)
        facets.append(corners + count)
        count += len(points)
    return np.concatenate(vertices), np.concatenate(facets)


def _face_triangles(face: cq.Face) -> tuple[np.ndarray, np.ndarray]:
    """Points and triangles of a face of a meshed shape, outward; none where it is below the mesh's tolerance."""
    location = TopLoc_Location()
    mesh = BRep_Tool.Triangulation_s(face.wrapped, location)
    if mesh is None:
        return np.empty((0, 3)), np.empty((0, 3), np.int64)
    place = location.Transformation()
    points = (mesh.Node(i).Transformed(place) for i in range(1, mesh.NbNodes() + 1))
    corners = np.array([mesh.Triangle(i).Get() for i in range(1, mesh.NbTriangles() + 1)], dtype=np.int64) - 1
    if face.wrapped.Orientation() == TopAbs_Orientation.TopAbs_REVERSED:
        corners = corners[:, ::-1]
    return np.array([(point.X(), point.Y(), point.Z()) for point in points]), corners


def weld(vertices: np.ndarray, facets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Join vertices that lie in the same place, so that a closed shape is a closed mesh; drop facets that vanish."""
    if not len(vertices):
        return vertices, facets
    welded, numbers = geometry.weld(vertices, np.ptp(vertices, axis=0).max() * 1e-7)
    return welded, geometry.three_cornered(numbers[facets])


def write_step(shape: cq.Shape, path: Path, unit: str, name: str, features: list[str] | None = None) -> None:
    """Write STEP whose lengths are the shape's numbers in `unit` (OpenCASCADE would convert from millimetres).

    Args:
        features: The feature that each face is of, in the order of `shape.Faces()`: its name, and faces of the same
            feature have the same colour.
    """
    Interface_Static.SetCVal_s("xstep.cascade.unit", unit.upper())
    Interface_Static.SetCVal_s("write.step.unit", unit.upper())
    Interface_Static.SetIVal_s("write.stepcaf.subshapes.name", 1)
    document = TDocStd_Document(TCollection_ExtendedString("XmlXCAF"))
    XCAFApp_Application.GetApplication_s().InitDocument(document)
    XCAFDoc_DocumentTool.SetLengthUnit_s(document, MM_PER_UNIT[unit] / 1000)
    # The writer does this to planes with a left-handed frame, and would lose the names of their faces.
    shape = cq.Shape.cast(ShapeCustom.DirectFaces_s(shape.wrapped))
    root = XCAFDoc_DocumentTool.ShapeTool_s(document.Main()).AddShape(shape.wrapped, False)
    if features:
        _name_faces(document, root, shape, features)
    writer = STEPCAFControl_Writer()
    done = IFSelect_ReturnStatus.IFSelect_RetDone
    if not writer.Transfer(document, STEPControl_AsIs):
        raise OSError("OpenCASCADE could not turn the shape into STEP")
    model = writer.ChangeWriter().Model()
    for entity in map(model.Entity, range(1, model.NbEntities() + 1)):
        if isinstance(entity, StepBasic_Product):  # named here, because OpenCASCADE numbers the names it is given
            entity.SetId(TCollection_HAsciiString(_step_text(name)))
            entity.SetName(TCollection_HAsciiString(_step_text(name)))
    if writer.Write(str(path)) != done:
        raise OSError("OpenCASCADE could not write the STEP file")


def _name_faces(document: TDocStd_Document, root: TDF_Label, shape: cq.Shape, features: list[str]) -> None:
    tool = XCAFDoc_DocumentTool.ShapeTool_s(document.Main())
    colours = XCAFDoc_DocumentTool.ColorTool_s(document.Main())
    palette = {feature: COLOURS[index % len(COLOURS)] for index, feature in enumerate(dict.fromkeys(features))}
    for face, feature in zip(shape.Faces(), features, strict=True):
        label = tool.AddSubShape(root, face.wrapped)
        if label.IsNull():  # a face that two solids share has a label already
            continue
        TDataStd_Name.Set_s(label, TCollection_ExtendedString(feature))
        red, green, blue = palette[feature]
        colour = Quantity_Color(red, green, blue, Quantity_TypeOfColor.Quantity_TOC_sRGB)
        colours.SetColor(label, colour, XCAFDoc_ColorType.XCAFDoc_ColorSurf)


def features_of_faces(shape: cq.Shape, places: np.ndarray, names: list[str]) -> list[str]:
    """The name of the feature that each face is of: of the places next to it that face the same way.

    Args:
        places: (n, 7) float64: points on the surface, outward normals, and the index of their feature in `names`.
    """
    points, normals, features = places[:, :3], places[:, 3:6], places[:, 6].astype(int)
    reach = ASIDE * float(np.linalg.norm(np.ptp(points, axis=0)))
    found = []
    for face in shape.Faces():
        centres, ways, areas = _facets(face)
        votes = np.zeros(len(names))
        for centre, way, area in zip(centres, ways, areas):
            away = np.linalg.norm(points - centre, axis=1) + reach * np.linalg.norm(normals - way, axis=1)
            votes[features[np.argmin(away)]] += area
        found.append(names[int(np.argmax(votes))])
    return found


def _facets(face: cq.Face) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The largest facets of a face: their centres, outward normals and areas."""
    vertices, corners = _face_triangles(face)
    if not len(corners):
        return np.empty((0, 3)), np.empty((0, 3)), np.empty(0)
    crosses = geometry.corner_crosses(vertices[corners])
    areas = np.linalg.norm(crosses, axis=1)
    largest = np.argsort(-areas, kind="stable")[:VOTERS]
    return vertices[corners[largest]].mean(axis=1), geometry.unit(crosses[largest]), areas[largest]


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
