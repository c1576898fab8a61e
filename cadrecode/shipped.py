"""Where the files that ship with the package lie: beside it in a checkout, inside it where a wheel was installed."""

import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
IMPORT_ROOT = PACKAGE.parent  # the entry of PYTHONPATH with which a child process imports this very package
ROOT = PACKAGE if (PACKAGE / "assets").is_dir() else IMPORT_ROOT  # the build lays assets/ and configs/ into the package
EMBEDDED = "embedded"  # the name of the base model that ships
EMBEDDED_FOLDER = ROOT / "assets" / "base"
CLOUDS = ROOT / "assets" / "clouds"
SAMPLE_PROGRAM = ROOT / "assets" / "sample" / "bracket.py"  # in mm
CONFIGS = ROOT / "configs"


def child_environment() -> dict[str, str]:
    """The environment of a child process that imports this very package, and reads and prints UTF-8."""
    paths = [str(IMPORT_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUTF8": "1"}


def find(path: str | Path) -> Path:
    """A person's path; where nothing lies at it, the file of that name that ships, if there is one.

    So `configs/quickstart.yaml` and `assets/clouds/flange.npy` work in any folder, once the package is installed.
    """
    own = Path(path)
    if own.is_absolute() or own.exists() or own.parts[:1] not in (("assets",), ("configs",)):
        return own
    return ROOT / own if (ROOT / own).exists() else own
