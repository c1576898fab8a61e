"""The settings of fine-tuning."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from cadrecode.config.settings import (
    Contradiction,
    Device,
    Dropout,
    Dtype,
    HeightSteps,
    MaybeCount,
    MaybeRate,
    MaybeText,
    Names,
    Precision,
    Ranks,
    Seed,
    Settings,
    Share,
    Text,
    YesNoAuto,
)
from cadrecode.errors import Message

LORA_PRESETS = {  # the guide's; balanced is what it recommends
    "light": {"lora_r": 8, "lora_alpha": 16},
    "balanced": {"lora_r": 16, "lora_alpha": 32},
    "high": {"lora_r": 64, "lora_alpha": 128},
}
LORA_TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def _all_linear(value: Any) -> Any:
    """PEFT's word for every layer that LoRA can target."""
    return LORA_TARGETS if value in ("all-linear", ["all-linear"]) else value


class TrainConfig(Settings):
    """Everything about fine-tuning an adapter. The keys and defaults are those of the guide."""

    other_spellings: ClassVar[dict[str, str]] = {"batch_size": "per_device_train_batch_size"}
    bundles: ClassVar[dict[str, dict[str, dict[str, Any]]]] = {"lora_preset": LORA_PRESETS}

    base_model_name: Text = "Qwen/Qwen3-1.7B-Base"
    """The model to fine-tune: a name on the Hugging Face hub, a folder, or `embedded` for the one in this package."""
    model_save_path: Text = "checkpoints_qwen3_lora"
    """The run folder: settings, log, checkpoints, the adapter and the merged model are written here."""
    train_data_path: Text = "data/train"
    """A folder of .py programs, a .jsonl or .jsonl.gz of programs (key `code`), or invent:<family>[:count]."""
    val_data_path: MaybeText = "data/val"
    """Programs to evaluate on, in the same forms. Where it does not exist, a slice of the training data is held out."""
    more_train_data: MaybeText = None
    """Further programs, in the same forms, mixed in: invent:general:1000 keeps the embedded base from forgetting."""
    canonical: YesNoAuto = "auto"
    """Write programs as the embedded base writes equal shapes, where that is no longer: only shapes are learnt.
    auto: for that base, and others that `cadrecode pretrain` made."""
    turned_copies: NonNegativeInt = 0
    """Copies of each training program, turned or mirrored at random onto the axes, in canonical spelling."""
    warped_copies: NonNegativeInt = 0
    """Copies of each training program in other proportions, in canonical spelling: the same designs, other numbers."""
    pattern_copies: NonNegativeInt = 0
    """Copies of each training program that repeats something, with other counts and sizes: 13 fins become 8 to 16."""
    height_steps: HeightSteps = 1
    """Steps of a unit in which thicknesses of copies, invented parts and respelled programs are written. 2: halves."""
    max_train_samples: MaybeCount = None
    """Use at most this many training programs. Empty means all."""
    max_eval_samples: MaybeCount = 256
    """Evaluate on at most this many programs."""
    max_seq_length: PositiveInt = 1024
    """Points and program tokens together. Longer programs are left out, and listed."""
    n_points: PositiveInt = 256
    """Points of each cloud that the model sees."""
    noise_probability: Share = 0.5
    """Share of clouds that get noise in training."""
    noise_std: NonNegativeFloat = 0.01
    """Size of that noise, in MODEL units (the part is 2 long)."""
    partial_probability: Share = 0.0
    """Share of clouds in training that lack what is hidden from one side of the part, as a scanner sees it."""

    lora_r: PositiveInt = 16
    """Width of the low-rank update. A higher rank learns more and needs more memory."""
    lora_alpha: PositiveInt = 32
    """Scale of the update; usually twice lora_r."""
    lora_dropout: Dropout = 0.1
    """Share of the update's inputs dropped in training, against overfitting."""
    lora_target_modules: Annotated[Names, BeforeValidator(_all_linear)] = LORA_TARGETS
    """The linear layers that get an update; all-linear: each of them."""
    rank_pattern: Ranks = ()
    """Layers with a rank of their own, as down_proj=32,q_proj=8. The others have lora_r."""
    init_lora_weights: Literal["default", "gaussian", "pissa", "olora", "loftq"] = "default"
    """How an adapter begins. pissa, olora: with the largest part of the base's weights, which learns faster; loftq:
    with what 4 bits lose of them (QLoRA). These three are saved with twice the rank."""

    use_rslora: bool = False
    """Divide lora_alpha by the root of lora_r in place of lora_r itself: steadier at high ranks."""
    use_dora: bool = False
    """DoRA: learn the length of each weight row apart from its direction. A little better, and slower."""
    init_from_adapter: MaybeText = None
    """The folder of an adapter to continue from, with a new optimizer: to train on more or other data."""

    auto_merge_lora: bool = True
    """Merge at each checkpoint during training."""
    auto_merge_final: bool = True
    """Merge at the end of training."""
    keep_lora_only: bool = True
    """Keep the adapter at checkpoints after a merge. Without it those checkpoints cannot be resumed."""
    keep_lora_final: bool = True
    """Keep the adapter at the end after a merge."""
    merge_final_only: bool = False
    """Merge only at the end: saves time and disk space."""

    use_qlora: bool = False
    """QLoRA: hold the base model in 4 bits. Turns on load_in_4bit."""
    load_in_4bit: bool = False
    """Hold the base model in 4 bits."""
    load_in_8bit: bool = False
    """Hold the base model in 8 bits."""
    bnb_4bit_compute_dtype: Dtype = "bfloat16"
    """Numbers that 4-bit layers compute with."""
    bnb_4bit_quant_type: Literal["nf4", "fp4"] = "nf4"
    """How 4-bit weights are spaced; nf4 suits weights that are normally distributed."""
    bnb_4bit_use_double_quant: bool = True
    """Quantise the scales of the 4-bit weights too."""

    per_device_train_batch_size: PositiveInt = 10
    """Programs in one forward pass. Out of memory: 4, with gradient_accumulation_steps 8."""
    gradient_accumulation_steps: PositiveInt = 2
    """Forward passes that make one step."""
    learning_rate: PositiveFloat = 4e-4
    """Largest step size. 2e-4 to 5e-4 suits LoRA; 1e-4 when training does not converge."""
    encoder_learning_rate: MaybeRate = None
    """Largest step for the point encoder, which trains in full; use less for one that is trained already. Empty:
    learning_rate."""
    lr_scheduler_type: Literal[
        "cosine", "linear", "constant", "constant_with_warmup", "cosine_with_restarts", "cosine_with_min_lr",
        "polynomial", "inverse_sqrt", "warmup_stable_decay",
    ] = "cosine"  # fmt: skip
    """How the learning rate falls after the warm-up. cosine_with_min_lr: to a tenth; warmup_stable_decay: in the last
    fifth alone."""
    optim: Literal["adamw_torch_fused", "adamw_torch", "adamw_8bit", "paged_adamw_32bit", "paged_adamw_8bit",
                   "adafactor", "lion_8bit", "sgd"] = "adamw_torch_fused"  # fmt: skip
    """The optimizer. The 8-bit ones need a quarter of the memory for its moments; paged ones leave a full GPU."""
    weight_decay: NonNegativeFloat = 0.01
    """Pull of the weights towards zero."""
    max_grad_norm: PositiveFloat = 1.0
    """Longer gradients are shortened to this length."""
    warmup_steps: NonNegativeInt = 1000
    """Steps in which the learning rate rises from zero."""
    max_steps: PositiveInt = 50_000
    """Steps of training."""
    num_train_epochs: MaybeRate = None
    """Passes over the training data, from which max_steps is then reckoned. Empty: max_steps itself counts."""
    do_eval: bool = False
    """Evaluate every eval_steps: loss on the validation data, and programs written for some of its clouds."""
    eval_steps: PositiveInt = 5000
    """Steps between evaluations."""
    eval_programs: NonNegativeInt = 8
    """Programs written at each evaluation, for the invalid ratio and the median IoU; the first three are kept."""
    load_best_model_at_end: bool = True
    """With do_eval: end with the weights of the best held-out parts. save_steps must be a multiple of eval_steps."""
    early_stopping: MaybeCount = None
    """End after so many evaluations in a row in which held-out parts were not better. Empty: never."""
    save_steps: PositiveInt = 10_000
    """Steps between checkpoints."""
    save_total_limit: MaybeCount = 5
    """Checkpoints that are kept; older ones are deleted. Empty keeps all."""
    logging_steps: PositiveInt = 50
    """Steps between entries of the loss."""
    resume_from_checkpoint: MaybeText = None
    """A checkpoint folder to continue from, or `last` for the newest complete one in model_save_path."""

    seed: Seed = 42
    """Same seed, same machine, same run."""
    mixed_precision: Precision = "bf16"
    """bf16, fp16 or no. A CPU trains in bf16 where it has AVX-512 BF16 or AMX, else in float32."""
    gradient_checkpointing: bool = False
    """Compute activations twice instead of storing them: less memory, about a third slower."""
    num_workers: NonNegativeInt = 4
    """Processes that prepare batches."""
    device: Device = "auto"
    """auto, cpu, cuda, cuda:1, mps."""

    experiment_name: MaybeText = None
    """Name of this run in the tracker."""
    report_to: Literal["none", "tensorboard", "trackio", "swanlab", "wandb"] = "none"
    """A tracker that gets the figures too, offline, in the run folder (WANDB_MODE=online, SWANLAB_MODE=cloud: send)."""
    force: bool = False
    """Train even where less memory is free than the training is expected to need."""
    hub_model_id: MaybeText = None
    """Push the adapter at the end to this private repository of the hub, owner/name. Needs `hf auth login`."""
    use_swanlab: bool = False
    """The guide's spelling of report_to: swanlab."""

    @property
    def quantization(self) -> Literal["4bit", "8bit"] | None:
        """How the base model is held while training."""
        if self.use_qlora or self.load_in_4bit:
            return "4bit"
        return "8bit" if self.load_in_8bit else None

    @property
    def ranks(self) -> dict[str, int]:
        """`rank_pattern` by layer."""
        return {name: int(rank) for name, _, rank in (entry.partition("=") for entry in self.rank_pattern)}

    @property
    def changes_base(self) -> bool:
        """Whether the adapter begins as a part of the base, which is then trained without that part."""
        return self.init_lora_weights in ("pissa", "olora", "loftq")

    @property
    def merge_at_checkpoints(self) -> bool:
        """Whether each checkpoint gets a merged_model/ of its own."""
        return self.auto_merge_lora and not self.merge_final_only

    @property
    def keep_best(self) -> bool:
        """Whether the weights of the best evaluation are restored at the end."""
        return self.do_eval and self.load_best_model_at_end

    @property
    def tracker(self) -> str:
        """Where figures go besides the run folder, or `none`."""
        return "swanlab" if self.use_swanlab else self.report_to

    def contradictions(self) -> Iterator[Contradiction]:
        yield from self._contradictions_of_saving()
        yield from self._contradictions_of_adapter()
        if self.load_in_8bit and (self.load_in_4bit or self.use_qlora):
            four = "use_qlora" if self.use_qlora else "load_in_4bit"
            yield (
                (four, "load_in_8bit"),
                Message("{four} holds the base in 4 bits, load_in_8bit in 8: turn one off.", four=four),
            )
        if self.max_seq_length <= self.n_points:
            yield (
                ("max_seq_length", "n_points"),
                Message(
                    "max_seq_length ({max_seq_length}) has no room for a program after n_points ({n_points}): the "
                    "guide uses {guide}.",
                    max_seq_length=self.max_seq_length,
                    n_points=self.n_points,
                    guide=self.n_points + 768,
                ),
            )
        if self.use_swanlab and self.report_to not in ("none", "swanlab"):
            yield (
                ("use_swanlab", "report_to"),
                Message("use_swanlab and report_to: {name} name two trackers.", name=self.report_to),
            )

    def _contradictions_of_adapter(self) -> Iterator[Contradiction]:
        unknown = [name for name in self.lora_target_modules if name not in LORA_TARGETS]
        if unknown:
            yield (
                ("lora_target_modules",),
                Message(
                    "lora_target_modules has {names}; the layers to choose from: {layers}.",
                    names=", ".join(unknown),
                    layers=", ".join(LORA_TARGETS),
                ),
            )
        stray = [name for name in self.ranks if name not in self.lora_target_modules]
        if stray:
            yield (
                ("rank_pattern", "lora_target_modules"),
                Message("rank_pattern has {names}, which lora_target_modules has not.", names=", ".join(stray)),
            )
        if self.init_lora_weights == "loftq" and self.quantization != "4bit":
            yield (
                ("init_lora_weights", "use_qlora", "load_in_4bit"),
                Message("init_lora_weights loftq makes up for 4 bits: set use_qlora true, or take pissa."),
            )
        if self.init_lora_weights in ("pissa", "olora") and self.quantization is not None:
            yield (
                ("init_lora_weights", "use_qlora", "load_in_4bit", "load_in_8bit"),
                Message(
                    "init_lora_weights {name} needs the base in full precision: take loftq with use_qlora.",
                    name=self.init_lora_weights,
                ),
            )
        if self.changes_base and (self.use_dora or self.use_rslora):
            yield (
                ("init_lora_weights", "use_dora", "use_rslora"),
                Message("init_lora_weights {name} goes with plain LoRA alone.", name=self.init_lora_weights),
            )

    def _contradictions_of_saving(self) -> Iterator[Contradiction]:
        if self.keep_best and self.save_steps % self.eval_steps:
            multiple = self.eval_steps * math.ceil(self.save_steps / self.eval_steps)
            yield (
                ("do_eval", "load_best_model_at_end", "save_steps", "eval_steps"),
                Message(
                    "save_steps ({save_steps}) must be a multiple of eval_steps ({eval_steps}), so that the best "
                    "evaluation has a checkpoint: use save_steps {multiple}, or no load_best_model_at_end.",
                    save_steps=self.save_steps,
                    eval_steps=self.eval_steps,
                    multiple=multiple,
                ),
            )
        if self.early_stopping is not None and not self.keep_best:
            yield (
                ("early_stopping", "do_eval", "load_best_model_at_end"),
                Message("early_stopping needs do_eval and load_best_model_at_end, which say what is best."),
            )
        if self.merge_final_only and not self.auto_merge_final:
            yield (
                ("merge_final_only", "auto_merge_final"),
                Message(
                    "merge_final_only asks for a merge at the end and auto_merge_final forbids it: change one of them."
                ),
            )
        if not self.keep_lora_final and not self.auto_merge_final:
            yield (
                ("keep_lora_final", "auto_merge_final"),
                Message("with keep_lora_final and auto_merge_final both false nothing would be left at the end."),
            )
        if self.keep_best and self.merge_at_checkpoints and not self.keep_lora_only:
            yield (
                ("do_eval", "load_best_model_at_end", "keep_lora_only", "auto_merge_lora", "merge_final_only"),
                Message(
                    "load_best_model_at_end needs the adapters that keep_lora_only=false deletes from the checkpoints."
                ),
            )

    def advice(self) -> list[str]:
        """Settings that are possible but rarely meant, in words; for the log and the form."""
        words = []
        if self.warmup_steps >= self.max_steps and self.num_train_epochs is None:
            words.append(
                Message(
                    "The warm-up ({warmup_steps} steps) is not over when training ends ({max_steps} steps): try "
                    "warmup_steps {better}.",
                    warmup_steps=self.warmup_steps,
                    max_steps=self.max_steps,
                    better=max(1, self.max_steps // 20),
                )
            )
        if self.learning_rate > 2e-3:
            words.append(
                Message(
                    "learning_rate {learning_rate:g} is far above the 2e-4 to 5e-4 that suit LoRA.",
                    learning_rate=self.learning_rate,
                )
            )
        if self.lora_alpha < self.lora_r:
            words.append(
                Message(
                    "lora_alpha ({lora_alpha}) is below lora_r ({lora_r}); twice lora_r is usual.",
                    lora_alpha=self.lora_alpha,
                    lora_r=self.lora_r,
                )
            )
        return words
