"""The Reconstruct tab's handlers, called as what they are: functions."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from cadrecode.cloud import read_cloud
from cadrecode.config import ReconstructConfig
from cadrecode.errors import CadrecodeError, Message, PointCloudError, ProgramError
from cadrecode.ui import services as ui_services
from cadrecode.ui.draw import html
from cadrecode.ui.reconstruct import actions as rebuilding
from cadrecode.ui.reconstruct import describe, dimensions, samples
from cadrecode.ui.reconstruct import views as views
from cadrecode.ui.reconstruct.files import KINDS, write_files
from cadrecode.ui.reconstruct.report import write_page
from cadrecode.ui.reconstruct.state import Work
from cadrecode.ui.words.text import Words
from tests.ui.conftest import rebuilt

EN, ZH = Words("en"), Words("zh")


def test_a_dropped_file_becomes_a_cloud_with_a_safe_name(plate):
    assert plate.name == "my_plate"
    facts = describe.cloud_facts(plate.cloud, "inch", EN)
    assert "3,000 points" in facts
    assert "80.0 × 40.0 × 8.00 inch" in facts
    assert "Sample" not in facts
    assert {sample.source for sample in samples.samples()} == {"assets/clouds/make_samples.py (Apache-2.0)"}
    assert "Sample, made by &lt;me&gt;" in describe.cloud_facts(plate.cloud, "mm", EN, "<me>")


def test_a_broken_file_is_told_in_words(tmp_path, services):
    path = tmp_path / "a.xyz"
    path.write_text("1 2 3\n" * 40)
    with pytest.raises(PointCloudError):
        rebuilding.open_cloud(path, services)


def test_rebuilding_puts_the_nearest_first_and_names_the_failures(plate, services, typist):
    after, reports = rebuilt(plate, services)
    assert typist.asked == [(3, [0.0, 0.7, 0.7])]
    np.testing.assert_allclose(after.shown.size, (80, 40, 8), rtol=1e-3)
    assert [round(float(p.size[2])) for p in after.parts] == [8, 24]
    assert after.parts[0].distance < after.parts[1].distance
    assert after.shown.deviation.mean < 0.05 < after.parts[1].deviation.max
    low = after.shown.vertices.min(0)
    np.testing.assert_allclose(low, (460, -20, -24), atol=0.05)  # in the file's own place
    assert {stage for stage, _, _ in reports} >= {"loading", "sampling", "building", "ranking"}
    numbers = describe.numbers(after, EN)
    assert "1 of 3 candidates were invalid (syntax error)" in numbers
    assert "语法错误" in describe.numbers(after, ZH)


def test_what_was_guessed_and_passed_over_on_the_way_is_said_beside_the_part(after, tmp_path):
    guess = Message("The side that faces {sides} was not seen: it is taken for flat.", sides="-Z")
    told = replace(after, rebuilt=replace(after.rebuilt, warnings=(guess,), stopped=True))
    page = write_page(tmp_path / "part.html", told, EN).read_text()
    for shown in (describe.numbers(told, EN), page):
        assert guess in shown
        assert "It was stopped early: not all candidates were drawn." in shown
    assert "朝向 -Z 的一侧没有扫描到" in describe.numbers(told, ZH)


def test_the_verdict_stands_before_every_number_in_both_languages(after):
    for words, verdict in ((EN, "good match"), (ZH, "吻合良好")):
        shown = describe.numbers(after, words)
        lead = f'<div class="cr-numbers"><p class="cr-verdict"><span class="cr-lead good_match">{verdict}</span>'
        assert shown.startswith(lead)
        assert 'class="cr-within">100 %' in shown
        assert words("result.mean") in shown
    worse = describe.numbers(after.choosing(1), EN)
    assert '<span class="cr-lead no_match">no match: do not use</span>' in worse
    assert "points inside of the part" in worse
    assert "written by the model" in worse


def test_without_a_cloud_or_a_valid_candidate_it_says_what_to_do(plate, services, typist):
    with pytest.raises(CadrecodeError, match="drop a file"):
        rebuilt(Work(), services)
    typist.programs = ["r=("]
    with pytest.raises(CadrecodeError, match="None of the 3 candidates"):
        rebuilt(plate, services)


def test_choosing_another_candidate_shows_it_and_drops_the_edit(after, services):
    edited = rebuilding.run_program(after, "import cadquery as cq\nr=cq.Workplane('XY').box(1,2,3)", services)
    np.testing.assert_allclose(edited.shown.size, (1, 2, 3))
    assert edited.choosing(1).shown == after.parts[1]
    assert views.strip(edited, EN)[0][1].endswith(" mm\nwritten by the model")


def test_a_fault_in_a_program_has_a_place_an_excerpt_and_an_expectation(plate, services):
    text = "import cadquery as cq\nr=cq.Workplane('XY').box(1,2,'wide')"
    with pytest.raises(ProgramError) as caught:
        rebuilding.run_program(plate, text, replace(services, run_programs=False))
    shown = describe.program_error(caught.value, text, EN)
    assert "Line 2, column" in shown
    assert "^" in shown.split("<pre>")[1]
    assert "第 2 行" in describe.program_error(caught.value, text, ZH)


def test_an_error_of_the_sandbox_is_shown_as_it_is_with_its_line(plate, services):
    text = "import cadquery as cq\nsize = 'wide'\nr=cq.Workplane('XY').box(10,20,size)"
    with pytest.raises(ProgramError) as caught:
        rebuilding.run_program(plate, text, services)
    shown = describe.program_error(caught.value, text, EN)
    assert "Line 3:" in shown
    assert "TypeError: bad operand" in shown
    assert "box(10,20,size)</pre>" in shown


def test_the_mark_stands_below_the_fault_in_a_long_line():
    text = "x" * 200
    shown = describe.program_error(ProgramError("wrong", 1, 151), text, EN)
    excerpt, mark = shown.split("<pre>")[1].split("</pre>")[0].split("\n")
    assert len(mark) == len("…") + 40 + 1
    assert excerpt.startswith("…")


def test_markup_in_names_and_errors_is_shown_not_obeyed(plate):
    evil = replace(plate.cloud, name="<script>x</script>", warnings=("<b>",))
    assert "<script>" not in describe.cloud_facts(evil, "mm", EN)
    assert "<b>x" not in html.bad("<b>x")


def test_the_view_shows_the_part_with_its_scan_and_the_scan_alone_before_that(after, plate):
    assert "vertices" not in views.view(plate)
    shown = views.view(after)
    assert {"vertices", "faces", "points", "signed"} <= set(shown)
    assert shown["part"] == views.view(after)["part"] != views.view(after.choosing(1))["part"]
    assert views.view(Work()) is None
    known = views.knowledge(after, ZH)
    assert known["part"] == shown["part"]
    assert ["plate thickness", "板厚度"] in known["names"]
    assert len(known["moved"]) == 6
    assert known["spots"] == []
    narrow = dimensions.moved(after, after.shown, {"plate width": 60.0})
    assert views.knowledge(narrow, EN)["spots"]
    assert "cr-missed" in describe.numbers(narrow, EN)
    quick = describe.numbers(narrow, EN, judged=False)
    assert EN("result.checking") in quick
    assert "cr-missed" not in quick
    assert sorted(index for face in known["moved"] for index in face) == [0, 0, 1, 1, 2, 2]  # two sides each


def test_the_tolerance_can_be_set_and_is_a_round_number_until_then(after, services):
    assert after.tolerance_shown == 0.5  # of 80
    assert 'value="0.5"' in describe.numbers(after, EN)
    thin = rebuilding.run_program(
        after, "import cadquery as cq\nr=cq.Workplane('XY',origin=(500,0,-20)).box(78,38,6)", services
    )  # 1 mm under the points on each side
    for tolerance, share in ((0.9, "0 %"), (2, "100 %")):
        now = replace(thin, tolerance=tolerance)
        assert re.search(rf">{share} of the points within", describe.numbers(now, EN))
        assert views.view(now)["tolerance"] == tolerance
    assert 'value="200"' in describe.numbers(replace(after.in_unit("m"), tolerance=0.2), EN)


def test_without_permission_only_the_program_is_offered(plate, services):
    after, _ = rebuilt(plate, replace(services, run_programs=False))
    files = write_files(after, replace(services, run_programs=False), EN)
    assert list(files.paths) == [
        "py",
        "stl",
        "3mf",
        "freecad",
        "build123d",
        "openscad",
        "aligned",
        "deviation",
        "report",
        "page",
    ]  # made here, by nothing that runs a program
    assert "public link" in files.note
    assert files.paths["py"].name == "my_plate.py"


def test_files_are_written_in_the_units_of_the_scan(plate, services):
    after, _ = rebuilt(plate.in_unit("cm"), services, unit="cm")
    files = write_files(after, services, EN)
    assert set(files.paths) == set(KINDS)
    assert files.validity == "valid solid"
    from_step = read_cloud(files.paths["step"])  # STEP is read in millimetres
    np.testing.assert_allclose(np.ptp(from_step.points, axis=0), (800, 400, 80), rtol=0.01)
    assert np.ptp(read_cloud(files.paths["stl"]).points, axis=0)[0] == pytest.approx(80, rel=0.01)


def test_the_report_and_the_coloured_cloud_are_of_the_part_on_screen(plate, services):
    after, _ = rebuilt(plate.in_unit("cm"), services, unit="cm")
    files = write_files(after, services, EN)
    report = json.loads(files.paths["report"].read_text(encoding="utf-8"))
    assert (report["shown"], report["best"], report["unit"]) == (1, 1, "cm")
    assert report["model"] == "embedded"
    assert report["deviation"]["mean"] == pytest.approx(after.shown.deviation.mean, rel=1e-4)
    assert len(report["candidates"]) == 3
    assert set(report["files"]) == set(files.paths) - {"page"}
    np.testing.assert_array_equal(read_cloud(files.paths["deviation"]).points, after.cloud.points)

    other = after.choosing(1)
    report = json.loads(write_files(other, services, EN).paths["report"].read_text(encoding="utf-8"))
    assert (report["shown"], report["best"]) == (0, 1)
    assert report["deviation"]["mean"] == pytest.approx(other.shown.deviation.mean, rel=1e-4)
    assert report["program"] == other.shown.program

    edited = rebuilding.run_program(after, "import cadquery as cq\nr=cq.Workplane('XY').box(1,2,3)", services)
    report = json.loads(write_files(edited, services, EN).paths["report"].read_text(encoding="utf-8"))
    assert (report["shown"], report["distance"]) == (None, None)
    assert report["bounding_box"]["part"]["size"] == [1, 2, 3]

    first = write_files(samples.first_work(), services, EN)
    report = json.loads(first.paths["report"].read_text(encoding="utf-8"))
    assert report["deviation"]["mean"] < 2 * samples.FIRST_NOISE_MM
    assert "candidates" not in report


def test_before_and_after_the_fit_stand_side_by_side_where_there_was_a_fit(plate, services):
    unfitted, _ = rebuilt(plate, services)
    assert all("→" not in caption for _, caption in views.strip(unfitted, EN))
    assert 'aria-label="Candidates by distance, both ways"' in views.strip_drawn(unfitted, EN)
    assert "before the fit" not in describe.numbers(unfitted, EN)

    fitted = rebuilding.rebuild(
        plate,
        ReconstructConfig(source="model", candidates=2, seconds=2),
        services,
        lambda *progress: None,
        lambda: False,
    )
    moved = next(part for part in fitted.parts if part.distance_before is not None)
    assert moved.distance <= moved.distance_before
    now = fitted.choosing(fitted.parts.index(moved))
    assert "before the fit)" in describe.numbers(now, EN)
    assert "拟合前" in describe.numbers(now, ZH)
    before, after = views.strip(fitted, EN)[now.chosen][1].removesuffix(" mm\nwritten by the model").split(" → ")
    assert float(after.removeprefix("<")) <= float(before)
    assert "before → after" in views.strip_drawn(fitted, EN)


def test_the_side_on_which_the_points_lie_is_told_in_words(plate, services):
    block = "import cadquery as cq\nr=cq.Workplane('XY',origin=(500,0,-20)).box({},{},{})"
    thin = rebuilding.run_program(plate, block.format(78, 38, 6), services)  # 1 mm under the points on each side
    assert re.search(r"on average <b>1\.0\d mm</b> outside", describe.numbers(thin, EN))
    thick = rebuilding.run_program(plate, block.format(82, 42, 10), services)
    shown = describe.numbers(thick, EN)
    assert re.search(r"on average <b>(1\.00|0\.99\d) mm</b> inside", shown)
    assert "内侧" in describe.numbers(thick, ZH)


def test_a_step_file_is_refused_where_programs_must_not_run(tmp_path, services):
    with pytest.raises(CadrecodeError, match="off on this link"):
        rebuilding.open_cloud(tmp_path / "a.step", replace(services, run_programs=False))


def test_something_useful_is_there_before_the_first_click(services):
    work = samples.first_work()
    assert work.shown.deviation.mean < 2 * samples.FIRST_NOISE_MM
    assert len(dimensions.named(work.shown)[0]) >= 4
    assert views.view(work)["points"]
    assert len(samples.samples()) == len(samples.thumbnails("zh")) >= 8


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0 mm"),
        (0.04123, "0.0412 mm"),
        (0.00987, "0.00987 mm"),
        (0.5, "0.500 mm"),
        (1234.5, "1,234 mm"),
        (42.04, "42.0 mm"),
        (3e-6, "<0.0001 mm"),
    ],
)
def test_lengths_show_three_figures(value, shown):
    assert html.length(value, "mm") == shown


def test_times_are_minutes_and_seconds():
    assert [html.clock(s) for s in (None, 0, 59.6, 125, 3725)] == ["–", "0:00", "1:00", "2:05", "1:02:05"]


def test_a_part_that_stands_askew_is_turned_and_said_to_be(plate, services):
    turn = Rotation.from_euler("zx", (25, 10), degrees=True).as_matrix()
    cloud = replace(plate.cloud, points=plate.cloud.points @ turn.T)
    after, _ = rebuilt(replace(plate, cloud=cloud), services)
    assert after.rebuilt.alignment.degrees == pytest.approx(np.degrees(Rotation.from_matrix(turn).magnitude()), abs=0.2)
    assert f"turned by {after.rebuilt.alignment.degrees:.1f} degrees" in describe.numbers(after, EN)
    assert f"已旋转 {after.rebuilt.alignment.degrees:.1f} 度" in describe.numbers(after, ZH)
    np.testing.assert_allclose(after.shown.size, (80, 40, 8), rtol=0.01)
    assert after.shown.deviation.mean < 0.05
    widened = dimensions.moved(after, after.shown, {dimensions.named(after.shown)[0][0].name: 60})
    assert "rotate" in widened.shown.program
    low, high = after.shown.vertices.min(0), after.shown.vertices.max(0)
    off, _ = rebuilt(replace(plate, cloud=cloud), services, align=False)
    assert "turned" not in describe.numbers(off, EN)
    np.testing.assert_allclose((low + high) / 2, (cloud.points.min(0) + cloud.points.max(0)) / 2, atol=0.5)


def test_what_was_cleaned_away_is_counted_and_no_longer_shown(plate, services):
    table = np.random.default_rng(1).uniform((400, -100, -24), (600, 100, -24), (4000, 3))
    table = table[(np.abs(table[:, :2] - (500, 0)) > (40, 20)).any(axis=1)]
    work = replace(plate, cloud=replace(plate.cloud, points=np.vstack((plate.cloud.points, table))))
    after, reports = rebuilt(work, services, clean=True)
    assert ("cleaning", 0, 1) in reports
    assert len(after.scan.points) == pytest.approx(3000, rel=0.05)
    assert after.cloud is work.cloud  # the file's own, for another try without
    assert f"of {len(work.cloud.points):,} points removed" in describe.numbers(after, EN)
    np.testing.assert_allclose(after.shown.size, (80, 40, 8), rtol=0.05)
    again, _ = rebuilt(after, services)
    assert again.scan is again.cloud


def test_the_page_holds_pictures_numbers_and_code_and_fetches_nothing(plate, services):
    after, _ = rebuilt(plate.in_unit("cm"), services, unit="cm")
    after = replace(after, name="a<b")
    for words, heading in ((EN, "mean deviation"), (ZH, "平均偏差")):
        page = write_page(services.made / "page.html", after, words, "valid solid").read_text(encoding="utf-8")
        assert page.count("data:image/webp;base64,") == 2
        assert heading in page
        assert "80.0 × 40.0 × 8.00 cm" in page
        assert "valid solid" in page
        assert "a&lt;b" in page
        assert after.shown.program.splitlines()[0] in page
        assert not re.search(r"<script|<link|https?://|src=\"(?!data:)", page)


def test_the_other_files_say_their_unit_and_hold_the_part(plate, services):
    after, _ = rebuilt(plate.in_unit("cm"), services, unit="cm")
    files = write_files(after, services, EN)
    printed = read_cloud(files.paths["3mf"])  # millimetres
    np.testing.assert_allclose(np.ptp(printed.points, axis=0), (800, 400, 80), rtol=0.01)
    np.testing.assert_allclose(read_cloud(files.paths["aligned"]).points, after.cloud.points)


def test_a_scan_in_metres_that_is_called_millimetres_is_doubted(plate):
    small = replace(plate.cloud, points=plate.cloud.points / 1000)
    assert "pick m as its unit" in describe.cloud_facts(small, "mm", EN)
    assert "pick m" not in describe.cloud_facts(small, "m", EN)
    assert "pick m" not in describe.cloud_facts(plate.cloud, "mm", EN)


def test_a_longer_search_keeps_the_better_part(plate, services, monkeypatch):
    before, _ = rebuilt(plate, services)
    good, bad = before.parts[0], before.parts[1]
    assert rebuilding.is_better(good, bad)
    assert not rebuilding.is_better(bad, good)
    asked = []

    def finds(part):
        def rebuild(work, config, *given, **options):
            asked.append(config.seconds)
            return replace(work, parts=(part,), rebuilt=object())

        monkeypatch.setattr(rebuilding, "rebuild", rebuild)
        return rebuilding.search_longer(replace(before, parts=(found_first,)), ReconstructConfig(seconds=1))

    found_first = good
    kept = finds(bad)
    assert (kept.parts, kept.rebuilt) == ((good,), before.rebuilt)
    found_first = bad
    assert finds(good).parts == (good,)
    assert asked == [rebuilding.LONGER * ReconstructConfig().seconds] * 2
    shown = replace(before, chosen=1)
    assert "data-search" in describe.numbers(shown, EN)
    assert "data-search" not in describe.numbers(replace(shown, rebuilt=None), EN)


def test_a_reload_finds_what_its_tab_showed_and_old_works_are_forgotten(services):
    for number in range(ui_services.MOST_WORKS + 2):
        services.keep(f"tab {number}", Work(name=f"part {number}"))
    services.keep("tab 2", Work(name="later"))
    services.keep("", Work(name="nobody's"))
    assert "tab 1" not in services.works
    assert services.works["tab 2"].name == "later"
    assert len(services.works) == ui_services.MOST_WORKS
    assert "" not in services.works


def test_advice_of_a_rebuild_is_on_the_page(after):
    assert "cr-warn" not in describe.numbers(after, EN)
    object.__setattr__(after.rebuilt, "advice", (Message("Set clean to {x}.", x="all"),))
    assert '<div class="cr-warn">Set clean to all.</div>' in describe.numbers(after, EN)


def test_the_page_of_a_scan_in_metres_counts_in_millimetres(plate, services, tmp_path):
    after, _ = rebuilt(plate.in_unit("m"), services, unit="m")
    page = write_page(tmp_path / "part.html", after, EN).read_text()
    width = after.shown.numbers[0].value
    assert f"{1000 * width:.6g} mm" in page
    assert not re.search(r"\d m<", page)
