"""Programs to pairs: every source, every way of failing by name, frames."""

import gzip
import json

import numpy as np
import pytest

from cadrecode.build_dataset import build_dataset
from cadrecode.data.batches import encode
from cadrecode.data.copies import copies_of, turned_copy, warped_copy
from cadrecode.data.dataset import POOL_POINTS, load_programs, make_pair
from cadrecode.data.pairs import Pair, Programs
from cadrecode.errors import DatasetError, ProgramError
from cadrecode.model.load import read_base
from cadrecode.model.tokens import encode_program
from cadrecode.program import build, iou, parse
from cadrecode.program.solid import bounds

PLATE = "import cadquery as cq\nw0=cq.Workplane('XY',origin=(0,0,-20))\nr=w0.workplane(offset=40/2).box(200,100,40)"
ROD = "import cadquery as cq\nw0=cq.Workplane('XY',origin=(0,0,-100))\nr=w0.workplane(offset=200/2).cylinder(200,30)"
# the plate in millimetres, somewhere else
PLATE_MM = "import cadquery as cq\nw0=cq.Workplane('XY',origin=(50,10,0))\nr=w0.workplane(offset=8/2).box(40,20,8)"


@pytest.fixture
def folder(tmp_path):
    for name, text in {
        "batch_00/a.py": PLATE,
        "batch_01/b.py": ROD,
        "batch_01/broken.py": "r = (",
        "c.py": "import os",
    }.items():
        path = tmp_path / "parts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "parts"


def test_a_folder_with_sub_folders(folder):
    programs = load_programs(folder)
    assert [pair.name for pair in programs.pairs] == ["batch_00/a", "batch_01/b"]
    assert {entry.name for entry in programs.skipped} == {"batch_01/broken", "c"}
    assert all(entry.reason for entry in programs.skipped)


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz"])
def test_lines_of_programs(tmp_path, suffix):
    path = tmp_path / f"parts{suffix}"
    lines = [
        json.dumps({"id": "plate", "code": PLATE}),
        "",
        "{broken",
        json.dumps({"text": ROD}),
        json.dumps({"code": "r=1"}),
        "[" * 100_000,
    ]
    with (gzip.open if suffix.endswith("gz") else open)(path, "wt") as file:
        file.write("\n".join(lines))
    programs = load_programs(path)
    assert [pair.name for pair in programs.pairs] == ["plate"]
    reasons = {entry.name: entry.reason for entry in programs.skipped}
    assert reasons["line 3"] == "not JSON"
    assert reasons["line 4"] == "has no program under `code`"
    assert "line 5" in reasons
    assert reasons["line 6"] == "not JSON"


def test_a_damaged_archive_of_lines_is_refused_in_words(tmp_path):
    path = tmp_path / "parts.jsonl.gz"
    content = bytearray(gzip.compress(json.dumps({"code": PLATE}).encode()))
    content[10:20] = bytes(10)
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"parts\.jsonl\.gz cannot be read as JSON lines"):
        load_programs(path)


def test_invented_parts_are_the_same_for_a_seed():
    first, again, other = (load_programs("invent:general:4", seed=seed) for seed in (1, 1, 2))
    assert [p.text for p in first.pairs] == [p.text for p in again.pairs]
    assert [p.text for p in first.pairs] != [p.text for p in other.pairs]
    np.testing.assert_array_equal(first.pairs[0].points, again.pairs[0].points)


def test_points_lie_on_the_surface_of_the_part_in_the_model_frame():
    points = make_pair("plate", PLATE).points.astype(float)
    assert points.shape == (POOL_POINTS, 3)
    half = np.array([1.0, 0.5, 0.2])
    distance_inside = (half - np.abs(points)).min(axis=1)  # 0 on the surface
    assert np.abs(distance_inside).max() < 2e-3  # float16 keeps 3 digits


def test_text_is_canonical():
    assert make_pair("plate", PLATE.replace("w0", "base").replace("40/2", "20")).text == PLATE


def test_programs_in_other_units_are_brought_into_the_code_frame():
    pair = make_pair("plate", PLATE_MM)
    assert iou(build(parse(pair.text)), build(parse(PLATE))) == pytest.approx(1.0)
    assert np.abs(pair.points).max() == pytest.approx(1.0, abs=2e-3)


FOIL = "import cadquery as cq\nw0=cq.Workplane('XY',origin=(500,0,0))\nr=w0.workplane(offset=0.25/2).box(400,400,0.25)"


def test_what_rounding_would_destroy_is_refused():
    with pytest.raises(ProgramError, match=r"another part|no area|empty"):
        make_pair("foil", FOIL)


def test_finer_heights_keep_what_whole_numbers_would_destroy():
    foil = make_pair("foil", FOIL, height_steps=8)
    assert foil.text.endswith("box(200,200,0.125)")
    assert foil.points[:, 2].max() == pytest.approx(0.0006, abs=1e-4)
    off = PLATE.replace("200", "199.3")  # near enough to the frame for whole numbers, not for tenths
    assert [make_pair("off", off, height_steps=d).text == off for d in (1, 2)] == [True, False]


def test_a_source_in_finer_heights(tmp_path):
    (tmp_path / "slim.py").write_text(PLATE_MM.replace("8/2", "7.13/2").replace(",8)", ",7.13)"))
    texts = [load_programs(tmp_path, respell=True, height_steps=d).pairs[0].text for d in (1, 10)]
    assert [text.rpartition(",")[2] for text in texts] == ["36)", "35.6)"]
    build_dataset(tmp_path, tmp_path / "built", height_steps=10, apart_from=())
    assert load_programs(tmp_path / "built").pairs[0].text.endswith("35.6)")
    invented = load_programs("invent:plates:3", height_steps=10)
    assert sum("." in pair.text.partition("origin")[2].replace(".sketch", "") for pair in invented.pairs) == 3


def test_a_cloud_beside_the_program_is_used(tmp_path):
    rng = np.random.default_rng(0)
    scan = (rng.random((500, 3)) - 0.5) * (40, 20, 8) + (50, 10, 4)
    (tmp_path / "plate.py").write_text(PLATE_MM)
    np.save(tmp_path / "plate.npy", scan)
    (tmp_path / "moved.py").write_text(PLATE_MM)
    np.save(tmp_path / "moved.npy", scan + np.array((30, 0, 0)))
    programs = load_programs(tmp_path)
    assert [pair.name for pair in programs.pairs] == ["plate"]
    inside = np.abs(programs.pairs[0].points.astype(float)) < (0.9, 0.4, 0.15)
    assert inside.all(axis=1).any()  # the scan has points within the part, which its surface has not
    assert "differ by more than" in programs.skipped[0].reason


def test_a_limit_draws_from_the_whole_source(folder):
    names = {load_programs(folder, limit=1, seed=seed).pairs[0].name for seed in range(8)}
    assert names == {"batch_00/a", "batch_01/b"}


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("nowhere", r"no training data at .*nowhere\. Give a folder of .py programs"),
        ("empty", "holds no .py programs"),
        ("notes.txt", "not a format that is known"),
        ("bad", "None of the 1 programs"),
        ("invent:castles", "no family 'castles'. There are .*general"),
        ("invent:general:many", "expected invent:<family>"),
    ],
)
def test_sources_that_are_none(tmp_path, source, words):
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "x.py").write_text("r=1")
    with pytest.raises(DatasetError, match=words):
        load_programs(source if source.startswith("invent:") else tmp_path / source)


def test_real_programs_are_all_usable(shared_data):
    programs = load_programs(shared_data / "cad_recode" / "programs.jsonl.gz", limit=100)
    assert (len(programs.pairs), programs.skipped) == (100, [])


def test_respelled_as_the_base_writes_it(tmp_path):
    other = (
        PLATE.split("w0")[0]
        + "w0=cq.Workplane('XY',origin=(0,0,20))\nr=w0.sketch().rect(200,100).finalize().extrude(-40)"
    )
    path = tmp_path / "plate.py"
    path.write_text(other)
    assert load_programs(path).pairs[0].text == other
    assert load_programs(path, respell=True).pairs[0].text == PLATE
    build_dataset(path, tmp_path / "built", apart_from=())
    assert load_programs(tmp_path / "built").pairs[0].text == other
    assert load_programs(tmp_path / "built", respell=True).pairs[0].text == PLATE


@pytest.mark.parametrize("copy", [turned_copy, warped_copy])
@pytest.mark.parametrize("height_steps", [1, 2])
def test_copies_are_parts_of_their_own(copy, height_steps, tmp_path):
    path = tmp_path / "parts.jsonl"
    path.write_text("\n".join(json.dumps({"id": str(i), "code": text}) for i, text in enumerate((PLATE, ROD))))
    programs = load_programs(path)
    more = copies_of(programs, copy, 6, seed=0, height_steps=height_steps)
    assert len(more) == 12
    assert len({pair.text for pair in more}) > 4
    for pair in more:
        corners = np.stack(bounds(build(parse(pair.text)))) / 100
        assert np.allclose((pair.points.min(axis=0), pair.points.max(axis=0)), corners, atol=0.02)
    assert copies_of(programs, copy, 6, seed=0, height_steps=height_steps) == more
    assert copies_of(programs, copy, 0, seed=0) == []


def test_a_pattern_stays_a_pattern(tmp_path):
    """Respelled, the notches of a gear would be one outline of arcs, three times as long, and hide their count."""
    for count in (15, 16, 17):
        notches = f"w0.sketch().parray(95,0,360,{count}).rect(20,14).finalize().extrude(20)"
        head = "import cadquery as cq\nw0=cq.Workplane('XY',origin=(0,0,-10))\n"
        gear = f"r=w0.sketch().circle(100).finalize().extrude(20).cut({notches})"
        (tmp_path / f"{count}.py").write_text(head + gear)
    texts = [pair.text for pair in load_programs(tmp_path, respell=True).pairs]
    assert [f",360,{count})" in text for count, text in zip((15, 16, 17), texts, strict=True)] == [True] * 3
    assert max(map(len, texts)) < 220


def test_what_is_too_long_is_said_with_the_setting_that_keeps_it():
    tokenizer = read_base(None).tokenizer
    short = "import cadquery as cq\nr=cq.Workplane('XY').box(10,20,30)"
    long = short + "".join(f".union(cq.Workplane('XY').box(1,2,{n}))" for n in range(3, 40))
    points = np.zeros((8, 3), np.float16)
    programs = Programs("parts", [Pair("small", short, points), Pair("comb", long, points)], [])
    _, report = encode(programs, tokenizer, 100)
    assert report.used == 1
    enough = len(encode_program(tokenizer, long)) + 512
    assert "1 of 2 programs of parts are too long and will NOT be learnt: comb" in report.warning(512)
    assert f"max_seq_length {enough} would keep them all" in report.warning(512)
    _, whole = encode(programs, tokenizer, enough - 512)
    assert whole.warning(512) is None
