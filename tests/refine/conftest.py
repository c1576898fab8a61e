"""A plate with a bore, as a scan in millimetres far from the origin."""

import pytest

from cadrecode.cloud import Cloud, sample_surface
from cadrecode.program import build, mesh_of, parse

HEAD = "import cadquery as cq\n"
PLATE_MM = (
    HEAD + "w0=cq.Workplane('XY',origin=(500,-30,12))\n"
    "r=w0.sketch().rect(80,40).push([(24,0)]).circle(8,mode='s').finalize().extrude(8)"
)


@pytest.fixture(scope="session")
def plate_text():
    return PLATE_MM


@pytest.fixture(scope="session")
def plate_mesh():
    return mesh_of(build(parse(PLATE_MM)))


@pytest.fixture(scope="session")
def plate_cloud(plate_mesh):
    return Cloud(sample_surface(*plate_mesh, 768, 0)[0], None, "plate.xyz", "cloud")


@pytest.fixture(autouse=True)
def _seconds(processor_time):
    """Of every fit here."""
