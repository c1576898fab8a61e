"""From a cloud to ranked programs and files, with a generator that answers what the test wants it to."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from cadrecode.cloud import Cloud, normalise, read_cloud, read_mesh, sample_surface
from cadrecode.cloud.distance import point_to_surface
from cadrecode.config import ReconstructConfig
from cadrecode.errors import CadrecodeError
from cadrecode.frames import CODE_PER_MODEL
from cadrecode.kernel import Execution, Outcome
from cadrecode.program import build, mesh_of, parse, write
from cadrecode.program.edit import to_raw
from cadrecode.program.layout import laid_out
from cadrecode.program.solid import from_mesh, iou
from cadrecode.reconstruction import Cancelled, candidates, reconstruct

HEAD = "import cadquery as cq\nw0=cq.Workplane('XY')\n"
PLATE = (
    HEAD
    + "r=w0.sketch().push([(0,0)]).rect(200,100).push([(60,0)]).circle(20,mode='s').finalize().extrude(20,both=True)"
)
BLOCK = HEAD + "r=w0.workplane(offset=0/2).moveTo(0,0).box(200,100,40)"
HALF = HEAD + "r=w0.workplane(offset=0/2).moveTo(-50,0).box(100,100,40)"
LOFTED = (
    HEAD + "r=w0.workplane(offset=-20).rect(200,100).workplane(offset=40).rect(200,100).loft()"
)  # outside of the language
BROKEN = "import cadquery as cq\nr=cq.Workplane('XY'"

MODEL = SimpleNamespace(point_settings=SimpleNamespace(n_points=64, heard_points=0, columns=3))
SCALE, PLACE = 0.021, np.array([12.5, -300.0, 7.0])  # RAW units in a CODE unit; where the middle stands


def answers(*texts):
    """A generator that gives these texts in order, and remembers what it was shown."""
    left, calls = list(texts), []

    def generate(model, tokenizer, clouds, *, temperature, seed, stop, on_token=None):
        calls.append((np.array(clouds), temperature))
        return [left.pop(0) for _ in range(len(clouds))]

    generate.calls = calls
    return generate


def rebuilt(cloud, *, generate, sandbox=None, on_progress=None, should_stop=None, model_name="", **settings):
    """A rebuild by the model alone, unless the settings name another source."""
    settings = {"source": "model", "seconds": 1, **settings}
    return reconstruct(
        cloud,
        MODEL,
        None,
        ReconstructConfig(**settings),
        model_name=model_name,
        sandbox=sandbox,
        on_progress=on_progress,
        should_stop=should_stop,
        generate=generate,
    )


@pytest.fixture(autouse=True)
def _seconds(processor_time):
    """Every fit here, and what is measured, counts the processor's seconds."""


@pytest.fixture
def cloud():
    vertices, faces = mesh_of(build(parse(PLATE)))
    points, _ = sample_surface(vertices * SCALE + PLACE, faces, 1024, 0)
    return Cloud(points, None, "plate", "mesh")


def test_the_right_program_wins_and_the_others_are_listed_behind_it(cloud):
    result = rebuilt(cloud, candidates=4, generate=answers(HALF, BROKEN, PLATE, BLOCK), seconds=0)
    assert [part.index for part in result.parts] == [2, 3, 0]
    assert result.best is result.parts[0]
    assert [(part.index, part.outcome, part.distance) for part in result.failed] == [(1, Outcome.SYNTAX, None)]
    assert {part.source for part in (*result.parts, *result.failed)} == {"model"}
    assert not result.stopped


def test_distances_are_in_the_units_of_the_file(cloud):
    result = rebuilt(cloud, candidates=2, generate=answers(BLOCK, PLATE), seconds=0)
    assert result.best.distance < 0.2 * SCALE
    assert max(result.best.deviation.mean, result.best.deviation.p95, result.best.deviation.max) < 0.5 * SCALE
    block = result.parts[1]
    bore = np.hypot(*((cloud.points - PLACE)[:, :2] / SCALE - (60, 0)).T) < 20.5
    to_block = point_to_surface(cloud.points, block.vertices, block.faces)
    assert to_block[bore].max() == pytest.approx(20 * SCALE, rel=0.05)  # the middle of the bore, 20 deep in the block
    assert block.distance > to_block.mean()  # and the caps that have no points count on top


def test_the_final_program_stands_where_the_cloud_stands(cloud):
    result = rebuilt(cloud, candidates=1, generate=answers(PLATE))
    box = np.array(build(parse(result.best.program)).bounding_box()).reshape(2, 3)
    expected = np.array([cloud.points.min(0), cloud.points.max(0)])
    np.testing.assert_allclose(box, expected, atol=0.005 * 200 * SCALE)
    np.testing.assert_allclose([result.best.vertices.min(0), result.best.vertices.max(0)], box, atol=1e-4)


@pytest.mark.parametrize(("scale", "place"), [(1e-5, 0.002), (0.025, 0), (1, 7e5), (300, -1e4)])
def test_numbers_are_short_and_lose_nothing_that_can_be_seen(cloud, scale, place):
    moved = Cloud((cloud.points - PLACE) / SCALE * scale + place, None, "plate", "mesh")
    result = rebuilt(moved, candidates=1, generate=answers(PLATE))
    vertices, faces = mesh_of(build(parse(result.best.program)))
    assert point_to_surface(moved.points, vertices, faces).mean() < 0.2 * scale
    text = write(parse(result.best.program))
    assert "-0," not in text
    assert "-0)" not in text
    assert len(text) < 2 * len(PLATE) + 20


def test_candidate_0_is_greedy_and_the_others_see_other_points(cloud):
    generate = answers(*[PLATE] * 5)
    rebuilt(cloud, candidates=5, temperature=0.9, generate=generate)
    ((views, temperatures),) = generate.calls
    assert temperatures == [0.0, 0.9, 0.9, 0.9, 0.9]
    assert views.shape == (5, 64, 3)
    assert np.abs(views).max() <= 1
    assert len({view.tobytes() for view in views}) == 5


def test_nothing_valid_is_a_result_without_a_best(cloud):
    result = rebuilt(cloud, candidates=2, generate=answers(BROKEN, ""))
    assert result.best is None
    assert {part.outcome for part in result.failed} == {Outcome.SYNTAX, Outcome.NO_SHAPE}
    with pytest.raises(CadrecodeError, match="None of the 2 candidates"):
        result.require_best()


def test_dimensions_stand_at_the_top_where_the_settings_ask_for_it(cloud, tmp_path):
    plain, named = (rebuilt(cloud, candidates=1, generate=answers(PLATE), names=names).best for names in (False, True))
    written = named.write_all(tmp_path, "plate")["py"].read_text(encoding="utf-8")
    width = f"plate_width = {named.parameters['plate width']:g}\n"
    assert width in written
    assert "plate_width" not in plain.program
    assert named.tree == plain.tree
    wider = named.with_parameters({"plate width": 7})
    assert wider.program == written.replace(width, "plate_width = 7\n")
    assert np.ptp(wider.vertices, axis=0) == pytest.approx([7, *np.ptp(named.vertices, axis=0)[1:]])
    assert "plate_width" not in plain.with_parameters({"plate width": 7}).program


@pytest.mark.slow
def test_progress_counts_up_to_its_total_in_every_stage(cloud):
    progress = []
    rebuilt(cloud, candidates=3, generate=answers(PLATE, BLOCK, HALF), on_progress=lambda *a: progress.append(a))
    for stage in ("sampling", "building", "ranking", "fitting"):
        done = [d for s, d, _ in progress if s == stage]
        assert done == sorted(done)
        assert done[-1] == 3
    assert list(dict.fromkeys(s for s, _, _ in progress)) == ["sampling", "building", "ranking", "fitting", "measuring"]


def test_the_best_are_fitted_and_come_out_round_in_the_units_of_the_file(cloud):
    off = PLATE.replace("200,100", "194,104").replace("(60,0)", "(55,3)")
    result = rebuilt(cloud, candidates=1, generate=answers(off), seconds=8)
    assert result.best.distance < 0.1 * SCALE < 0.9 * SCALE < result.best.distance_before
    assert build(result.best.tree).volume() == pytest.approx(build(parse(PLATE)).volume() * SCALE**3, rel=2e-3)
    assert "rect(4.2, 2.1)" in result.best.program  # 200 by 100 CODE units, in those of the file


@pytest.mark.slow
def test_of_two_that_the_fit_makes_equal_the_shorter_comes_first(cloud):
    off = PLATE.replace("200,100", "194,104")
    result = rebuilt(cloud, candidates=2, generate=answers(HALF, off), seconds=10)
    assert [part.index for part in result.parts] == [1, 0]


def test_a_stop_before_the_first_program_cancels(cloud):
    with pytest.raises(Cancelled):
        rebuilt(cloud, candidates=3, generate=answers("", BLOCK, HALF), should_stop=lambda: True)


def test_a_stop_after_it_returns_what_is_there(cloud):
    generate = answers(PLATE, "", HALF)
    result = rebuilt(cloud, candidates=3, generate=generate, should_stop=lambda: len(generate.calls) == 1)
    assert [part.index for part in result.parts] == [0]
    assert result.best
    assert result.stopped


def test_what_opencascade_refuses_is_passed_over_and_named(cloud):
    class Refuses:
        def run(self, code, *args, **options):
            return Execution(Outcome.OK if ".box(" in code else Outcome.INVALID, "no good")

    result = rebuilt(cloud, candidates=3, generate=answers(HALF, PLATE, BLOCK), sandbox=Refuses(), seconds=0)
    assert [part.index for part in result.passed_over] == [1]
    assert result.best.index == 2
    assert [part.index for part in result.parts] == [2, 0]
    assert [(part.index, part.outcome) for part in result.failed] == [(1, Outcome.INVALID)]
    assert "OpenCASCADE does not: no good" in result.failed[0].detail


def test_in_place_of_a_fitted_program_that_opencascade_refuses_comes_what_the_model_wrote(cloud):
    off = PLATE.replace("200,100", "194,104")

    class RefusesTheFirst:
        outcomes = iter((Outcome.INVALID, Outcome.OK))

        def run(self, code, *args, **options):
            return Execution(next(self.outcomes), "no good")

    result = rebuilt(cloud, candidates=1, generate=answers(off), sandbox=RefusesTheFirst())
    assert result.parts == (result.best,)
    assert result.best.distance_before is None
    assert result.best.program == laid_out(write(to_raw(parse(off), result.frame)))
    assert [part.outcome for part in result.passed_over] == [Outcome.INVALID]


def test_of_a_program_that_opencascade_refuses_the_nearest_with_a_feature_less_is_taken(cloud):
    class RefusesSpheres:
        def run(self, code, *args, **options):
            return Execution(Outcome.INVALID if "sphere(" in code else Outcome.OK, "no good")

    notched = ".cut(cq.Workplane('XY',origin=(100,50,0)).sphere(3))"
    slotted = ".cut(cq.Workplane('XY',origin=(-100,0,0)).box(8,20,40))"
    result = rebuilt(
        cloud, candidates=2, generate=answers(PLATE + slotted + notched, HALF), sandbox=RefusesSpheres(), seconds=0
    )
    assert "box(" in result.best.program
    assert "sphere(" not in result.best.program
    assert [(part.index, part.outcome) for part in result.passed_over] == [(0, Outcome.INVALID)]
    assert any("lacks a feature" in warning for warning in result.best.report["warnings"])
    assert [part.index for part in result.parts] == [0, 1]


def test_of_a_half_and_its_image_with_a_rim_that_opencascade_refuses_only_the_rim_goes(cloud):
    class RefusesRims:
        def run(self, code, *args, **options):
            return Execution(Outcome.INVALID if "chamfer(" in code else Outcome.OK, "no good")

    half = HALF + ".mirror('YZ',(0,0,0),union=True).faces('>Z').edges().chamfer(1)"
    result = rebuilt(cloud, candidates=1, generate=answers(half), sandbox=RefusesRims(), seconds=0)
    assert "mirror(" in result.best.program
    assert "chamfer(" not in result.best.program
    assert [(part.index, part.outcome) for part in result.passed_over] == [(0, Outcome.INVALID)]


def test_where_opencascade_refuses_all_the_nearest_is_still_shown(cloud):
    class Refuses:
        def run(self, code, *args, **options):
            return Execution(Outcome.CRASHED, "signal 11")

    result = rebuilt(cloud, candidates=2, generate=answers(HALF, PLATE), sandbox=Refuses(), seconds=0)
    assert result.best.index == 1
    assert len(result.passed_over) == 2


def test_files_stand_in_the_units_and_the_place_of_the_cloud(cloud, sandbox, tmp_path):
    result = rebuilt(cloud, candidates=2, generate=answers(BLOCK, PLATE), sandbox=sandbox, unit="cm")
    written = result.best.write_all(tmp_path / "out", "plate")  # without a sandbox: OpenCASCADE ran for the check
    assert list(written) == [
        "py",
        "step",
        "stl",
        "3mf",
        "glb",
        "freecad",
        "build123d",
        "openscad",
        "aligned",
        "deviation",
        "report",
    ]
    assert written.note == ""
    assert all(path.parent == tmp_path / "out" and path.stem.startswith("plate") for path in written.values())
    assert parse(written["py"].read_text(encoding="utf-8"))
    expected = np.array([cloud.points.min(0), cloud.points.max(0)])
    for kind, scale in (("stl", 1), ("step", 10)):  # STEP is read in mm, and says that these are cm
        vertices, _ = read_mesh(written[kind])
        np.testing.assert_allclose([vertices.min(0) / scale, vertices.max(0) / scale], expected, atol=0.02)


def test_without_opencascade_the_stl_holds_the_preview_and_the_note_says_so(cloud, tmp_path):
    result = rebuilt(cloud, candidates=1, generate=answers(PLATE))
    written = result.best.write_all(tmp_path, "plate")
    assert list(written) == ["py", "stl", "3mf", "freecad", "build123d", "openscad", "aligned", "deviation", "report"]
    assert "No STEP" in written.note
    vertices, faces = read_mesh(written["stl"])
    assert point_to_surface(cloud.points, vertices, faces).mean() < 0.2 * SCALE


def test_the_report_holds_what_was_asked_what_came_and_what_was_written(cloud, tmp_path):
    off = PLATE.replace("200,100", "196,100")
    result = rebuilt(
        cloud, candidates=3, seed=4, generate=answers(BROKEN, off, HALF), seconds=4, unit="cm", model_name="a typist"
    )
    written = result.best.write_all(tmp_path, "plate")
    report = json.loads(written["report"].read_text(encoding="utf-8"))
    assert written["report"].name == "plate_report.json"
    assert report["files"] == {kind: path.name for kind, path in written.items()}
    assert report["source"]["points"] == 1024
    assert (
        report["options"] == ReconstructConfig(source="model", candidates=3, seed=4, seconds=4, unit="cm").model_dump()
    )
    assert (report["unit"], report["model"], report["best"]) == ("cm", "a typist", 1)
    assert report["distance"] < report["distance_before"]
    assert [entry["outcome"] for entry in report["candidates"]] == ["ok", "ok", "syntax error"]
    assert [entry["index"] for entry in report["candidates"]] == [1, 2, 0]
    assert report["deviation"]["mean"] == pytest.approx(result.best.deviation.mean, rel=1e-5)
    assert np.abs(report["bounding_box"]["relative_difference"]).max() < 0.01
    assert report["frame"]["raw_per_code"] == pytest.approx(SCALE, rel=1e-3)
    assert report["program"].rstrip() == written["py"].read_text(encoding="utf-8").rstrip()
    assert any("No STEP" in warning for warning in report["warnings"])


def test_the_coloured_cloud_is_the_cloud_with_signed_distances(cloud, tmp_path):
    small = BLOCK.replace("200,100,40", "200,100,30")  # 5 CODE units too thin above and below
    result = rebuilt(cloud, candidates=1, generate=answers(small), seconds=0)
    written = result.best.write_all(tmp_path, "plate")
    again = read_cloud(written["deviation"])
    np.testing.assert_array_equal(again.points, cloud.points)
    assert result.best.deviation.bias > 0  # the points lie outside
    top = cloud.points[:, 2] > PLACE[2] + 19.9 * SCALE
    np.testing.assert_allclose(result.best.deviation.signed[top], 5 * SCALE, rtol=0.05)


def test_text_outside_of_the_language_is_scaled_and_moved_as_a_whole(cloud, sandbox):
    result = rebuilt(cloud, candidates=1, generate=answers(LOFTED), sandbox=sandbox)
    assert result.best.tree is None
    assert result.passed_over == ()
    execution = sandbox.run(result.best.program)
    _, frame = normalise(cloud.points)
    low, high = np.array(execution.bounding_box).reshape(2, 3)
    np.testing.assert_allclose((low + high) / 2, frame.center, atol=1e-3)
    assert (high - low).max() == pytest.approx(2 * CODE_PER_MODEL * frame.raw_per_code, rel=1e-4)


# --- parts that stand askew

TURN = Rotation.from_euler("zyx", (34, -21, 12.5), degrees=True).as_matrix()


def askew(text, *, noise=0.0, normals=False):
    """A cloud of a turned program, and the true solid that it was scanned from, RAW."""
    vertices, faces = mesh_of(build(parse(text)))
    vertices = vertices @ TURN.T * SCALE + PLACE
    points, outward = sample_surface(vertices, faces, 4096, 0)
    points = points + np.random.default_rng(0).normal(size=points.shape) * noise * 200 * SCALE
    return Cloud(points, outward if normals else None, "plate", "mesh"), from_mesh(vertices, faces)


@pytest.mark.parametrize("normals", [False, True])
def test_a_part_that_stands_askew_is_rebuilt_upright_and_put_back(normals, sandbox, tmp_path):
    cloud, solid = askew(PLATE, normals=normals)
    generate = answers(PLATE, BLOCK)
    result = rebuilt(cloud, candidates=2, generate=generate, sandbox=sandbox, seconds=0)
    assert result.alignment.degrees == pytest.approx(np.degrees(Rotation.from_matrix(TURN).magnitude()), abs=0.2)
    sides = np.ptp(generate.calls[0][0][0], axis=0)  # what the model saw
    np.testing.assert_allclose(sides, (2, 1, 0.4), atol=0.05)
    best = result.best
    assert best.index == 0
    assert best.distance < 0.5 * SCALE
    assert result.best.deviation.max < 0.7 * SCALE
    made = build(parse(best.program))
    assert iou(made, solid) > 0.99
    assert made.volume() == pytest.approx(solid.volume(), rel=0.005)
    box, expected = (np.array(mesh.bounding_box()) for mesh in (made, solid))
    np.testing.assert_allclose(box, expected, atol=0.005 * 200 * SCALE)
    np.testing.assert_allclose([best.vertices.min(0), best.vertices.max(0)], box.reshape(2, 3), atol=1e-3)
    written = result.best.write_all(tmp_path, "plate")
    for kind in ("stl", "step"):
        vertices, _ = read_mesh(written[kind])
        np.testing.assert_allclose([vertices.min(0), vertices.max(0)], expected.reshape(2, 3), atol=0.02)


@pytest.mark.slow
def test_a_noisy_part_that_stands_askew_is_fitted_in_its_own_axes():
    cloud, solid = askew(PLATE, noise=0.005)
    off = PLATE.replace("200,100", "194,104").replace("(60,0)", "(55,3)")
    result = rebuilt(cloud, candidates=1, generate=answers(off), seconds=8)
    assert iou(build(parse(result.best.program)), solid) > 0.97
    sketch = "".join(result.best.program.split(".sketch()")[1].split(".extrude")[0].split())
    assert len(sketch) < 100, "numbers are round in the part's own axes"


def test_text_outside_of_the_language_is_turned_too(sandbox):
    cloud, _ = askew(PLATE)
    result = rebuilt(cloud, candidates=1, generate=answers(LOFTED), sandbox=sandbox)
    execution = sandbox.run(result.best.program)
    low, high = np.array(execution.bounding_box).reshape(2, 3)
    np.testing.assert_allclose([low, high], [cloud.points.min(0), cloud.points.max(0)], atol=8 * SCALE)
    np.testing.assert_allclose((low + high) / 2, PLACE, atol=0.5 * SCALE)


def test_without_alignment_and_when_upright_the_program_is_the_same_text(cloud):
    texts = [
        rebuilt(cloud, candidates=1, generate=answers(PLATE), seconds=0, align=align).best.program
        for align in (True, False)
    ]
    assert texts[0] == texts[1]
    assert "rotate" not in texts[0]
    turned, _ = askew(PLATE)
    off = rebuilt(turned, candidates=1, generate=answers(PLATE), seconds=0, align=False)
    assert (off.frame.rotation, off.alignment.rotation) == (None, None)


def test_a_fault_of_measuring_leaves_the_programs_of_the_model(cloud, monkeypatch):
    def fails(*args, **options):
        raise RuntimeError("no such level")

    monkeypatch.setattr(candidates, "from_cloud", fails)
    result = rebuilt(cloud, candidates=1, generate=answers(PLATE), source="both", seconds=0)
    assert result.best.source == "model"
    assert "Measuring failed (no such level): the model wrote all candidates." in map(
        str, result.best.report["warnings"]
    )
