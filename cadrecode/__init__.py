"""Point clouds to short, editable CadQuery programs.

    import cadrecode
    part = cadrecode.reconstruct("scan.ply", unit="mm")        # a file, or (N, 3) points
    part.program, part.deviation.mean, part.parameters           # the text, how near it is, its named numbers
    part.with_parameters({"hole 1 diameter": 8.0}).write("part.step")
    solid = cadrecode.build(part)                                # a closed mesh, without CadQuery
    cadrecode.iou(solid, part), cadrecode.write(cadrecode.parse(part.program))
    cadrecode.train("configs/quickstart.yaml"), cadrecode.evaluate("invent:general:10")

Each name is imported when it is first used, so `import cadrecode` is quick and needs neither torch nor CadQuery.
"""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cadrecode.library import evaluate, reconstruct, train
    from cadrecode.part import Part
    from cadrecode.program import parse, write
    from cadrecode.solids import build, iou

__version__ = "0.1.0"
__all__ = ["Part", "build", "evaluate", "iou", "parse", "reconstruct", "train", "write"]

_HOMES = {"Part": "part", "build": "solids", "iou": "solids"} | dict.fromkeys(
    ("reconstruct", "train", "evaluate"), "library"
)

# On a CPU, bitsandbytes warns at each import that the hub has no faster kernel. Its own works. Set here, since
# transformers imports it, too.
logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'cadrecode' has no attribute {name!r}")
    return getattr(importlib.import_module(f"cadrecode.{_HOMES.get(name, 'program')}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
