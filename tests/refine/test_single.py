"""RAW in, RAW out, in place, and nearer."""

import json
from dataclasses import replace

import numpy as np
import pytest

from cadrecode.cloud import normalise, read_cloud, sample_surface
from cadrecode.cloud.signed import signed_distance
from cadrecode.errors import ProgramError
from cadrecode.part import ENDINGS
from cadrecode.program import build, mesh_of, parse, write
from cadrecode.program.edit import parameters, to_code, to_raw
from cadrecode.refine import CODE, refine

HEAD = "import cadquery as cq\n"
DISTURBED = (
    HEAD + "w0=cq.Workplane('XY',origin=(501,-29.5,11))\n"
    "r=w0.sketch().rect(77,42.5).push([(22,1)]).circle(7,mode='s').finalize().extrude(9.3)"
)


def test_a_disturbed_program_comes_back_within_a_tenth_of_a_millimetre(plate_cloud, plate_mesh):
    result = refine(DISTURBED, plate_cloud, seconds=4)
    vertices, _ = mesh_of(build(parse(result.after.program)))
    true = plate_mesh[0]
    np.testing.assert_allclose([vertices.min(0), vertices.max(0)], [true.min(0), true.max(0)], atol=0.1)
    values = {p.name: p.value for p in parameters(parse(result.after.program))}
    assert values["hole 1 diameter"] == pytest.approx(16, abs=0.2)
    assert result.after.distance < 0.1 < 0.5 < result.before.distance
    assert result.after.deviation.mean < 0.05 < result.before.deviation.mean
    np.testing.assert_allclose(result.after.vertices.min(0), true.min(0), atol=0.1)
    assert result.before.program == DISTURBED
    assert "rect(80, 40)" in result.after.program  # round in the file's units
    assert result.after.about["warnings"] == []


def test_a_program_in_the_models_own_units_is_put_in_place(plate_cloud):
    _, frame = normalise(plate_cloud.points)
    code = write(to_code(parse(DISTURBED), frame))
    result = refine(code, plate_cloud, seconds=3, written_in=CODE)
    assert result.after.distance < 0.1
    np.testing.assert_allclose(result.after.vertices.min(0), plate_cloud.points.min(0), atol=0.1)
    assert parse(result.before.program) == to_raw(parse(code), frame)


def test_what_cannot_be_bettered_comes_back_word_for_word(plate_cloud, plate_text):
    text = "# by hand\n" + plate_text
    result = refine(text, plate_cloud, seconds=1)
    assert result.after.program == result.before.program == text
    assert result.after.distance == result.before.distance


@pytest.mark.slow
def test_a_turned_program_is_fitted_in_its_own_axes_and_stays_turned(plate_cloud, plate_mesh, plate_text):
    turn = "\nr=r.rotate((0,0,0),(1,2,3),{}).translate((1,2,3))"
    true_vertices, true_faces = mesh_of(build(parse(plate_text + turn.format(37))))
    turned = replace(plate_cloud, points=sample_surface(true_vertices, true_faces, 3000, 0)[0])
    result = refine(DISTURBED + turn.format(37), turned, seconds=4)
    assert result.after.distance < 0.1 < 0.5 < result.before.distance
    assert ".rotate(" in result.after.program
    assert result.after.frame.rotation is not None
    vertices, faces = mesh_of(build(parse(result.after.program)))
    assert np.abs(signed_distance(true_vertices, vertices, faces)).max() < 0.2
    np.testing.assert_allclose(vertices.min(0), result.after.vertices.min(0), atol=0.05)


def test_to_code_undoes_to_raw(plate_cloud):
    _, frame = normalise(plate_cloud.points)
    program = parse(DISTURBED)
    there = to_raw(to_code(program, frame), frame)
    np.testing.assert_allclose([p.value for p in parameters(there)], [p.value for p in parameters(program)], atol=1e-2)


def test_a_program_in_the_wrong_frame_is_told_where_it_belongs(plate_cloud):
    _, frame = normalise(plate_cloud.points)
    code = write(to_code(parse(DISTURBED), frame))
    with pytest.raises(ProgramError, match=r"too far apart to be fitted.*use --frame code"):
        refine(code, plate_cloud)
    with pytest.raises(ProgramError, match=r"too far apart to be fitted.*use --frame raw"):
        refine(DISTURBED, plate_cloud, written_in=CODE)


def test_a_program_for_another_place_is_told_so(plate_cloud):
    with pytest.raises(ProgramError, match=r"P\.py, .* from \(-40.*the cloud lies from \(460.*Scale and move"):
        refine(HEAD + "r=cq.Workplane('XY').box(80,40,8)", plate_cloud, program_name="P.py")


def test_a_program_that_may_be_in_the_models_units_is_fitted_with_a_warning(plate_cloud):
    centred = replace(plate_cloud, points=(plate_cloud.points - (500, -30, 16)) * 1.5)  # 120 long, at the origin
    result = refine(HEAD + "r=cq.Workplane('XY').box(200,100,20)", centred, seconds=1)
    assert "use --frame code" in result.after.about["warnings"][0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (HEAD + "r=cq.Workplane('XY').text('A', 3, 1)", r"line 2, column \d+: P\.py: .*`text`"),
        ("r = (", r"P\.py"),
        ("", r"P\.py"),
        (HEAD + "r=cq.Workplane('XY').box(1,2,3).cut(cq.Workplane('XY').box(5,5,5))", r"P\.py makes no solid"),
    ],
)
def test_what_is_no_program_of_the_language_is_an_error_with_its_place(plate_cloud, text, words):
    with pytest.raises(ProgramError, match=words):
        refine(text, plate_cloud, program_name="P.py")


def test_files_and_report_stand_beside_each_other(plate_cloud, tmp_path):
    result = refine(DISTURBED, plate_cloud, seconds=2)
    written = result.after.write_all(tmp_path / "new", "plate")
    needs_opencascade = {"step", "glb"}
    assert {path.name for path in written.values()} == {
        f"plate{ending}" for kind, ending in ENDINGS.items() if kind not in needs_opencascade
    }
    report = json.loads(written["report"].read_text(encoding="utf-8"))
    assert report["distance"] < report["distance_before"]
    assert report["deviation"]["mean"] < report["deviation_before"]["mean"]
    assert report["program_before"] == DISTURBED
    assert parse(written["py"].read_text(encoding="utf-8"))
    np.testing.assert_array_equal(read_cloud(written["deviation"]).points, plate_cloud.points)
