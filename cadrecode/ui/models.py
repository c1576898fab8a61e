"""Which model answers: the choices that there are, and switching between them."""

from __future__ import annotations

from pathlib import Path

from cadrecode.errors import ModelError
from cadrecode.ui.services import Services
from cadrecode.ui.text import Words

PLAIN = ""  # the base without an adapter


def choices(services: Services, words: Words) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Bases and adapters, each as (what is shown, value)."""
    from cadrecode.engine import discover_adapters

    bases = [(base_words(base, words), base) for base in services.engine.models(services.runs_dir)]
    adapters = [(info.name, info.name) for info in discover_adapters(services.runs_dir)]
    return bases, [(words("options.adapter.none"), PLAIN), *adapters]


def base_words(base: str, words: Words) -> str:
    from cadrecode.config import EMBEDDED

    if base == EMBEDDED:
        return words("base.embedded")
    path = Path(base)
    return words("base.merged", name=path.parent.name) if path.is_dir() else base


def use(services: Services, base: str | None, adapter: str | None) -> str:
    """Load what was chosen; an adapter brings its own base along. Returns what answers now, for the status line.

    Raises: ModelError: it is gone, or cannot be loaded.
    """
    engine = services.engine
    if not adapter:
        engine.load(base or None)
        engine.set_adapter(None)
        return engine.base
    info = find(services, adapter)
    engine.load(info.base)
    name = info.name.replace(".", "-")  # torch modules may not have dots in their names
    engine.load_adapter(name, info.folder)
    return f"{engine.base} + {info.name}"


def find(services: Services, name: str | None):
    """The adapter of that name on disk. Raises ModelError."""
    from cadrecode.engine import discover_adapters

    if not name:
        raise ModelError("Pick an adapter in the list first.")
    for info in discover_adapters(services.runs_dir):
        if info.name == name:
            return info
    raise ModelError(f"There is no adapter named {name} in {services.runs_dir} any more.")
