"""An engine that writes given programs instead of asking a model, and services around it."""

from types import SimpleNamespace

import pytest

from cadrecode.engine import Engine
from cadrecode.kernel import shared_sandbox
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
            point_settings=SimpleNamespace(n_points=64, columns=3), device="cpu", num_parameters=lambda: 0
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
