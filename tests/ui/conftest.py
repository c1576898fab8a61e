"""An engine that writes given programs instead of asking a model, and services around it."""

from types import SimpleNamespace

import numpy as np
import pytest

from cadrecode.config import ReconstructConfig
from cadrecode.engine import Engine
from cadrecode.jobs import queue
from cadrecode.kernel import shared_sandbox
from cadrecode.ui.reconstruct import actions as rebuilding
from cadrecode.ui.services import Services

PLATE = "import cadquery as cq\nr=cq.Workplane('XY').box(200,100,20)"  # CODE units
TALL = "import cadquery as cq\nr=cq.Workplane('XY').box(200,100,60)"
BROKEN = "import cadquery as cq\nr=cq.Workplane('XY').box(200,100"


class Typist:
    """Stands in for the model: candidate i is programs[i], whatever the cloud."""

    def __init__(self, programs):
        self.programs, self.asked = programs, []

    def load(self, base, *, device="auto"):
        model = SimpleNamespace(
            point_settings=SimpleNamespace(n_points=64, heard_points=0, columns=3),
            device="cpu",
            num_parameters=lambda: 0,
        )
        return model, SimpleNamespace()

    def generate(self, model, tokenizer, clouds, *, temperature=0.0, stop=None, **options):
        self.asked.append((len(clouds), temperature))
        return [self.programs[i % len(self.programs)] for i in range(len(clouds))]


@pytest.fixture
def typist():
    return Typist([TALL, PLATE, BROKEN])


@pytest.fixture
def services(tmp_path, typist):
    engine = Engine(load_model=typist.load, generate=typist.generate)
    made = Services(engine, tmp_path / "runs", shared_sandbox)
    made.runs_dir.mkdir()
    yield made
    made.close()


@pytest.fixture
def plate(tmp_path, services):
    """A plate of 80 x 40 x 8, far from the origin, as a dropped file."""
    rng = np.random.default_rng(0)
    points = rng.uniform(-0.5, 0.5, (3000, 3))
    side = rng.integers(0, 3, 3000)
    points[np.arange(3000), side] = np.sign(points[np.arange(3000), side]) / 2
    path = tmp_path / "my plate.xyz"
    np.savetxt(path, points * (80, 40, 8) + (500, 0, -20))
    return rebuilding.open_cloud(path, services)


def rebuilt(work, services, candidates=3, **more):
    reports = []
    options = ReconstructConfig.from_values({"source": "model", "candidates": candidates, "seconds": 0, **more}, "test")
    after = rebuilding.rebuild(work, options, services, lambda *progress: reports.append(progress), lambda: False)
    return after, reports


@pytest.fixture
def after(plate, services):
    """The plate, rebuilt without a fit."""
    return rebuilt(plate, services)[0]


@pytest.fixture
def queue_only(monkeypatch):
    """Queue runs, and start no process for them."""
    monkeypatch.setattr(queue, "watch", lambda runs_dir: None)
