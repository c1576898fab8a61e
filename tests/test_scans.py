"""Each flaw of a scan does what its name says, and a sweep rebuilds each kind."""

import numpy as np
import pytest

from cadrecode.errors import ConfigError
from cadrecode.program import build, mesh_of, parse
from cadrecode.scans import CLEANED, FLAWS, SWEEP, Scan
from cadrecode.trial import Trial

BOX = mesh_of(build(parse("import cadquery as cq\nw0=cq.Workplane('XY')\nr=w0.box(100,60,40)")))


def faces_seen(points):
    """How many points lie on each of the box's six faces."""
    return [int(np.sum(np.abs(points[:, axis] - side) < 1e-6)) for axis in range(3) for side in BOX[0][[0, -1], axis]]


def test_a_clean_scan_lies_on_the_surface_and_noise_is_a_share_of_the_size():
    assert sum(faces_seen(Scan().of(*BOX, 5))) == 8192
    spread = Scan(noise=0.01).of(*BOX, 5) - Scan().of(*BOX, 5)
    assert spread.std() == pytest.approx(1.0, rel=0.02)


def test_a_side_that_is_missing_has_no_points_and_one_side_alone_has_them_all():
    sides = faces_seen(Scan(flaw="a side missing").of(*BOX, 5))
    assert sorted(count > 100 for count in sides) == [False, True, True, True, True, True]
    sides = faces_seen(Scan(flaw="one side alone").of(*BOX, 5))
    assert sum(count > 100 for count in sides) == 1


def test_holes_lone_points_and_a_table_are_there():
    assert len(Scan(flaw="holes").of(*BOX, 5)) < 0.97 * 8192
    strays = Scan(flaw="lone points").of(*BOX, 5)
    assert len(strays) == 8192 + 82
    table = Scan(flaw="table").of(*BOX, 5)
    assert np.ptp(table, axis=0) == pytest.approx([200, 200, 40], rel=0.01)


def test_the_same_seed_is_the_same_scan_and_what_is_unknown_is_refused():
    for scan in SWEEP:
        assert np.array_equal(scan.of(*BOX, 7), scan.of(*BOX, 7))
    with pytest.raises(ConfigError, match="There is no flaw 'rust'"):
        Scan(flaw="rust").of(*BOX, 5)
    assert {*CLEANED} <= {*FLAWS}


def test_a_sweep_has_a_report_for_each_kind(tmp_path, monkeypatch):
    np.savez(tmp_path / "box.npz", a_v=BOX[0], a_f=BOX[1])
    monkeypatch.setattr("cadrecode.trial.rebuild", lambda cloud, *arguments, **options: len(cloud.points) / 0)
    reports = list(Trial(source="measured", seconds=4).sweep(tmp_path / "box.npz"))
    assert [(report["noise"], report["points"], report["flaw"]) for report in reports] == [
        (scan.noise, scan.points, scan.flaw) for scan in SWEEP
    ]
    assert [report["final_mean_iou"] for report in reports] == [0] * len(SWEEP)  # a rebuild that fails counts
