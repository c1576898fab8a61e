"""Run CadQuery text where it can do no harm, and report how it ended. The app's side; the child's is worker.py."""

import atexit
import contextlib
import logging
import os
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from cadrecode.errors import KernelError, Message
from cadrecode.frames import MM_PER_UNIT
from cadrecode.kernel import isolation, rules
from cadrecode.kernel.outcome import Execution, Outcome, Remains
from cadrecode.kernel.process import Worker

EXPORTS = ("step", "stl", "glb")
READABLE = (".step", ".stp", ".brep")
CONCURRENT_JOBS = 2
MESH_MEMORY_MB = 4096  # for reading files: an assembly takes more than a program
MAX_FILE_MB = 512
PROGRAM_FILE_MB = 64  # largest file that a program may leave; a STEP file of 5,000 faces has 10
FILES_OF_LARGEST = 4  # as much as so many of the largest files is the most that a job's folder may hold
LAYERS = ("empty environment", "memory limit", "cpu limit", "file-size limit", "landlock", "seccomp")

log = logging.getLogger(__name__)


class Sandbox:
    """A warm OpenCASCADE that is confined. Safe to use from several threads; two jobs run at a time, others wait.

    Args:
        seconds: Wall-clock limit of a program, its exports included.
        memory_mb: What a program may take on top of the loaded libraries.
        fork: False behaves as where the OS cannot fork: a fresh process for each job (3 to 5 s).
    """

    def __init__(self, *, seconds: float = 10.0, memory_mb: int = 2048, fork: bool = True):
        self.seconds, self.memory_mb, self._fork = seconds, memory_mb, fork
        self._worker: Worker | None = None
        self._layers: list[str] | None = None
        self._lock, self._slots = threading.Lock(), threading.BoundedSemaphore(CONCURRENT_JOBS)

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def warm(self) -> None:
        """Load CadQuery in the background, so that the first program need not wait. Returns at once."""

        def load() -> None:
            try:
                self._warm_worker()
            except KernelError as error:  # the next program that is run raises it
                log.warning("%s", error)

        threading.Thread(target=load, name="cadrecode-kernel-warm", daemon=True).start()

    def run(
        self,
        code: str,
        folder: Path | None = None,
        exports: Iterable[str] = (),
        *,
        seconds: float | None = None,
        name: str = "part",
        unit: str = "mm",
        features: tuple[Path, list[str]] | None = None,
    ) -> Execution:
        """Check a program, run it, measure the solid that it leaves in `r` (or `result`), and write `exports`.

        Args:
            code: CadQuery text. Anything may be in it; how it ends is the outcome, never an exception.
            folder: Where exports go, as <name>.step and so on; made if absent, files there are replaced.
            exports: Some of "step", "stl" and "glb". STL and GLB hold the program's numbers; STEP also says their unit.
            seconds: Wall-clock limit instead of the sandbox's own.
            name: File name without suffix, and the part's name in STEP.
            unit: The length of 1 in the program's numbers: "mm", "cm", "m" or "inch".
            features: Names and colours the faces in STEP: an .npy file of places on the surface, as
                `kernel.solids.features_of_faces` takes them, and the names of the features.
        Raises:
            KernelError: CadQuery cannot be started, or the folder cannot be written.
            ValueError: an export, a unit or a name that does not exist.
        """
        exports = list(exports)
        _check_request(folder, exports, name, unit)
        fault = rules.check(code)
        if fault:
            return Execution(Outcome.SYNTAX if fault.syntax else Outcome.FORBIDDEN, fault.detail, fault.line)
        order = {"kind": "program", "code": code, "exports": exports, "unit": unit, "name": name}
        order["file_mb"] = PROGRAM_FILE_MB
        inputs = {}
        if features is not None:
            inputs["places.npy"], order["features"] = features
        with self._job(order, seconds or self.seconds, self.memory_mb, inputs) as ended:
            execution = ended.execution()
            if execution.ok and folder is not None:
                files = {kind: ended.move(f"part.{kind}", Path(folder) / f"{name}.{kind}") for kind in exports}
                execution = replace(execution, files=files)
            return execution

    def tessellate(self, path: Path, *, seconds: float = 60) -> tuple[np.ndarray, np.ndarray]:
        """Read a STEP or BREP file and mesh it, to a thousandth of its diagonal. Closed solids give closed meshes.

        Returns: vertices (n, 3) float64 (STEP: millimetres, whatever unit the file has; BREP: its numbers) and facets
            (m, 3) int64, facing outwards.
        Raises: KernelError: the file cannot be read, holds no surface, or takes too long.
        """
        path = Path(path)
        suffix = path.suffix.lower()
        if suffix not in READABLE:
            raise KernelError(
                "{name}: this reads {suffixes}, not {suffix}.",
                name=path.name,
                suffixes=", ".join(READABLE),
                suffix=suffix or Message("files without a suffix"),
            )
        if not path.is_file():
            raise KernelError("{name}: there is no such file in {folder}.", name=path.name, folder=path.parent)
        if path.stat().st_size > MAX_FILE_MB * 2**20:
            raise KernelError(
                "{name} has over {most_mb} MB. Export the one part that you need.",
                name=path.name,
                most_mb=MAX_FILE_MB,
            )
        source = "source.brep" if suffix == ".brep" else "source.step"
        with self._job({"kind": "mesh", "source": source}, seconds, MESH_MEMORY_MB, {source: path}) as ended:
            execution = ended.execution()
            if not execution.ok:
                raise KernelError(
                    "OpenCASCADE cannot read {name} ({outcome}: {detail}). Export it again as STEP (AP214 or AP242).",
                    name=path.name,
                    outcome=execution.outcome,
                    detail=execution.detail,
                )
            vertices, facets = ended.array("vertices.npy"), ended.array("facets.npy")
        if not len(facets):
            raise KernelError("{name} holds no surface to sample, only curves or points.", name=path.name)
        return vertices, facets

    def layers(self) -> list[str]:
        """The layers that hold on this machine, each tried out in a real job. Loads CadQuery if it is not warm yet."""
        if self._layers is None:
            with self._job({"kind": "probe"}, 20, self.memory_mb) as ended:
                self._layers = ["attribute allow-list", "separate process", "time limit", *ended.layers()]
        return list(self._layers)

    def missing_layers(self) -> list[str]:
        """Those of LAYERS that do not hold on this machine."""
        held = self.layers()
        return [layer for layer in LAYERS if layer not in held]

    def confined(self) -> bool:
        """Whether the operating system confines programs: files by Landlock, network and processes by seccomp."""
        return {"landlock", "seccomp"} <= set(self.layers())

    def close(self) -> None:
        """End the child. The next call starts another."""
        with self._lock:
            if self._worker is not None:
                self._worker.close()
                self._worker = None

    def _warm_worker(self, take: bool = False) -> Worker:
        """The living worker, started if need be. With `take`, a worker of a single job becomes the caller's own."""
        with self._lock:
            if self._worker is not None and not self._worker.alive:
                log.warning("The CAD kernel's process died; starting another.")
                self._worker.close()
                self._worker = None
            worker = self._worker = self._worker or Worker(self._fork)
            if take and not worker.forks:
                self._worker = None
        return worker

    @contextmanager
    def _job(
        self, order: dict, seconds: float, memory_mb: int, inputs: dict[str, Path] | None = None
    ) -> Iterator[Remains]:
        """Do a job in a folder of its own, which lives as long as the `with` block. `inputs` are copied into it."""
        order = {"file_mb": isolation.FILE_MB, **order, "seconds": seconds, "memory_mb": memory_mb}
        with contextlib.ExitStack() as afterwards, self._slots:
            for _ in range(2):  # a worker may die between this check and the start
                worker = self._warm_worker(take=True)
                try:
                    folder = Path(tempfile.mkdtemp(prefix="job-", dir=worker.home))
                    # once the slot is free: a program may have left a lot to delete
                    afterwards.callback(shutil.rmtree, folder, ignore_errors=True)
                    for name, path in (inputs or {}).items():
                        shutil.copyfile(path, folder / name)
                except OSError as error:
                    raise KernelError("The sandbox cannot prepare its folder: {error}.", error=error) from error
                begin = time.perf_counter()
                job_id = worker.start(order | {"folder": str(folder)})
                if job_id is not None:
                    break
            else:
                raise KernelError("The CAD kernel's process ends at every request. See the log.")
            try:
                end = worker.wait(job_id, seconds, _watch(folder, memory_mb, order["file_mb"]))
                if not worker.forks:
                    self.warm()  # the next job's process
                yield Remains(folder, end, seconds, memory_mb, time.perf_counter() - begin)
            finally:
                if not worker.forks:
                    worker.close()


def _watch(folder: Path, memory_mb: int, file_mb: int) -> Callable[[int], bool]:
    """Whether a job takes more than it may: of memory that its address space does not count, or in its folder."""
    most_files_mb = isolation.folder_mb(folder) + FILES_OF_LARGEST * file_mb
    first: list[float] = []

    def too_much(pid: int) -> bool:
        held = isolation.resident_mb(pid)
        if held is not None:
            first[:] = first or [held]
            if held > first[0] + 1.5 * memory_mb:
                return True
        return isolation.folder_mb(folder) > most_files_mb

    return too_much


def _check_request(folder: Path | None, exports: list[str], name: str, unit: str) -> None:
    unknown = sorted(set(exports) - set(EXPORTS))
    if unknown:
        raise ValueError(f"unknown export {unknown[0]!r}; there are {', '.join(EXPORTS)}")
    if exports and folder is None:
        raise ValueError("exports need a folder to go to")
    if unit not in MM_PER_UNIT:
        raise ValueError(f"unknown unit {unit!r}; there are {', '.join(MM_PER_UNIT)}")
    if not name.strip(". ") or re.search(r'[/\\<>:"|?*\x00-\x1f]', name):
        raise ValueError(f"{name!r} cannot be a file name")


_shared: Sandbox | None = None
_shared_owner = 0
_shared_lock = threading.Lock()


def shared_sandbox() -> Sandbox:
    """The warm sandbox of this process, made at first use and closed at exit. Safe to call from several threads."""
    global _shared, _shared_owner
    with _shared_lock:
        if _shared is None or _shared_owner != os.getpid():  # a fork of ours must not talk into the same pipe
            _shared, _shared_owner = Sandbox(), os.getpid()
            atexit.register(_shared.close)
        return _shared
