"""The sample clouds that ship: readable, small, described, and of the solids in their script."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import cKDTree

from cadrecode.cloud import read_cloud
from cadrecode.cloud.distance import point_to_surface
from cadrecode.program.solid import mesh_of

CLOUDS = Path(__file__).resolve().parents[2] / "assets" / "clouds"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("make_samples", CLOUDS / "make_samples.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def index() -> list[dict]:
    return json.loads((CLOUDS / "index.json").read_text(encoding="utf-8"))


def test_the_index_describes_the_folder(index):
    files = {file.name for file in CLOUDS.iterdir() if file.is_file()} - {"index.json", "make_samples.py"}
    assert {entry["file"] for entry in index} == files
    assert len(files) == 8
    assert {Path(name).suffix for name in files} == {".ply", ".npy", ".xyz"}
    for entry in index:
        assert set(entry) == {"file", "title_en", "title_zh", "units", "points", "source", "licence"}
        assert all(entry.values())
        assert (CLOUDS / entry["file"]).stat().st_size < 300_000


def test_samples_are_usable_parts_in_mm_away_from_the_origin(index):
    for entry in index:
        cloud = read_cloud(CLOUDS / entry["file"])
        assert (len(cloud.points), cloud.warnings) == (entry["points"], ())
        assert 20 < np.ptp(cloud.points, axis=0).max() < 150
        assert np.linalg.norm(cloud.points.mean(axis=0)) > 20


@pytest.mark.slow
def test_the_samples_lie_on_the_solids_of_the_script_and_all_over_them(script, index, tmp_path):
    script.make(tmp_path)
    assert json.loads((tmp_path / "index.json").read_text(encoding="utf-8")) == index
    for name, solid, _, _, place, sigma in script.SAMPLES:
        shipped, made = read_cloud(CLOUDS / name), read_cloud(tmp_path / name)
        for cloud in (shipped, made):
            off = point_to_surface(cloud.points - place, *mesh_of(solid()))
            assert off.max() < 1e-3 + 5 * sigma, name
            assert off.mean() > 0.5 * sigma, name
        assert cKDTree(shipped.points).query(made.points)[0].max() < 5, name


def test_noise_is_where_it_is_said(script, index):
    """A sample without noise repeats its flat faces exactly; scan noise leaves no two equal heights."""
    for entry in index:
        cloud = read_cloud(CLOUDS / entry["file"])
        most_common = max(np.unique(cloud.points[:, k].round(3), return_counts=True)[1].max() for k in range(3))
        assert (most_common < 0.01 * len(cloud.points)) == ("noise" in entry["source"]), entry["file"]
