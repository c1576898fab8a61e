"""The child process of an evaluation or a merge: `python -m cadrecode.jobs.child <run folder>`. The queue starts it."""

from __future__ import annotations

import logging
import sys

from cadrecode.errors import CadrecodeError
from cadrecode.jobs import evaluating, merging
from cadrecode.runs import Kind, Run, State

log = logging.getLogger(__name__)

WORK = {Kind.EVALUATION: evaluating.work, Kind.MERGE: merging.work}


def main(folder: str) -> int:
    """Do what the run folder asks for. However it ends, its status says so. Returns the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stdout)
    run = Run(folder)
    run.stop_on_signals()
    try:
        WORK[run.kind](run)
    except CadrecodeError as error:
        log.error("%s", error)
        run.set_status(State.STOPPED if run.stop_requested() else State.FAILED, error=error.described)
        return 1
    except BaseException as error:
        run.set_status(State.FAILED, error=f"{type(error).__name__}: {error}")
        raise
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
