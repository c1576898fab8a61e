"""The app's engine in a process of its own: a rebuild takes a whole Python interpreter, and others wait for the app.

Both sides are ours, so they talk in pickles. The child runs no programs: it asks the app's sandbox to.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import pickle
import signal
import time
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cadrecode.adapters import AdapterInfo
from cadrecode.cloud import Cloud
from cadrecode.config import ReconstructConfig
from cadrecode.engine import Engine, Opened
from cadrecode.errors import CadrecodeError, ModelError
from cadrecode.kernel import isolation
from cadrecode.kernel.sandbox import Execution
from cadrecode.reconstruction import Cancelled, Reconstruction

if TYPE_CHECKING:
    from cadrecode.kernel import Sandbox

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.1  # between two looks at whether a person has cancelled
CANCEL_SECONDS = 30.0  # after which a child that does not stop is killed
NICE = 5  # of the child: who waits for a page comes before who waits for a rebuild
STOP = "stop"  # a message to the child


class EngineProcess(Engine):
    """An `Engine` whose model is in a child process, which is started at first use, and again after it died.

    Args:
        make: Called in the child; returns what does the work.
    """

    def __init__(self, make: Callable[[], Engine] = Engine):
        super().__init__()
        self._make = make
        self._process: multiprocessing.process.BaseProcess | None = None
        self._line: Connection

    def load(self, base: str | Path | None = None) -> None:
        self._ask("load", base)

    def load_adapter(self, name: str, path: str | Path) -> AdapterInfo:
        return self._ask("load_adapter", name, path)

    def set_adapter(self, name: str | None) -> None:
        self._ask("set_adapter", name)

    def unload_adapter(self, name: str) -> None:
        self._ask("unload_adapter", name)

    def open(self, base: str | None = None, lora_path: str | Path | None = None) -> Opened:
        return self._ask("open", base, lora_path)

    def choose(self, base: str | None = None, lora_path: str | Path | None = None) -> Opened:
        return self._ask("choose", base, lora_path)

    def ready(self) -> Any:
        raise TypeError("The model is in another process.")

    def reconstruct(self, cloud: Cloud, config: ReconstructConfig | None = None, **options: Any) -> Reconstruction:
        return self._ask("reconstruct", cloud, config, **options)

    def close(self) -> None:
        """End the child. The next call starts another."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._line.close()
            self._process = None

    def _ask(
        self,
        method: str,
        /,
        *arguments: Any,
        sandbox: Sandbox | None = None,
        on_progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
        should_stop: Callable[[], bool] = lambda: False,
        **options: Any,
    ) -> Any:
        """Have the child call a method of its engine. Raises: what the method raises; ModelError: the child died."""
        with self._turns.take():
            try:
                if self._process is None or not self._process.is_alive():
                    self._start()
                self._line.send((method, arguments, {**options, **({"sandbox": True} if sandbox else {})}))
                return self._follow(sandbox, on_progress, should_stop)
            except (EOFError, OSError) as error:
                self.close()
                raise ModelError(
                    "The process that rebuilds parts has died, most likely for lack of memory. Try again, with fewer "
                    "candidates or a smaller model."
                ) from error

    def _follow(self, sandbox: Sandbox | None, on_progress: Callable, should_stop: Callable[[], bool]) -> Any:
        """Serve the child until it answers."""
        stopped: float | None = None
        while True:
            if stopped is None and should_stop():
                stopped = time.monotonic()
                self._line.send(STOP)
            if stopped is not None and time.monotonic() > stopped + CANCEL_SECONDS:
                self.close()
                raise Cancelled("Stopped before there was a program.")
            if not self._line.poll(LOOK_SECONDS):
                if isolation.is_stopped(self._process.pid):
                    raise EOFError
                continue
            match self._line.recv():
                case ["progress", *progress]:
                    on_progress(*progress)
                case ["run", arguments, options]:
                    self._line.send(_outcome(partial(sandbox.run, *arguments, **options)))
                case [outcome, state]:
                    self.state = state
                    return _result(outcome)

    def _start(self) -> None:
        """Start a child, and give it the models that the one before had."""
        context = multiprocessing.get_context("spawn")
        self._line, others = context.Pipe()
        self._process = context.Process(target=_serve, args=(others, self._make), name="engine", daemon=True)
        self._process.start()
        others.close()
        base, active, adapters = self._base, self._active, self._adapters
        self._base, self._active, self._adapters = None, None, {}
        if base is None:
            return
        try:
            self.load(base)
            for info in adapters.values():
                self.load_adapter(info.name, info.folder)
            self.set_adapter(active)
        except ModelError:  # they are gone; the caller says which model it wants
            return


def _outcome(work: Callable[[], Any]) -> tuple[bool, Any]:
    """Whether it went well, and the result or the error."""
    try:
        return True, work()
    except Exception as error:
        if not isinstance(error, CadrecodeError):
            log.error("The engine failed", exc_info=error)  # here, because the traceback does not travel
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:  # an error that needs more than its arguments
            error = (CadrecodeError if isinstance(error, CadrecodeError) else RuntimeError)(*error.args[:1])
        return False, error


def _result(outcome: tuple[bool, Any]) -> Any:
    well, value = outcome
    if well:
        return value
    raise value


class _App:
    """The app, as the child sees it: says what to do, runs programs in its sandbox, and hears how far a rebuild is."""

    def __init__(self, connection: Connection):
        self._connection = connection
        self._stopped = False

    def next(self) -> tuple[str, tuple, dict]:
        """The next request. Raises: EOFError: the app is gone."""
        self._stopped = False
        return self._receive()

    def _receive(self) -> Any:
        while (message := self._connection.recv()) == STOP:  # also one that came too late for what it was meant for
            self._stopped = True
        return message

    def answer(self, outcome: tuple[bool, Any], state: tuple) -> None:
        self._connection.send((outcome, state))

    def run(self, *arguments: Any, **options: Any) -> Execution:
        """`Sandbox.run` of the app."""
        self._connection.send(("run", arguments, options))
        return _result(self._receive())

    def on_progress(self, *progress: Any) -> None:
        self._connection.send(("progress", *progress))

    def should_stop(self) -> bool:
        """Whether a message has come, which can only be a stop, or the app is gone."""
        return self._stopped or self._connection.poll()


def _serve(connection: Connection, make: Callable[[], Engine]) -> None:
    """The child: do what the app asks, until the app is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in the terminal is for the app
    if hasattr(os, "nice"):
        os.nice(NICE)
    app, engine = _App(connection), make()
    while True:
        try:
            method, arguments, options = app.next()
        except (EOFError, OSError):
            return
        if method == "reconstruct":
            options |= {"on_progress": app.on_progress, "should_stop": app.should_stop}
            if options.pop("sandbox", False):
                options["sandbox"] = app
        outcome = _outcome(partial(getattr(engine, method), *arguments, **options))
        app.answer(outcome, engine.state)
