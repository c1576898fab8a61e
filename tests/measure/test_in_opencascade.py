"""Programs that are measured build in CadQuery, with the volume that they have in Manifold."""

import pytest

from cadrecode.measure import from_mesh
from cadrecode.program import build, mesh_of, parse, write

HEXAGON = (
    ".segment((-48,-40),(-30,-50)).segment((-12,-40)).segment((-12,-20)).segment((-30,-10)).segment((-48,-20)).close()"
)
TRIANGLE = ".segment((20,20),(60,25)).segment((35,50)).close()"
PLATE = (
    "import cadquery as cq\nw0=cq.Workplane('XY')\nr=w0.sketch().rect(200,120).face(w0.sketch(){}.assemble(),mode='s')"
    ".face(w0.sketch(){}.assemble(),mode='s').finalize().extrude(20)"
)
TURNED = (
    "import cadquery as cq\nw0=cq.Workplane('XZ')\nr=w0.sketch().segment((0,-100),(30,-100)).segment((30,20))"
    ".segment((18,20)).segment((18,90)).arc((16.536,93.536),(13,95)).segment((0,95)).close().assemble().finalize()"
    ".revolve(360,(0,0),(0,1)).cut(cq.Workplane('XY',origin=(30,0,-10)).box(8,10,50))"
)


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        PLATE.format(HEXAGON, TRIANGLE),
        PLATE.format(HEXAGON, TRIANGLE) + ".faces('>Z').edges('%LINE').chamfer(2)",
        TURNED,
        TURNED + ".faces('<Z').edges().fillet(4)",
    ],
    ids=["holes", "chamfered", "turned", "turned and rounded"],
)
def test_cadquery_builds_what_was_measured(text, sandbox):
    best, *_ = from_mesh(*mesh_of(build(parse(text))), seconds=60)
    execution = sandbox.run(write(best.program))
    assert execution.ok, execution.detail
    assert execution.valid
    assert execution.volume == pytest.approx(build(best.program).volume(), rel=0.01)
