"""A part: its numbers by name, its files in its unit, and OpenCASCADE run once for all of them."""

import json

import numpy as np
import pytest

from cadrecode.cloud import Cloud, read_cloud, read_mesh, sample_surface
from cadrecode.errors import CadrecodeError, ConfigError, ProgramError
from cadrecode.kernel import Execution, Outcome, shared_sandbox
from cadrecode.part import Part, name_of
from cadrecode.program import build, mesh_of, parse

PLATE = (
    "import cadquery as cq\nw0=cq.Workplane('XY',origin=(500,0,-4))\n"
    "r=w0.sketch().rect(80,40).push([(24,0)]).circle(8,mode='s').finalize().extrude(8)"
)
LOFTED = "import cadquery as cq\nr=cq.Workplane('XY').rect(9,9).workplane(offset=9).rect(3,3).loft()"


class Counted:
    """The shared sandbox, with the number of programs that it ran."""

    def __init__(self):
        self.runs = 0

    def run(self, *args, **options):
        self.runs += 1
        return shared_sandbox().run(*args, **options)


@pytest.fixture(scope="module")
def cloud():
    return Cloud(sample_surface(*mesh_of(build(parse(PLATE))), 2000, 0)[0], None, "plate.xyz", "cloud")


def test_numbers_are_read_and_set_by_name(cloud):
    part = Part.of_program(PLATE, cloud=cloud, unit="cm", name="plate")
    assert part.parameters["hole 1 diameter"] == 16
    assert part.deviation.mean < 1e-6
    wider = part.with_parameters({"hole 1 radius": 10.0})
    assert wider.parameters["hole 1 diameter"] == 20
    assert wider.deviation.max == pytest.approx(2, abs=0.1)
    assert (wider.unit, wider.name, wider.cloud) == ("cm", "plate", cloud)
    assert build(wider.tree).volume() == pytest.approx((80 * 40 - np.pi * 100) * 8, rel=0.01)
    with pytest.raises(ProgramError, match="no number 'width'"):
        part.with_parameters({"width": 3})
    with pytest.raises(ProgramError, match="outside of the language"):
        Part.of_program(LOFTED, sandbox=shared_sandbox()).with_parameters({"width": 3})


def test_a_file_is_written_by_its_ending(cloud, tmp_path):
    part = Part.of_program(PLATE, cloud=cloud, unit="cm")
    for ending, scale in ((".step", 10), (".stl", 1), (".3mf", 10), (".glb", 1)):
        points = read_cloud(part.write(tmp_path / "new" / f"plate{ending}")).points
        sides = sorted(np.ptp(points, axis=0))  # GLB has its y axis up
        np.testing.assert_allclose(sides, np.array((8, 40, 80)) * scale, rtol=0.02)
    assert parse(part.write(tmp_path / "plate.py").read_text()) == parse(PLATE)
    report = json.loads(part.write(tmp_path / "plate.json").read_text())
    assert (report["unit"], report["made_by"], report["source"]["file"]) == ("cm", "person", "plate.xyz")
    with pytest.raises(ConfigError, match=r"plate\.dwg: a part is written as"):
        part.write(tmp_path / "plate.dwg")


def test_opencascade_runs_a_program_once_and_again_for_another_unit(cloud, tmp_path):
    sandbox = Counted()
    part = Part.of_program(PLATE, cloud=cloud).run(sandbox)
    first = part.write_all(tmp_path / "a", "plate", sandbox)
    part.write_all(tmp_path / "b", "other", sandbox)
    assert sandbox.runs == 1
    assert {path.name for path in (tmp_path / "a").iterdir()} == {path.name for path in first.values()}
    assert first.execution.valid
    assert first.note == ""
    inches = part.in_unit("inch").write_all(tmp_path / "c", "plate", sandbox)
    assert sandbox.runs == 2
    np.testing.assert_allclose(np.ptp(read_mesh(inches["step"])[0], axis=0), np.array((80, 40, 8)) * 25.4, rtol=0.01)


def test_where_opencascade_fails_the_stl_holds_the_mesh_and_a_step_is_an_error(cloud, tmp_path, monkeypatch):
    class Fails:
        def run(self, *args, **options):
            return Execution(Outcome.CRASHED, "signal 11")

    part = Part.of_program(PLATE, cloud=cloud)
    written = part.write_all(tmp_path, "plate", Fails())
    assert list(written) == ["py", "stl", "3mf", "freecad", "build123d", "openscad", "aligned", "deviation", "report"]
    assert "could not build the program (crashed, signal 11)" in written.note
    assert "The STL holds" in written.note
    assert written.note in json.loads(written["report"].read_text())["warnings"]
    np.testing.assert_allclose(np.ptp(read_mesh(written["stl"])[0], axis=0), (80, 40, 8), rtol=1e-5)
    monkeypatch.setattr("cadrecode.kernel.sandbox.shared_sandbox", Fails)
    with pytest.raises(CadrecodeError, match=r"No part\.step: OpenCASCADE could not"):
        part.write(tmp_path / "part.step")


def test_a_scan_with_a_name_of_300_letters_gives_files_that_can_be_written(tmp_path):
    name = name_of("\u9f7f" * 300 + ".xyz")
    assert len(f"{name}_deviation.ply".encode()) < 255
    (tmp_path / f"{name}_deviation.ply").touch()
    assert name_of("a" * 300 + ".xyz") == "a" * 120


def test_a_changed_part_has_a_verdict_of_its_own(cloud):
    part = Part.of_program(PLATE, cloud=cloud)
    assert part.assessment.verdict == "good_match"
    thicker = part.with_parameters({"plate thickness": 9.0})
    assert thicker.scan_assessor is part.scan_assessor  # preparing a scan takes long
    assert thicker.assessment.verdict == "details_missing"
    assert thicker.report["verdict_text"] == "main shape right, details missing"
    filled = Part.of_program(PLATE.replace(".push([(24,0)]).circle(8,mode='s')", ""), cloud=cloud)
    (hole,) = filled.assessment.unexplained
    np.testing.assert_allclose(hole.place, (524, 0, 0), atol=1)
    assert Part.of_program(PLATE).assessment is None
