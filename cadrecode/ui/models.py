"""The models that a person can choose from, and switching between them."""

from __future__ import annotations

from pathlib import Path

from cadrecode.adapters import discover_adapters, find_adapter
from cadrecode.errors import ModelError
from cadrecode.shipped import EMBEDDED
from cadrecode.ui.services import Services
from cadrecode.ui.words.text import Words

PLAIN = ""  # the base without an adapter


def choices(services: Services, words: Words) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Bases and adapters, each as (label, value)."""
    bases = [(base_words(base, words), base) for base in services.engine.models(services.runs_dir)]
    adapters = [(info.name, info.name) for info in discover_adapters(services.runs_dir)]
    return bases, [(words("options.adapter.none"), PLAIN), *adapters]


def base_words(base: str, words: Words) -> str:
    """The label of a base."""
    if base == EMBEDDED:
        return words("base.embedded")
    path = Path(base)
    return words("base.merged", name=path.parent.name) if path.is_dir() else base


def is_here(base: str) -> bool:
    """Whether a base is on this machine; the others are names on the hub."""
    return base == EMBEDDED or Path(base).is_dir()


def in_use(services: Services) -> tuple[str, str]:
    """The base and the adapter that answer, as values of `choices`; the embedded base before the first use."""
    return services.engine.base or EMBEDDED, services.engine.active or PLAIN


def require_here(services: Services, base: str | None) -> None:
    """Guests may choose the listed models of this machine. Raises ModelError: `base` is another model."""
    if base and base not in [listed for listed in services.engine.models(services.runs_dir) if is_here(listed)]:
        raise ModelError("Guests choose among the models that are on this machine. Ask the owner for another.")


def forget(services: Services, name: str) -> None:
    """Unload an adapter, if it is loaded, before its files are deleted."""
    if name in [info.name for info in services.engine.adapters()]:
        services.engine.unload_adapter(name)


def use(services: Services, base: str | None, adapter: str | None) -> str:
    """Load the chosen model; an adapter with its own base. Returns its name, for the status line.

    Raises: ModelError: It is gone, or cannot be loaded.
    """
    engine = services.engine
    if not adapter:
        engine.load(base or None)
        engine.set_adapter(None)
        return engine.base
    info = find_adapter(services.runs_dir, adapter)
    engine.load(info.base)
    engine.load_adapter(info.name, info.folder)
    return f"{engine.base} + {info.name}"
