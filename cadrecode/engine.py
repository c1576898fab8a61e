"""One model, kept loaded, for the app, the command line and Python. torch is imported when a model is first needed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cadrecode.adapters import AdapterInfo, adapter_info, has_outdated_merge, merged_model, same_base
from cadrecode.cloud import Cloud
from cadrecode.config import ReconstructConfig
from cadrecode.errors import ModelError
from cadrecode.reconstruction import Cancelled, Reconstruction, reconstruct, threads_for
from cadrecode.shipped import EMBEDDED, EMBEDDED_FOLDER
from cadrecode.turns import Stopped, Turns

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

HUB_BASES = ("filapro/cad-recode-v1.5", "Qwen/Qwen3-1.7B-Base", "Qwen/Qwen2-7B")  # these need the network


@dataclass(frozen=True)
class Opened:
    """The choice of `Engine.open`: base and adapter, and a note with the reason."""

    base: str
    adapter: str | None
    note: str


class Engine:
    """A base model and any number of adapters on it. Thread-safe: while it works, others wait their turn.

    Args:
        device: "auto", "cpu", "cuda", ...
        load_model: In place of `model.load.load_model`.
        generate: In place of `model.decode.generate`.
    """

    def __init__(
        self,
        device: str = "auto",
        *,
        load_model: Callable[..., tuple] | None = None,
        generate: Callable[..., list[str]] | None = None,
    ):
        self.device = device
        self._load_model = load_model
        self._generate = generate
        self._turns = Turns()
        self._model: PreTrainedModel | None = None
        self._tokenizer: PreTrainedTokenizerBase | None = None
        self._base: str | None = None
        self._adapters: dict[str, AdapterInfo] = {}
        self._active: str | None = None
        self._slots: dict[str, str] = {}  # the names that PEFT knows the adapters by
        self._count = 0
        self._chosen: tuple[Opened, str | Path | None] | None = None  # not loaded yet

    # --- what there is

    def models(self, runs_dir: str | Path | None = None) -> list[str]:
        """Bases to choose from: the embedded one, merged models of runs, and names on the hub."""
        bases = [EMBEDDED] if (EMBEDDED_FOLDER / "config.json").is_file() else []
        if runs_dir is not None:
            bases += sorted(str(path) for run in Path(runs_dir).glob("*") if (path := merged_model(run)) is not None)
        return [*bases, *HUB_BASES]

    @property
    def base(self) -> str | None:
        """The base that is loaded; None before the first use."""
        return self._base

    @property
    def active(self) -> str | None:
        """The adapter in use; None for the plain base."""
        return self._active

    @property
    def fresh_encoder(self) -> bool:
        """Whether the model answers at random: its point encoder was never trained, and no adapter brings one."""
        return self._active is None and bool(getattr(self._model, "fresh_encoder", False))

    @property
    def state(self) -> tuple[str | None, str | None, dict[str, AdapterInfo]]:
        """The base, the adapter in use, and all adapters. Set where the model is in another process."""
        return self._base, self._active, self._adapters

    @state.setter
    def state(self, state: tuple[str | None, str | None, dict[str, AdapterInfo]]) -> None:
        self._base, self._active, self._adapters = state

    def adapters(self) -> list[AdapterInfo]:
        """The loaded adapters, with the names given to `load_adapter`."""
        return list(self._adapters.values())

    # --- which model

    def load(self, base: str | Path | None = None) -> None:
        """Load a base: "embedded" (or None), a folder or a hub name. Does nothing where it is loaded already.

        Raises: ModelError: there is no such model, or it cannot be read. What was loaded stays.
        """
        base = str(base or EMBEDDED)
        with self._turns.take():
            if self._model is not None and same_base(base, self._base):
                return
            load_model = self._load_model
            if load_model is None:
                from cadrecode.model.importing import import_in_turn

                import_in_turn("load", "decode")  # and torch with them
                from cadrecode.model.load import load_model

            model, tokenizer = load_model(base, device=self.device)
            self._model, self._tokenizer, self._base = model, tokenizer, base
            self._adapters, self._slots, self._active = {}, {}, None

    def load_adapter(self, name: str, path: str | Path) -> AdapterInfo:
        """Put an adapter on the base under a name, and use it.

        Raises: ModelError: it is no adapter, it belongs to another base, or another adapter has the name.
        """
        info = replace(adapter_info(path), name=name)
        with self._turns.take():
            self.load(self._base or info.base)
            if not same_base(info.base, self._base):
                raise ModelError(
                    "The adapter in {path} was trained on {base}; {other} is loaded. Load {base} first: an "
                    "adapter works with its own base only.",
                    path=path,
                    base=info.base,
                    other=self._base,
                )
            known = self._adapters.get(name)
            if known is not None and known.folder.resolve() != info.folder.resolve():
                raise ModelError(
                    "The name {name!r} is taken by the adapter in {folder}. Choose another name.",
                    name=name,
                    folder=known.folder,
                )
            if known is None or known.written_at != info.written_at:  # the run has saved again since
                from cadrecode.model.importing import import_in_turn

                import_in_turn("adapters")
                from cadrecode.model import adapters

                # Under a fresh name each time, so that the old weights are there until the new ones are.
                self._count += 1
                slot = f"slot-{self._count}"
                try:
                    self._model = adapters.load_adapter(self._model, Path(path), slot)
                except ModelError:
                    self.set_adapter(self._active)
                    raise
                old = self._slots.get(name)
                self._adapters[name], self._slots[name] = info, slot
                if old is not None:
                    self._model = adapters.unload_adapter(self._model, old)
            self.set_adapter(name)
            return info

    def set_adapter(self, name: str | None) -> None:
        """Use a loaded adapter; None for the plain base. Raises: ModelError: no such adapter."""
        with self._turns.take():
            self._require(name)
            if self._adapters:
                from cadrecode.model import adapters

                adapters.set_adapter(self._model, None if name is None else self._slots[name])
            self._active = name

    def unload_adapter(self, name: str) -> None:
        """Forget an adapter; the plain base is used when it was the active one. Raises: ModelError: no such adapter."""
        with self._turns.take():
            self._require(name)
            from cadrecode.model import adapters

            del self._adapters[name]
            slot = self._slots.pop(name)
            self._model = adapters.unload_adapter(self._model, slot)
            self.set_adapter(None if self._active == name else self._active)

    def _require(self, name: str | None) -> None:
        if name is not None and name not in self._adapters:
            known = ", ".join(self._adapters) or "none"
            raise ModelError("There is no adapter named {name!r}. Loaded: {names}.", name=name, names=known)

    def open(self, base: str | None = None, lora_path: str | Path | None = None) -> Opened:
        """Load the model that the guide's `--base_model` and `--lora_path` mean.

        A merged model of the adapter as it is now is preferred: it answers the same and faster. Without `lora_path`,
        the base alone.
        Raises: ModelError: nothing usable there, or the adapter belongs to another base.
        """
        with self._turns.take():
            opened = self._choice(base, lora_path)
            self._use(opened, lora_path)
            return opened

    def choose(self, base: str | None = None, lora_path: str | Path | None = None) -> Opened:
        """`open`, but a model whose files are here is not loaded before it has to write.

        Raises: As `open`; what is wrong inside of the files shows when they are loaded.
        """
        with self._turns.take():
            opened = self._choice(base, lora_path)
            if opened.base != EMBEDDED and not (Path(opened.base) / "config.json").is_file():
                self._use(opened, lora_path)
            else:
                self._chosen = opened, lora_path
            return opened

    def _choice(self, base: str | None, lora_path: str | Path | None) -> Opened:
        """The model that `open` loads. Raises: ModelError: no adapter there, or it belongs to another base."""
        if lora_path is None:
            base = str(base or EMBEDDED)
            return Opened(base, None, f"base model {base}")
        merged = merged_model(lora_path)
        if merged is not None:
            return Opened(str(merged), None, f"merged model {merged} (preferred to the adapter beside it)")
        info = adapter_info(lora_path)
        if base is not None and not same_base(base, info.base):
            raise ModelError(
                "The adapter in {path} was trained on {base}, but --base_model says {other}. Use --base_model {base}.",
                path=lora_path,
                base=info.base,
                other=base,
            )
        base = str(base or info.base)
        note = f"adapter {lora_path} on {base}"
        if has_outdated_merge(lora_path):
            note += " (the merged model beside it is of an earlier training)"
        return Opened(base, info.name, note)

    def _use(self, opened: Opened, lora_path: str | Path | None) -> None:
        self._chosen = None
        self.load(opened.base)
        if opened.adapter is None:
            self.set_adapter(None)
        else:
            self.load_adapter(opened.adapter, lora_path)

    @contextlib.contextmanager
    def turn(
        self,
        on_wait: Callable[[int], None] = lambda before: None,
        should_stop: Callable[[], bool] = lambda: False,
        may_begin: Callable[[], bool] = lambda: True,
    ) -> Iterator[None]:
        """Choose a model and use it while nobody else does either. Those who wait are served in their order.

        Args:
            on_wait: Called with the number of those before this one, whenever it changes.
            should_stop: Asked while waiting.
            may_begin: Asked by the one that nobody is before any more; until it is true, all keep their places.

        Raises: Cancelled: `should_stop` returned True before the turn came.
        """
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(self._turns.take(on_wait, should_stop, may_begin))
            except Stopped:
                raise Cancelled("Stopped before it was its turn.") from None
            yield

    @property
    def waiting(self) -> int:
        """The number of rebuilds that wait for their turn."""
        return self._turns.waiting

    @contextlib.contextmanager
    def ready(self) -> Iterator[tuple[PreTrainedModel, PreTrainedTokenizerBase]]:
        """The model that is in use and its tokenizer, for one user at a time; the embedded base if none is loaded."""
        with self._turns.take():
            self._load_chosen()
            with threads_for(self._model):
                yield self._model, self._tokenizer

    def _load_chosen(self) -> None:
        if self._chosen is None:
            self.load(self._base)
        else:
            self._use(*self._chosen)

    # --- what it does

    def reconstruct(self, cloud: Cloud, config: ReconstructConfig | None = None, **options: Any) -> Reconstruction:
        """`reconstruction.reconstruct` with the model that is in use, which is loaded only if it has to write.

        Args:
            options: The other arguments.
        """
        if self._generate is not None:
            options.setdefault("generate", self._generate)
        with self._turns.take(), contextlib.ExitStack() as stack:

            def load() -> tuple[Any, Any]:
                self._load_chosen()
                stack.enter_context(threads_for(self._model))
                return self._model, self._tokenizer

            return reconstruct(cloud, None, None, config, load=load, **options)
