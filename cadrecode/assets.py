"""What ships with the package besides its code."""

from __future__ import annotations

from pathlib import Path

EMBEDDED = "embedded"  # the name of the base model that ships
EMBEDDED_FOLDER = Path(__file__).resolve().parents[1] / "assets" / "base"
