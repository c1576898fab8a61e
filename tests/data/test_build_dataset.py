"""A data set is the same whoever makes it and however often that is interrupted; nothing twice, nothing held out."""

import hashlib
import json
import sys

import numpy as np
import pytest

from cadrecode.build_dataset import build_dataset
from cadrecode.data.dataset import LEFT_OUT_FILE, count_programs, load_programs, make_pair
from cadrecode.data.shards import shards_of
from cadrecode.errors import DatasetError, MissingLibrary
from cadrecode.program import build, mesh_of, parse
from tests.conftest import NOT_INSTALLED

HEAD = "import cadquery as cq\n"
PLATE = HEAD + "w0=cq.Workplane('XY',origin=(0,0,-20))\nr=w0.workplane(offset=40/2).box(200,100,40)"
UPRIGHT = HEAD + "r=cq.Workplane('XY').box(40,200,100)"  # the plate, turned
IN_MM = HEAD + "r=cq.Workplane('XY',origin=(50,10,0)).box(40,20,8)"  # the plate, smaller, somewhere else
ROD = HEAD + "w0=cq.Workplane('XY',origin=(0,0,-100))\nr=w0.workplane(offset=200/2).cylinder(200,30)"
SCRIPT = HEAD + "import math\nr=cq.Workplane('XY').box(200, math.sqrt(1600), 100)"  # outside of the language


def built(source, out, *arguments, **settings):
    return build_dataset(source, out, *arguments, **{"apart_from": [], **settings})


def files_of(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in shards_of(folder)}


def adds_up(made):
    parts = [made[kind] for kind in ("rows", "failed", "duplicates", "held_out", "unused")]
    return made["entries"] == sum(parts) and made["failed"] == sum(made["failures"].values())


@pytest.fixture
def published(tmp_path):
    """A folder as CAD-Recode's is published."""
    folder = tmp_path / "train"
    for name, text in {
        "batch_00/a.py": PLATE,
        "batch_00/same.py": IN_MM,
        "batch_01/b.py": ROD,
        "batch_01/broken.py": "r = (",
        "batch_01/empty.py": HEAD + "r=cq.Workplane('XY').box(2,2,2).cut(cq.Workplane('XY').box(9,9,9))",
        "batch_01/upright.py": UPRIGHT,
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_a_published_folder_without_twins(published, tmp_path, monkeypatch):
    out = tmp_path / "built"
    made = built(published, out)
    assert [(made[key]) for key in ("entries", "rows", "duplicates", "failed", "complete")] == [6, 3, 1, 2, True]
    assert adds_up(made)
    assert all("{" in reason or "line" not in reason for reason in made["failures"]), "reasons without their places"
    assert json.loads((out / "manifest.json").read_text()) == made
    assert {entry["file"]: entry["sha256"] for entry in made["shards"]} == files_of(out)
    read = load_programs(out)
    assert [pair.name for pair in read.pairs] == ["batch_00/a", "batch_01/b", "batch_01/upright"]
    assert {entry.name for entry in read.skipped} == {"batch_01/broken", "batch_01/empty"}
    np.testing.assert_array_equal(read.pairs[1].points, make_pair("batch_01/b", ROD).points)
    assert (count_programs(out), len(load_programs(out, limit=1).pairs)) == (3, 1)
    monkeypatch.setattr("cadrecode.data.dataset.BLOCK", 2)
    assert len(load_programs(out, should_stop=lambda: True).pairs) == 2
    (out / LEFT_OUT_FILE).write_text("batch_01/b\n")
    assert len(load_programs(out).pairs) == 2


def test_a_killed_command_goes_on(tmp_path):
    """Killed between a shard and the manifest, and while it wrote the next shard."""

    class Killed(BaseException):
        pass

    def kill(done, _):
        if done > 65:
            raise Killed

    source = "invent:plates:70"
    whole = built(source, tmp_path / "whole", shard_rows=60)
    assert (whole["rows"], adds_up(whole), len(whole["shards"])) == (70, True, 2)
    out = tmp_path / "killed"
    with pytest.raises(Killed):
        built(source, out, shard_rows=60, on_progress=kill)
    assert not (out / "manifest.json").exists()
    assert files_of(out).items() < files_of(tmp_path / "whole").items()
    (out / ".part-000000001.parquet.1").write_bytes(b"half")
    again = built(source, out, shard_rows=60)
    assert files_of(out) == files_of(tmp_path / "whole")
    assert again | {"seconds_of_last_command": 0} == whole | {"seconds_of_last_command": 0}
    assert len({pair.name for pair in load_programs(out).pairs}) == 70
    finished = built(source, out, shard_rows=60)
    assert finished["shards"] == whole["shards"], "there is nothing left to do"
    shards_of(out)[0].unlink()
    with pytest.raises(DatasetError, match="lacks the file before"):
        built(source, out, shard_rows=60)


def test_a_folder_of_other_settings_is_refused(tmp_path):
    rows = tmp_path / "parts.jsonl"
    rows.write_text(json.dumps({"id": "plate", "code": PLATE}))
    built(rows, tmp_path / "built")
    with pytest.raises(DatasetError, match=r"other settings .seed: 0, now 1"):
        built(rows, tmp_path / "built", seed=1)
    with pytest.raises(DatasetError, match="not empty"):
        built(rows, tmp_path)


def test_held_out_shapes_are_left_out_whatever_their_name_and_place(tmp_path):
    rows, held = tmp_path / "parts.jsonl", tmp_path / "held.jsonl"
    rows.write_text("\n".join(json.dumps({"code": text}) for text in (PLATE, ROD, IN_MM)) + "\n{broken\n")
    held.write_text(json.dumps({"id": "other name", "code": UPRIGHT}))
    made = built(rows, tmp_path / "built", apart_from=[str(held)])
    assert (made["rows"], made["held_out"], made["failures"], adds_up(made)) == (1, 2, {"not JSON": 1}, True)
    assert [pair.name for pair in load_programs(tmp_path / "built").pairs] == ["line 2"]


def test_so_many_rows_are_drawn(tmp_path):
    rows = tmp_path / "parts.jsonl"
    texts = [HEAD + f"r=cq.Workplane('XY').box(200,100,{10 + 10 * i})" for i in range(5)]
    rows.write_text("\n".join(json.dumps({"code": text}) for text in [*texts, *texts]))
    made = built(rows, tmp_path / "built", 3)
    assert (made["rows"], made["complete"], adds_up(made)) == (3, True, True)
    made = built(rows, tmp_path / "all", 99)
    assert (made["rows"], made["duplicates"], made["complete"]) == (5, 5, True)


def test_meshes_are_measured(tmp_path):
    vertices, faces = mesh_of(build(parse(UPRIGHT)))
    np.savez(tmp_path / "meshes.npz", plate_v=vertices, plate_f=faces, flat_v=vertices[:3], flat_f=faces[:1] * 0)
    made = built(tmp_path / "meshes.npz", tmp_path / "built", seconds=5)
    assert (made["rows"], made["failed"], adds_up(made)) == (1, 1, True)
    [pair] = load_programs(tmp_path / "built").pairs
    assert build(parse(pair.text)).volume() == pytest.approx(200 * 100 * 40, rel=1e-3)


@pytest.mark.slow
def test_scripts_outside_of_the_language_are_built_and_measured(tmp_path):
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "script.py").write_text(SCRIPT)
    assert built(tmp_path / "parts", tmp_path / "built", seconds=5)["rows"] == 1


def test_nothing_usable_and_nothing_to_write_with(tmp_path, monkeypatch):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "x.py").write_text("r = (")
    with pytest.raises(DatasetError, match="None of the 1 parts"):
        built(tmp_path / "bad", tmp_path / "built")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingLibrary, match=r"pyarrow is needed .* pip install 'cadrecode\[scale\]'"):
        built(tmp_path / "bad", tmp_path / "built")


def test_the_library_datasets_reads_it(tmp_path):
    datasets = pytest.importorskip("datasets", reason=f"datasets {NOT_INSTALLED}")
    built("invent:plates:12", tmp_path / "built", shard_rows=5)
    files = str(tmp_path / "built" / "*.parquet")
    read = datasets.load_dataset("parquet", data_files=files, split="train", cache_dir=str(tmp_path / "cache"))
    pairs = load_programs(tmp_path / "built").pairs
    assert read["code"][:] == [pair.text for pair in pairs]
    points = np.array(read[3]["points"], np.float16).reshape(-1, 3)
    np.testing.assert_array_equal(points, pairs[3].points)
