"""The command `cadrecode <verb>`, also `python -m cadrecode <verb>`."""

import sys
from collections.abc import Sequence

from cadrecode import cli


def app(argv: Sequence[str] | None = None) -> int:
    """Open the app: rebuild parts from point clouds, fine-tune, merge."""
    from cadrecode.ui.launch import run

    return run(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the first word says. Returns the exit status."""
    return cli.main(argv, {"app": app})


if __name__ == "__main__":
    sys.exit(main())
