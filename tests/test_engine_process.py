"""The app's engine in a process of its own: the same answers, and what becomes of those who wait when it dies."""

import os
import pickle
import signal
import sys
import threading

import numpy as np
import pytest

from cadrecode.engine import Engine
from cadrecode.engine_process import EngineProcess
from cadrecode.errors import CadrecodeError, ModelError, PointCloudError
from cadrecode.kernel import Execution, Outcome
from cadrecode.program import build, mesh_of, parse
from cadrecode.reconstruction import Cancelled


class Pretender(Engine):
    """In place of an engine: what it is asked to rebuild says what it does."""

    def load(self, base=None):
        if base == "gone":
            raise ModelError("There is no model in {path}.", path=base)
        self._base = base or "embedded"

    def reconstruct(self, cloud, config=None, *, sandbox=None, on_progress=None, should_stop=None, name=""):
        on_progress(cloud, 1, 2)
        if cloud == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if cloud == "fail":
            raise PointCloudError("{name} holds no points.", name="a.ply")
        if cloud == "run":
            return sandbox.run("r=1", unit="mm").outcome, os.getpid()
        while not should_stop():
            continue
        raise Cancelled("Stopped before there was a program.")


class Kernel:
    """In place of the sandbox."""

    def run(self, text, unit):
        return Execution(Outcome.FORBIDDEN, f"{os.getpid()} {text} {unit}")


@pytest.fixture(scope="module")
def engine():
    made = EngineProcess(Pretender)
    yield made
    made.close()


def test_it_works_elsewhere_with_the_sandbox_of_the_app(engine):
    seen = []
    outcome, process = engine.reconstruct(
        "run", sandbox=Kernel(), name="part", on_progress=lambda *progress: seen.append(progress)
    )
    assert outcome is Outcome.FORBIDDEN
    assert process != os.getpid()
    assert seen == [("run", 1, 2)]


def test_errors_keep_their_words(engine):
    with pytest.raises(PointCloudError) as raised:
        engine.reconstruct("fail")
    assert raised.value.message.template == "{name} holds no points."
    engine.load("first")
    with pytest.raises(ModelError, match="no model in gone"):
        engine.load("gone")
    assert engine.base == "first"


def test_a_rebuild_is_cancelled_from_here(engine):
    stop = threading.Event()
    with pytest.raises(Cancelled):
        engine.reconstruct("wait", on_progress=lambda *_: stop.set(), should_stop=stop.is_set)
    assert engine.reconstruct("run", sandbox=Kernel())[0] is Outcome.FORBIDDEN


def test_after_its_death_the_next_call_starts_another_with_the_same_model(engine):
    engine.load("mine")
    with pytest.raises(ModelError, match="has died"):
        engine.reconstruct("die")
    assert engine.reconstruct("run", sandbox=Kernel())[0] is Outcome.FORBIDDEN
    assert engine.base == "mine"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says that a process is stopped")
def test_a_stopped_process_is_replaced(engine):
    engine.load("mine")
    os.kill(engine._process.pid, signal.SIGSTOP)
    with pytest.raises(ModelError, match="has died"):
        engine.reconstruct("run", sandbox=Kernel())
    assert engine.reconstruct("run", sandbox=Kernel())[0] is Outcome.FORBIDDEN


def test_solids_and_errors_travel():
    solid = build(parse("import cadquery as cq\nr=cq.Workplane('XY').box(1,2,3).cut(cq.Workplane('XY').box(.1,.2,9))"))
    again = pickle.loads(pickle.dumps(solid))
    assert again.volume() == pytest.approx(solid.volume())
    assert again.genus() == solid.genus()
    np.testing.assert_array_equal(mesh_of(again)[0], mesh_of(solid)[0])
    error = pickle.loads(pickle.dumps(CadrecodeError("{a} of {b}", a=1, b=2)))
    assert (str(error), error.message.values) == ("1 of 2", {"a": 1, "b": 2})
