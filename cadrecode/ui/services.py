"""What the tabs work with. Built once at start, handed to every tab, replaced by other objects in tests."""

from __future__ import annotations

import logging
import shutil
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cadrecode.errors import CadrecodeError

if TYPE_CHECKING:
    from cadrecode.engine import Engine
    from cadrecode.kernel.sandbox import Sandbox

log = logging.getLogger(__name__)

PAGE_SECONDS = 3  # for a page to load before the model is; it needs the processor as well
KEEP_SECONDS = 2 * 3600  # pictures and files made for a page that is likely closed by then


@dataclass
class Services:
    """Args:
    engine: the one model kept warm.
    runs_dir: the folder of training runs.
    open_sandbox: gives the warm OpenCASCADE sandbox.
    run_programs: whether programs may go to the sandbox at all (not on a public link without isolation).
    guests: names of those who log in to rebuild parts, and to do nothing else.
    page_is_there: set when a page has loaded.
    """

    engine: Engine
    runs_dir: Path
    open_sandbox: Callable[[], Sandbox]
    run_programs: bool = True
    guests: frozenset[str] = frozenset()
    stops: dict[str, threading.Event] = field(default_factory=dict)
    page_is_there: threading.Event = field(default_factory=threading.Event)
    made: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="cadrecode-ui-")))

    def sandbox(self) -> Sandbox | None:
        """The sandbox, or None where programs must not run."""
        return self.open_sandbox() if self.run_programs else None

    def folder_for(self, *content: Any) -> Path:
        """A folder for files made from `content`; the same content gives the same folder. Old ones are removed."""
        self._remove_old()
        key = zlib.crc32(repr(content).encode()), zlib.adler32(repr(content).encode())
        folder = self.made / f"{key[0]:08x}{key[1]:08x}"
        folder.mkdir(parents=True, exist_ok=True)
        folder.touch()
        return folder

    def _remove_old(self) -> None:
        for folder in self.made.iterdir():
            if time.time() - folder.stat().st_mtime > KEEP_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """Remove the files made for pages."""
        shutil.rmtree(self.made, ignore_errors=True)

    @contextmanager
    def stoppable(self, visitor: str) -> Iterator[threading.Event]:
        """An event that this visitor's Cancel button sets, and the end of the page that waited."""
        event = self.stops[visitor] = threading.Event()
        try:
            yield event
        finally:
            event.set()
            if self.stops.get(visitor) is event:
                del self.stops[visitor]

    def cancel(self, visitor: str) -> None:
        """Ask this visitor's running work to stop, if there is any."""
        if visitor in self.stops:
            self.stops[visitor].set()

    def warm(self, first: Callable[[], None]) -> None:
        """Start what is slow to start, in the background, so that the first click does not wait for it.

        Args: first: what the page shows; the rest begins when the page is there, or not opened for a while.
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

    def _warm_engine(self) -> None:
        self.engine.load()

    @staticmethod
    def _quietly(work: Callable[[], None]) -> None:
        try:
            work()
        except CadrecodeError as error:  # it will be said again, on the page, to whoever needs it
            log.warning("%s", error)
