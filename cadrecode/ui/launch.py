"""Opening the app from the command line."""

from __future__ import annotations

import argparse
import atexit
import gc
import importlib.util
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from cadrecode.errors import ConfigError, KernelError
from cadrecode.heap import share_arenas

if TYPE_CHECKING:
    from cadrecode.kernel import Sandbox

OPEN_TO_ALL = (
    "Warning: there is no login, and the app listens to the network. Whoever reaches it is its owner: trains, merges,\n"
    "deletes, reads files of this machine by their path. Add --auth user:password (and --guest user:password for\n"
    "those who only rebuild parts), or leave --host out to keep it to this machine."
)


# How often threads of torch look for each other before they sleep, in the app and its runs. By default 300,000 times:
# beside visitors on two cores a training made 14 steps a minute so, and 132 with this; alone 360 and 312.
SPINS = "1000"
SPACE_PAGES = "https://huggingface.co"  # shows a Space's app in a frame
SIGNAL_SECONDS = 0.5  # until SIGTERM is noticed, at the latest


def on_space() -> bool:
    """Whether this is a Hugging Face Space, where everybody reaches the app through a proxy."""
    return bool(os.environ.get("SPACE_ID"))


def arguments() -> argparse.ArgumentParser:
    """The options of `python app.py`. On a Space it listens to the proxy, which calls it by the Space's name."""
    parser = argparse.ArgumentParser(
        "app", description="Open the app: rebuild parts from point clouds, fine-tune, merge."
    )
    parser.add_argument(
        "--host",
        default="0.0.0.0" if on_space() else "127.0.0.1",
        help="address to listen on; 0.0.0.0 for the whole network [%(default)s]",
    )
    parser.add_argument("--port", type=int, default=7860)
    parser.add_argument(
        "--share", action="store_true", help="also open a public link; without --auth, passwords are made and printed"
    )
    parser.add_argument(
        "--auth", metavar="USER:PASSWORD", default=os.environ.get("CADRECODE_AUTH") or None,
        help="ask for a login: the owner's, who may do everything [CADRECODE_AUTH of the environment]",
    )  # fmt: skip
    parser.add_argument(
        "--guest", metavar="USER:PASSWORD", default=os.environ.get("CADRECODE_GUEST") or None,
        help="a second login, which rebuilds parts and no more [CADRECODE_GUEST of the environment]",
    )  # fmt: skip
    parser.add_argument(
        "--trust_host", metavar="NAME", action="append",
        default=[os.environ["SPACE_HOST"]] if on_space() and "SPACE_HOST" in os.environ else [],
        help="a further name under which the app is reached, such as that of a proxy; others are refused",
    )  # fmt: skip
    parser.add_argument(
        "--require-isolation", action="store_true",
        help="do not open where a layer that confines programs is missing; cadrecode doctor names them",
    )  # fmt: skip
    parser.add_argument("--window", action="store_true", help="a window of its own, where pywebview is installed")
    parser.add_argument("--mcp", action="store_true", help="offer reconstruct and run_program as MCP tools")
    parser.add_argument("--runs_dir", type=Path, default=Path("runs"), help="where training runs live")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Open the app and stay. Returns the exit status."""
    given = arguments().parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    from cadrecode.ui.access import is_local, logins

    public = given.share or on_space()
    try:
        known = logins(given.auth, given.guest, public)
        if given.mcp:
            _require_mcp()
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    if public and not given.auth:
        for name, password in known.pairs:
            print(f"Log in as {name} with the password {password}", flush=True)
    if not known.pairs and not is_local(given.host):
        print(OPEN_TO_ALL, file=sys.stderr, flush=True)
    from cadrecode.engine_process import EngineProcess
    from cadrecode.kernel import shared_sandbox
    from cadrecode.ui.build import serve
    from cadrecode.ui.services import Services

    if given.require_isolation and (missing := _missing_layers(shared_sandbox())):
        print(f"Not opened: this machine lacks {missing}.", file=sys.stderr, flush=True)
        return 2
    run_programs, only_the_owner = True, known.owner is not None and known.guest is None
    if public or (not is_local(given.host) and not only_the_owner):
        run_programs = shared_sandbox().confined()
        if not run_programs:
            missing = _missing_layers(shared_sandbox())
            print(f"Programs of others will not run: this machine lacks {missing}. STEP downloads are off.", flush=True)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it for what it starts with &
    until_it_ends = _ended_by_sigterm()
    guests = frozenset({known.guest[0]} if known.guest else ())
    services = Services(
        EngineProcess(), given.runs_dir.resolve(), shared_sandbox, run_programs, guests, logins=known.pairs is not None
    )
    stay = (open_window(given.port) if given.window else None) or until_it_ends
    try:
        serve(
            services,
            host=given.host,
            port=given.port,
            share=given.share,
            auth=known.pairs,
            mcp=given.mcp,
            names=given.trust_host,
            framed_by=SPACE_PAGES if on_space() else "",
            ready=_opened,
            stay=stay,
        )
    except OSError as error:  # the port is taken
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Closed. Training runs go on.")
    return 0


def _ended_by_sigterm() -> Callable[[], None]:
    """Have SIGTERM end the app as Ctrl-C does, so that files made for pages are removed then, too.

    Returns: Waits until it comes.
    """
    ended = threading.Event()

    def end(*_: object) -> NoReturn:
        ended.set()  # where the exception is lost, in a callback of a library
        sys.exit(0)

    def until_it_ends() -> None:
        while not ended.wait(SIGNAL_SECONDS):  # without a limit it goes on where another thread gets the signal
            pass

    signal.signal(signal.SIGTERM, end)
    return until_it_ends


def _missing_layers(sandbox: Sandbox) -> str:
    """The layers of the sandbox that do not hold here, in words; empty where all hold."""
    try:
        return ", ".join(sandbox.missing_layers())
    except KernelError as error:
        return f"a CAD kernel that starts ({error})"


def _opened(address: str) -> None:
    gc.freeze()  # the objects of the app live as long as it runs, so the collector need not look through them
    gc.enable()
    print(f"cadrecode is open at {address}", flush=True)


def run(argv: Sequence[str] | None = None) -> NoReturn:
    """Run `main` and end the process without tearing the interpreter down. Tearing down takes seconds after torch and
    Gradio, and a thread that is in C++ code at that moment, such as a model that is being loaded, aborts the process.
    """
    gc.disable()  # until the page is open: imports leave no garbage
    share_arenas()
    os.environ.setdefault("GOMP_SPINCOUNT", SPINS)
    try:
        status = main(argv)
    except SystemExit as stop:  # of argparse, and of SIGTERM
        status = stop.code
    threading.excepthook = lambda _: None  # a thread that still imports torch fails from here on
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status or 0)


def _require_mcp() -> None:
    """Raises ConfigError: the library for MCP is not installed."""
    if importlib.util.find_spec("mcp") is None:
        raise ConfigError('--mcp needs a library that is not installed: pip install "gradio[mcp]"')


def open_window(port: int) -> Callable[[], None] | None:
    """Opens a window and stays as long as it is open; None, and a message, without pywebview."""
    try:
        import webview
    except ImportError:
        print("--window needs pywebview (pip install pywebview). Open the address below in a browser.", flush=True)
        return None

    def stay() -> None:
        webview.create_window("cadrecode", f"http://127.0.0.1:{port}", width=1440, height=960)
        webview.start()

    return stay
