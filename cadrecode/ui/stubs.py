"""Gradio, imported in half the time: it writes type stubs beside its components whenever it is imported, which parses
the source of each. The stubs are for editors, and are part of the installed package already.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

WRITER = "gradio.component_meta"  # the module whose create_or_modify_pyi writes them


class WithoutStubs(MetaPathFinder):
    """Finds that one module, and silences it once it is there."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path) if name == WRITER else None
        if spec is not None:
            execute = spec.loader.exec_module

            def execute_and_silence(module: ModuleType) -> None:
                execute(module)
                module.create_or_modify_pyi = lambda *_: None

            spec.loader.exec_module = execute_and_silence
        return spec


if WRITER not in sys.modules:
    sys.meta_path.insert(0, WithoutStubs())
