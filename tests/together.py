"""Two processes that train together, without `accelerate launch`, whose imports take most of a short test's time."""

import os
import socket
import sys
from collections.abc import Callable, Sequence
from multiprocessing.context import ForkServerContext


def run_together(processes: ForkServerContext, main: Callable, words: Sequence[str], **environment: str) -> None:
    """Run a verb of the command line in two processes that know of each other, and wait until both have succeeded."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    environment |= {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    members = [processes.Process(target=_member, args=(rank, environment, main, [*words])) for rank in (0, 1)]
    for member in members:
        member.start()
    for member in members:
        member.join(240)
    assert [member.exitcode for member in members] == [0, 0]


def _member(rank: int, environment: dict[str, str], main: Callable, words: list[str]) -> None:
    os.environ.update(environment, RANK=str(rank), LOCAL_RANK=str(rank))
    sys.exit(main(words))
