"""The objects that the tabs share. Built once at the start and passed to every tab; tests pass other objects."""

from __future__ import annotations

import logging
import shutil
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cadrecode.errors import CadrecodeError
from cadrecode.jobs.pace import Budget

if TYPE_CHECKING:
    from cadrecode.engine import Engine
    from cadrecode.kernel.sandbox import Sandbox

log = logging.getLogger(__name__)

PAGE_SECONDS = 3  # the first page may load for this long before the model is loaded, which takes the processor as well
MOST_WORKS = 16  # that are kept for reloads: each has a scan
KEEP_SECONDS = 2 * 3600  # how long pictures and files made for a page are kept


@dataclass
class Services:
    """The model, the sandbox and the folders that the tabs share.

    Args:
        engine: The model that is kept warm.
        runs_dir: The folder of all runs.
        open_sandbox: Returns the warm OpenCASCADE sandbox.
        run_programs: Whether programs may run in the sandbox; not on a public link without isolation.
        guests: Names of visitors who may rebuild parts and do nothing else.
        logins: Whether visitors log in.
        stops: The running work of each visitor; setting the event cancels it.
        page_is_there: Set when a page has loaded.
        made: A folder for files made for pages.
        finished: What batches have rebuilt, by what it was made of.
        budget: Processor time that rebuilds may take while a training is at work.
        works: What pages show, by a secret of each browser tab, so that a reload finds it again; the oldest first.
    """

    engine: Engine
    runs_dir: Path
    open_sandbox: Callable[[], Sandbox]
    run_programs: bool = True
    guests: frozenset[str] = frozenset()
    logins: bool = False
    stops: dict[str, threading.Event] = field(default_factory=dict)
    page_is_there: threading.Event = field(default_factory=threading.Event)
    made: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="cadrecode-ui-")))
    budget: Budget = field(init=False, repr=False)
    finished: dict[str, Any] = field(default_factory=dict, repr=False)
    works: OrderedDict[str, Any] = field(default_factory=OrderedDict, repr=False)
    _folders: dict[Path, float] = field(default_factory=dict, repr=False)  # and until when they are kept
    _guard: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        self.budget = Budget(self.runs_dir)

    def sandbox(self) -> Sandbox | None:
        """The sandbox; None where programs must not run."""
        return self.open_sandbox() if self.run_programs else None

    def missing_layers(self) -> list[str]:
        """The layers of the sandbox that this machine lacks; starts it where it is cold. None where no program runs.

        Raises: KernelError: it does not start.
        """
        sandbox = self.sandbox()
        return [] if sandbox is None else sandbox.missing_layers()

    def fresh_folder(self, keep_seconds: float = KEEP_SECONDS) -> Path:
        """A new folder for the files of one answer, so that no two answers share a file. Old folders are removed."""
        now = time.monotonic()  # the clock of the day may be set while the app runs
        folder = Path(tempfile.mkdtemp(dir=self.made))
        with self._guard:
            old = [path for path, until in self._folders.items() if until < now]
            for path in old:
                del self._folders[path]
            self._folders[folder] = now + keep_seconds
        for path in old:
            shutil.rmtree(path, ignore_errors=True)
        return folder

    def keep(self, key: str, work: Any) -> None:
        """Note what a browser's tab shows. Without a key nothing is kept."""
        if not key:
            return
        with self._guard:
            self.works[key] = work
            self.works.move_to_end(key)
            while len(self.works) > MOST_WORKS:
                self.works.popitem(last=False)

    def close(self) -> None:
        """Remove the files that were made for pages."""
        shutil.rmtree(self.made, ignore_errors=True)

    @contextmanager
    def stoppable(self, visitor: str) -> Iterator[threading.Event]:
        """An event that is set by this visitor's Cancel button, and when the page that waits is closed."""
        event = self.stops[visitor] = threading.Event()
        try:
            yield event
        finally:
            event.set()
            if self.stops.get(visitor) is event:
                del self.stops[visitor]

    def cancel(self, visitor: str) -> None:
        """Stop the running work of this visitor, if there is any."""
        if visitor in self.stops:
            self.stops[visitor].set()

    def warm(self, first: Callable[[], None]) -> None:
        """Load in the background what takes long to load, so that the first click does not wait for it.

        Args:
            first: Prepares what the page shows; the rest begins once a page has loaded, or after a few seconds.
        """

        def work() -> None:
            self._quietly(first)
            self.page_is_there.wait(PAGE_SECONDS)
            threading.Thread(target=self._quietly, args=(self._warm_sandbox,), daemon=True, name="sandbox").start()
            self._quietly(self._warm_engine)

        threading.Thread(target=work, daemon=True, name="warm").start()

    def _warm_sandbox(self) -> None:
        if self.run_programs:
            self.open_sandbox().run("import cadquery as cq\nr=cq.Workplane('XY').box(1,1,1)")
            if missing := self.missing_layers():
                log.warning("Programs are not confined in full: this machine lacks %s.", ", ".join(missing))

    def _warm_engine(self) -> None:
        self.engine.load()

    @staticmethod
    def _quietly(work: Callable[[], None]) -> None:
        try:
            work()
        except CadrecodeError as error:  # the page shows it again to a person who needs what is missing
            log.warning("%s", error)
