"""`cadrecode doctor`: what confines programs on this machine."""

from __future__ import annotations

from cadrecode.cli.shared import Arguments, parser_of, run_verb, say
from cadrecode.errors import KernelError


def doctor_main(argv: Arguments = None) -> int:
    """Say which layers confine programs on this machine, and which are missing."""
    help = "Try out what confines programs on this machine; ends with 1 where something is missing."
    parser_of("doctor", help).parse_args(argv)
    return run_verb(_examine)


def _examine() -> None:
    from cadrecode.kernel import shared_sandbox

    sandbox = shared_sandbox()
    say(f"Programs are confined by: {', '.join(sandbox.layers())}.")
    missing = sandbox.missing_layers()
    if missing:
        raise KernelError("missing on this machine: {layers}", layers=", ".join(missing))
