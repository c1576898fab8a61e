"""Files, meshes and named shapes to (N, 3) points; surfaces to samples; clouds to the MODEL frame.

Distances are in `cloud.distance` and normals in `cloud.normals`: reading a file imports neither.
"""

from cadrecode.cloud.read import (
    BREP_SUFFIXES,
    CLOUD_SUFFIXES,
    MESH_SUFFIXES,
    READABLE,
    SURFACE_SUFFIXES,
    Cloud,
    read_cloud,
    read_mesh,
)
from cadrecode.cloud.sample import farthest_point_sample, normalise, sample_surface
from cadrecode.cloud.shapes import SHAPES, make_shape

__all__ = [
    "BREP_SUFFIXES",
    "CLOUD_SUFFIXES",
    "MESH_SUFFIXES",
    "READABLE",
    "SHAPES",
    "SURFACE_SUFFIXES",
    "Cloud",
    "farthest_point_sample",
    "make_shape",
    "normalise",
    "read_cloud",
    "read_mesh",
    "sample_surface",
]
