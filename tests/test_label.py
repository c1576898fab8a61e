"""Parts without programs become training data, and nothing that failed is hidden."""

import json

import numpy as np
import pytest

from cadrecode.data.dataset import LEFT_OUT_FILE, load_programs
from cadrecode.errors import DatasetError
from cadrecode.geometry import face_normals
from cadrecode.label import PAGE_FILE, ROWS_FILE, find_parts, label, without_programs
from cadrecode.program import build, iou, mesh_of, parse

HEAD = "import cadquery as cq\n"
PLATE = HEAD + "r=cq.Workplane('XY').box(80,50,10).cut(cq.Workplane('XY').center(20,5).circle(6).extrude(10,both=True))"
FINS = (
    HEAD + "r=cq.Workplane('XY').rect(60,40).extrude(5).faces('>Z').workplane().rarray(12,1,5,1).rect(4,40).extrude(25)"
)


def write_stl(path, text):
    vertices, faces = mesh_of(build(parse(text)))
    corners = np.concatenate((face_normals(vertices, faces)[:, None], vertices[faces]), axis=1).astype("<f4")
    records = b"".join(corner.tobytes() + b"\0\0" for corner in corners)
    path.write_bytes(bytes(80) + np.uint32(len(faces)).tobytes() + records)


@pytest.fixture
def parts(tmp_path):
    folder = tmp_path / "parts"
    (folder / "sub").mkdir(parents=True)
    write_stl(folder / "plate.stl", PLATE)
    write_stl(folder / "sub" / "fins.stl", FINS)
    (folder / "own.py").write_text(PLATE)
    write_stl(folder / "own.stl", PLATE)  # the input of the program beside it, not a part of its own
    (folder / "broken.stl").write_bytes(b"solid nothing\n")
    (folder / "notes.md").write_text("not a part")
    return folder


def test_meshes_become_programs_of_the_same_shape(parts, tmp_path):
    out = tmp_path / "labels"
    made = label(parts, out, seconds=10)
    assert sorted(pair.name for pair in made.pairs) == ["own", "plate", "sub/fins"]
    [broken] = made.skipped
    assert (broken.name, "triangles" in broken.reason) == ("broken", True)
    read = {pair.name: pair for pair in load_programs(out).pairs}
    scale = 200 / 80
    truth = build(parse(PLATE)).scale((scale,) * 3)
    assert iou(build(parse(read["plate"].text)), truth) > 0.99
    assert "rarray" in read["sub/fins"].text, "equal fins in a row are a pattern"
    assert read["plate"].points.shape == (4096, 3)
    assert np.abs(read["plate"].points).max() <= 1.001
    page = (out / PAGE_FILE).read_text()
    assert page.count("<img") == 6
    assert page.index("broken</label>") < page.index("plate</label>"), "the doubtful parts come first"
    assert 'box.value + "\\n"' in page


def test_a_killed_command_goes_on_and_a_person_has_the_last_word(parts, tmp_path):
    out = tmp_path / "labels"
    label(parts, out, seconds=10, should_stop=lambda: True)  # after the first part
    rows = (out / ROWS_FILE).read_text().splitlines()
    assert len(rows) == 1
    with (out / ROWS_FILE).open("a") as file:
        file.write(json.dumps({"name": "plate"})[:9])  # a kill in the middle of a line
    progress = []
    label(parts, out, seconds=10, on_progress=lambda done, total: progress.append((done, total)))
    assert progress == [(2, 4), (3, 4), (4, 4)], "the first part is not measured again"
    names = [json.loads(line)["name"] for line in (out / ROWS_FILE).read_text().splitlines()]
    assert sorted(names) == ["broken", "own", "plate", "sub/fins"]
    (out / LEFT_OUT_FILE).write_text("plate\n")
    read = load_programs(out)
    assert {pair.name for pair in read.pairs} == {"own", "sub/fins"}
    assert [entry.name for entry in read.skipped] == ["plate"]
    with pytest.raises(DatasetError, match="other parts"):
        label(parts / "sub", out)


def test_what_is_a_part(parts, tmp_path):
    assert [part.name for part in find_parts(parts)] == ["broken", "own", "plate", "sub/fins"]
    assert not without_programs(parts), "there is a program"
    assert without_programs(parts / "sub")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="holds no parts"):
        find_parts(tmp_path / "empty")


def test_a_part_that_nothing_fits_is_listed_with_its_verdict(tmp_path):
    cloud = np.random.default_rng(0).normal(size=(3000, 3))
    (tmp_path / "parts").mkdir()
    np.save(tmp_path / "parts" / "blob.npy", cloud)
    with pytest.raises(DatasetError, match="No program"):
        label(tmp_path / "parts", tmp_path / "labels", seconds=2)
    [row] = [json.loads(line) for line in (tmp_path / "labels" / ROWS_FILE).read_text().splitlines()]
    assert (row["kept"], row["reason"]) == (False, "no match: do not use")
