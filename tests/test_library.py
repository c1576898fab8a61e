"""The front door: ten lines of Python on a sample cloud, and an import that brings nothing heavy."""

import subprocess
import sys

import numpy as np
import pytest

import cadrecode
from cadrecode.cloud import read_cloud, read_mesh
from cadrecode.config import TrainConfig
from cadrecode.errors import ConfigError, DatasetError, PointCloudError
from cadrecode.shipped import CLOUDS

HEAVY = ("torch", "transformers", "gradio", "cadquery", "OCP", "numpy", "trimesh", "scipy", "manifold3d")


def test_the_import_brings_nothing_heavy():
    code = f"import sys, cadrecode; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_every_name_is_there_and_no_other():
    assert {*cadrecode.__all__} <= {*dir(cadrecode)}
    assert all(callable(getattr(cadrecode, name)) for name in cadrecode.__all__)
    assert all(getattr(cadrecode, name).__doc__ for name in cadrecode.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'rebuild'"):
        cadrecode.rebuild  # noqa: B018


@pytest.mark.slow
def test_ten_lines_from_a_scan_to_a_changed_step_file(tmp_path):
    part = cadrecode.reconstruct(CLOUDS / "standoff.xyz", unit="mm", candidates=2, seconds=1)
    assert (part.unit, part.name) == ("mm", "standoff")
    assert part.deviation.mean < 0.1 * part.size.max()
    program = cadrecode.parse(part.program)
    solid = cadrecode.build(program)
    assert cadrecode.iou(solid, part) == cadrecode.iou(part.program, program) == pytest.approx(1)
    assert cadrecode.parse(cadrecode.write(program)) == program
    name, value = next(iter(part.parameters.items()))
    changed = part.with_parameters({name: value * 1.1})
    assert changed.parameters[name] == pytest.approx(value * 1.1)
    vertices, _ = read_mesh(changed.write(tmp_path / "part.step"))
    np.testing.assert_allclose(np.ptp(vertices, axis=0), np.ptp(changed.vertices, axis=0), rtol=0.01)
    assert part.report["options"]["candidates"] == 2


def test_points_are_taken_as_they_are_and_what_is_wrong_is_said():
    points = read_cloud(CLOUDS / "standoff.xyz").points
    part = cadrecode.reconstruct(points, unit="inch", source="model", candidates=1, seconds=0)
    assert (part.unit, part.name, part.report["source"]["points"]) == ("inch", "part", len(points))
    with pytest.raises(PointCloudError, match=r"shape \(9, 2\)"):
        cadrecode.reconstruct(np.zeros((9, 2)))
    with pytest.raises(ConfigError, match="Did you mean 'candidates'"):
        cadrecode.reconstruct(points, candidate=2)


def test_evaluate_scores_the_embedded_base():
    report = cadrecode.evaluate("invent:general:2", limit=2)
    assert (report["model"], report["n"], report["candidates"]) == ("embedded", 2, 1)


def test_train_refuses_before_it_loads_anything(tmp_path):
    with pytest.raises(DatasetError, match="no training data"):
        cadrecode.train(TrainConfig(), train_data_path=str(tmp_path / "nothing"))
    with pytest.raises(ConfigError, match="no such file"):
        cadrecode.train(tmp_path / "quick.yaml")
