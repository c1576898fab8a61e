"""Gradio, imported without what it does for editors: at each import it parses the source of its components, to write a
file of types (.pyi) beside each, which the installed package has already. That is a good fifth of the import.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

WRITER = "gradio.component_meta"  # the module whose create_or_modify_pyi writes them


def import_gradio_quickly() -> None:
    """Make the first import of Gradio, which is still to come, a quick one."""
    if WRITER not in sys.modules:
        sys.meta_path.insert(0, _WithoutTypes())


class _WithoutTypes(MetaPathFinder):
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
