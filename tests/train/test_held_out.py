"""Held-out parts are drawn before anything is filtered: a part without a program counts, by its mesh."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from cadrecode.config import TrainConfig
from cadrecode.data.dataset import LEFT_OUT_FILE, load_programs, write_built
from cadrecode.data.pairs import Programs
from cadrecode.data.views import true_solid
from cadrecode.errors import DatasetError
from cadrecode.label import ROWS_FILE, Label
from cadrecode.program import build, iou, mesh_of, parse
from cadrecode.training.held_out import hold_out

COUNT, UNLABELLED = 40, 12


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    """Labels of 40 meshes, of which no program is good for the last 12."""
    root = tmp_path_factory.mktemp("labelled")
    pairs = load_programs(f"invent:plates:{COUNT}", seed=5).pairs
    arrays = {}
    for pair in pairs:
        vertices, faces = mesh_of(build(parse(pair.text)))
        arrays |= {f"{pair.name}_v": vertices * 0.37 + 5, f"{pair.name}_f": faces}  # RAW: other units, another place
    np.savez(root / "parts.npz", **arrays)
    rows = [Label(pair.name, number < COUNT - UNLABELLED, likeness=1.0) for number, pair in enumerate(pairs)]
    write_built(root / "labels", Programs(str(root / "parts.npz"), pairs[: COUNT - UNLABELLED], []))
    (root / "labels" / ROWS_FILE).write_text("".join(json.dumps(asdict(row)) + "\n" for row in rows))
    return root / "labels", {pair.name: pair for pair in pairs}


def test_parts_without_a_program_are_held_out_too_and_their_mesh_is_the_truth(labelled):
    folder, pairs = labelled
    without = 0
    for seed in range(6):
        training, held = hold_out(load_programs(folder), TrainConfig(seed=seed))
        assert len(held.pairs) == 8
        for pair in held.pairs:
            without += not pair.text
            assert iou(true_solid(pair), build(parse(pairs[pair.name].text))) > 0.98
            assert np.abs(pair.points.astype(float)).max() == pytest.approx(1, abs=0.02)
        assert not {pair.name for pair in held.pairs} & {pair.name for pair in training.pairs}
        assert not {pair.text for pair in held.pairs} & {pair.text for pair in training.pairs}
    assert 0.15 < without / 48 < 0.5, "as large a share as among all parts"


def test_what_a_person_left_out_is_not_held_out(labelled):
    folder, pairs = labelled
    left_out = sorted(pairs)[:20]
    (folder / LEFT_OUT_FILE).write_text("\n".join(left_out))
    try:
        _, held = hold_out(load_programs(folder), TrainConfig())
        assert not {pair.name for pair in held.pairs} & set(left_out)
    finally:
        (folder / LEFT_OUT_FILE).unlink()


def test_with_the_parts_gone_only_programs_can_be_held_out(labelled, tmp_path, caplog):
    folder, _ = labelled
    report = folder / "report.json"
    before = report.read_text()
    report.write_text(json.dumps({**json.loads(before), "source": str(tmp_path / "gone.npz")}))
    try:
        _, held = hold_out(load_programs(folder), TrainConfig(seed=3))
        assert all(pair.text for pair in held.pairs)
        assert "are gone" in caplog.text
    finally:
        report.write_text(before)


def test_a_share_of_a_few_programs_is_still_a_few():
    programs = load_programs("invent:plates:10")
    assert len(hold_out(programs, TrainConfig())[1].pairs) == 2
    with pytest.raises(DatasetError, match="only one program"):
        hold_out(Programs("x", programs.pairs[:1], []), TrainConfig())
