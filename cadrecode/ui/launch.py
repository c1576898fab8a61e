"""From the command line to the open page."""

from __future__ import annotations

import argparse
import gc
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from cadrecode.errors import ConfigError


def arguments() -> argparse.ArgumentParser:
    """What `python app.py` accepts."""
    parser = argparse.ArgumentParser(
        "app.py", description="Open the app: rebuild parts from point clouds, fine-tune, merge."
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; 0.0.0.0 for the whole network")
    parser.add_argument("--port", type=int, default=7860)
    parser.add_argument("--share", action="store_true", help="also open a public link; needs --auth")
    parser.add_argument("--auth", metavar="USER:PASSWORD", help="ask for a login")
    parser.add_argument("--runs_dir", type=Path, default=Path("runs"), help="where training runs live")
    return parser


def parse_auth(text: str | None) -> tuple[str, str] | None:
    """Raises ConfigError: not of the form user:password."""
    if text is None:
        return None
    user, colon, password = text.partition(":")
    if not (user and colon and password):
        raise ConfigError("--auth needs a name and a password: --auth user:password")
    return user, password


def check_share(share: bool, auth: tuple[str, str] | None) -> None:
    """Raises ConfigError: a public link without a login would let anyone use this machine."""
    if share and auth is None:
        raise ConfigError(
            "--share opens this machine to everyone who has the link, so it needs a login: add --auth user:password"
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Open the app and stay. Returns the exit status."""
    given = arguments().parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        auth = parse_auth(given.auth)
        check_share(given.share, auth)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    from cadrecode.engine import Engine
    from cadrecode.kernel import shared_sandbox
    from cadrecode.ui.build import serve
    from cadrecode.ui.services import Services

    run_programs = True
    if given.share:
        run_programs = shared_sandbox().confined()
        if not run_programs:
            print("Programs will not run on the public link: no OS sandbox is active. STEP downloads are off.")
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that starts it with & has it ignored
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that what was made for pages is removed then, too
    services = Services(Engine(), given.runs_dir.resolve(), shared_sandbox, run_programs)
    try:
        serve(
            services,
            host=given.host,
            port=given.port,
            share=given.share,
            auth=auth,
            ready=lambda address: print(f"cadrecode is open at {address}", flush=True),
        )
    except OSError as error:  # the port is taken
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Closed. Training runs go on.")
    finally:
        gc.freeze()  # the process ends: what torch and Gradio made need not be looked through once more, for seconds
    return 0
