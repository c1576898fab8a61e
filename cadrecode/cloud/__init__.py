"""Files, meshes and named shapes to (N, 3) points; surfaces to samples; clouds to the MODEL frame; surfaces
held against clouds."""

from cadrecode.cloud.distance import CloudRuler, Measured, cloud_distance, point_to_surface
from cadrecode.cloud.normals import Normals, given_normals, outward_normals
from cadrecode.cloud.read import BREP_SUFFIXES, CLOUD_SUFFIXES, MESH_SUFFIXES, Cloud, read_cloud, read_mesh
from cadrecode.cloud.sample import farthest_point_sample, farthest_point_sample_batch, normalise, sample_surface
from cadrecode.cloud.shapes import SHAPES, make_shape

__all__ = [
    "BREP_SUFFIXES",
    "CLOUD_SUFFIXES",
    "MESH_SUFFIXES",
    "SHAPES",
    "Cloud",
    "CloudRuler",
    "Measured",
    "Normals",
    "cloud_distance",
    "farthest_point_sample",
    "farthest_point_sample_batch",
    "given_normals",
    "make_shape",
    "normalise",
    "outward_normals",
    "point_to_surface",
    "read_cloud",
    "read_mesh",
    "sample_surface",
]
