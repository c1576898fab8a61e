"""The settings of training the embedded base."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from cadrecode.config.settings import (
    Contradiction,
    Device,
    HeightSteps,
    MaybeCount,
    MaybeMinutes,
    Precision,
    Seed,
    Settings,
    Share,
    Text,
)
from cadrecode.errors import Message


class PretrainConfig(Settings):
    """Everything about training the embedded base from nothing, on invented parts."""

    output_path: Text = "pretrained_base"
    """Folder for the model and for what is needed to resume."""
    seed: Seed = 42
    """Same seed, same sequence of invented parts."""
    family: Text = "general"
    """Family of parts to invent (see program.invent)."""
    minutes: MaybeMinutes = None
    """Train for this long. Empty: until max_pairs."""
    max_pairs: MaybeCount = None
    """Train on this many pairs of cloud and program. Empty: until minutes are over."""
    repeats: PositiveInt = 1
    """How often each pair is used, each time with other points and other noise; more where making pairs is slower than
    training on them."""
    batch_size: PositiveInt = 32
    """Pairs in one step."""
    learning_rate: PositiveFloat = 2e-3
    """Largest step size; falls along a cosine."""
    warmup_steps: NonNegativeInt = 300
    """Steps in which the learning rate rises from zero."""
    weight_decay: NonNegativeFloat = 0.05
    """Pull of the weights towards zero."""
    grad_clip: PositiveFloat = 1.0
    """Longer gradients are shortened to this length."""
    noise_probability: Share = 0.5
    """Share of clouds that get noise."""
    noise_std: NonNegativeFloat = 0.01
    """Size of that noise, in MODEL units (the part is 2 long)."""
    turn: bool = False
    """Turn or mirror each part at random onto the axes, program and cloud together."""
    height_steps: HeightSteps = 1
    """Steps of a unit in which thicknesses are written. 2: halves."""
    uneven_probability: Share = 0.0
    """Share of clouds that are dense on one side and thin on the other, as from one place of a scanner."""
    missing_probability: Share = 0.0
    """Share of clouds with a region that was not seen."""
    outlier_probability: Share = 0.0
    """Share of clouds with a few points that lie on nothing."""

    n_points: PositiveInt = 256
    """Points of each cloud."""
    max_tokens: PositiveInt = 512
    """Longer programs are left out."""
    hidden_size: PositiveInt = 192
    """Width of the language model."""
    intermediate_size: PositiveInt = 576
    """Width of its feed-forward layers."""
    num_hidden_layers: PositiveInt = 6
    """Its layers."""
    num_attention_heads: PositiveInt = 3
    """Its attention heads."""
    num_key_value_heads: PositiveInt = 1
    """Heads that hold keys and values; a divisor of num_attention_heads."""
    head_dim: Annotated[int, Field(gt=0, multiple_of=2)] = 64
    """Width of one head."""
    max_position_embeddings: PositiveInt = 1024
    """Longest sequence the model is made for."""
    point_encoder: Literal["patch", "fourier"] = "patch"
    """patch: local patches of the cloud are the tokens. fourier: each point is one, as CAD-Recode has it; the next five
    settings do not matter then."""
    point_tokens: PositiveInt = 32
    """Patches that a cloud is read as; each is one token."""
    neighbours: PositiveInt = 12
    """Points in one patch."""
    encoder_width: PositiveInt = 192
    """Width of the point encoder."""
    encoder_layers: NonNegativeInt = 2
    """Layers in which patches look at each other."""
    frequencies: NonNegativeInt = 0
    """Frequencies of the cloud's spectrum, by which a model counts what repeats; 0 for none."""

    device: Device = "auto"
    """auto, cpu, cuda, cuda:1, mps."""
    workers: NonNegativeInt = 1
    """Processes that invent parts. 0 invents in the training process."""
    threads: PositiveInt = 1
    """Threads that the training itself uses."""
    mixed_precision: Precision = "no"
    """bf16, fp16 or no."""
    compile: bool = False
    """Fuse each layer's small steps with torch.compile. A minute at the start; worth it on a GPU."""
    log_every: PositiveInt = 100
    """Steps between entries of the loss."""
    eval_every: PositiveInt = 2000
    """Steps between evaluations on held-out parts."""
    checkpoint_every: PositiveInt = 1000
    """Steps between checkpoints to resume from."""

    def contradictions(self) -> Iterator[Contradiction]:
        if self.minutes is None and self.max_pairs is None:
            yield ("minutes", "max_pairs"), Message("say when to end: set minutes, max_pairs, or both.")
        if self.num_attention_heads % self.num_key_value_heads:
            yield (
                ("num_attention_heads", "num_key_value_heads"),
                Message(
                    "num_attention_heads ({heads}) must be a multiple of num_key_value_heads ({key_value_heads}).",
                    heads=self.num_attention_heads,
                    key_value_heads=self.num_key_value_heads,
                ),
            )
        for name in ("point_tokens", "neighbours"):
            if getattr(self, name) > self.n_points:
                text = Message("{name} ({value}) is more than n_points ({n_points}).")
                yield (name, "n_points"), Message(text, name=name, value=getattr(self, name), n_points=self.n_points)
        name = "point_tokens" if self.point_encoder == "patch" else "n_points"
        tokens = getattr(self, name)
        if tokens + self.max_tokens > self.max_position_embeddings:
            yield (
                (name, "max_tokens", "max_position_embeddings"),
                Message(
                    "{name} + max_tokens ({tokens} + {max_tokens}) is more than max_position_embeddings ({most}).",
                    name=name,
                    tokens=tokens,
                    max_tokens=self.max_tokens,
                    most=self.max_position_embeddings,
                ),
            )
