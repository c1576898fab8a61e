"""A Qwen2 or Qwen3 language model that also reads point clouds.

The config stays a flat Qwen config with one more entry, `point_encoder`, and the weights one more group,
`point_encoder.*`: the layout of CAD-Recode's checkpoints, so theirs load here and ours load there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint
from transformers import (
    Cache,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)
from transformers import initialization as init
from transformers.modeling_outputs import CausalLMOutputWithPast

from cadrecode.errors import ModelError
from cadrecode.model.encoder import PointEncoderSettings, build_point_encoder
from cadrecode.model.tokens import END, PAD, START

IGNORED = -100  # a label that does not count in the loss
LOGITS_BYTES = 256 * 2**20  # float32 logits held at once by the loss; 151,936 tokens make 0.6 MB a position


class PointCloudMixin(PreTrainedModel if TYPE_CHECKING else object):
    """Point clouds for a Qwen causal language model. Comes before the Qwen class among the parents.

    A prompt is `n_point_tokens` slots, then START. The slots have a mask of their own: CAD-Recode's demo marked them
    with attention_mask = -1, which turns position ids negative in cached decoding on transformers >= 5.2.
    """

    _keep_in_fp32_modules_strict = frozenset({"point_encoder"})  # in bf16 a coordinate would have 3 digits
    _keys_to_ignore_on_load_unexpected = frozenset({r"point_encoder\.frequencies"})  # some checkpoints saved the buffer

    def __init__(self, config: PretrainedConfig, *args: Any, **kwargs: Any):
        super().__init__(config, *args, **kwargs)
        self.point_settings = PointEncoderSettings.of(getattr(config, "point_encoder", None))
        config.point_encoder = self.point_settings.to_dict()
        self.point_encoder = build_point_encoder(self.point_settings, config.hidden_size)
        self.after_points: list[int] = []  # tokens in place of START, for a base that was trained in a chat
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        # transformers calls this for whatever a checkpoint lacks: for the whole encoder, if the base is a plain
        # language model. Its `init` does not touch what was read from a file.
        if hasattr(module, "fresh_std"):
            init.normal_(module.weight, std=module.fresh_std)
            init.zeros_(module.bias)
        else:
            super()._init_weights(module)

    @property
    def n_point_tokens(self) -> int:
        """Slots of a cloud in the prompt."""
        return self.point_settings.n_tokens

    def prompt_embeds(self, point_cloud: torch.Tensor, start_token_id: int) -> torch.Tensor:
        """The prompt of each cloud: (B, N, 3) MODEL -> (B, n_point_tokens + 1, hidden); longer with `after_points`."""
        tokens = torch.tensor([self.after_points or [start_token_id]], device=self.device)
        start = self.get_input_embeddings()(tokens.expand(len(point_cloud), -1))
        points = self.point_encoder(point_cloud.to(self.device)).to(start.dtype)
        return torch.cat((points, start), dim=1)

    def _embed(
        self, input_ids: torch.Tensor, point_cloud: torch.Tensor | None, point_mask: torch.Tensor | None
    ) -> torch.Tensor:
        """Tokens (B, T), with those of the cloud in the slots of `point_mask` -> (B, T, hidden)."""
        words = self.get_input_embeddings()(input_ids)
        if point_cloud is None:
            return words
        if point_mask is None:
            raise ModelError("A point cloud needs a point_mask (B, T) that says which slots it fills.")
        points = self.point_encoder(point_cloud).to(words.dtype)  # (B, n_tokens, hidden)
        slots = point_mask.sum(dim=1)
        if (slots != points.shape[1]).any():
            raise ModelError(
                "The rows have {slots} point slots; each needs {n}.", slots=slots.tolist(), n=points.shape[1]
            )
        # Out of place: writing into embeddings fails under enable_input_require_grads.
        return words.masked_scatter(point_mask.unsqueeze(-1), points)

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        point_cloud: torch.Tensor | None = None,
        point_mask: torch.Tensor | None = None,
        inputs_embeds: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        loss_weights: torch.Tensor | None = None,
        cache: Cache | None = None,
        position_ids: torch.Tensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | torch.Tensor = 0,
        return_logits: bool | None = None,
        num_items_in_batch: torch.Tensor | int | None = None,
        **kwargs: Any,
    ) -> CausalLMOutputWithPast:
        """Predict the next token at every position, or compute the loss of the labels.

        Args:
            input_ids: (B, T) int64, with any token in the point slots. Or give `inputs_embeds` (B, T, hidden).
            attention_mask: (B, T) of 0 and 1; padding on either side.
            point_cloud: (B, N, 3) float, MODEL.
            point_mask: (B, T) bool, with n_point_tokens True in each row.
            labels: (B, T) int64, aligned with input_ids (the shift happens here); IGNORED where there is no label.
            loss_weights: (B, T) float, what each label's loss is multiplied by in training; evaluations ignore it.
            return_logits: with labels, also return (B, T, V) logits. Without it only labelled positions are multiplied
                with the vocabulary, some at a time, which saves the largest tensor of a plain training step.
            num_items_in_batch: the divisor of the summed loss; the labelled positions of this batch by default.
        Raises: ModelError: the number of slots is not that of the cloud's tokens.
        """
        if inputs_embeds is None:
            inputs_embeds = self._embed(input_ids, point_cloud, point_mask)
        if position_ids is None and attention_mask is not None and attention_mask.dim() == 2:
            # Positions count from the first real token, so that padding on the left does not shift them.
            position_ids = (attention_mask.long().cumsum(-1) - 1).clamp(min=0)[:, -inputs_embeds.shape[1] :]
        if labels is not None and use_cache is None:
            use_cache = False
        kwargs.pop("return_dict", None)
        outputs = self.model(
            inputs_embeds=inputs_embeds,
            attention_mask=attention_mask,
            position_ids=position_ids,
            cache=cache,
            use_cache=use_cache,
            **kwargs,
        )
        hidden = outputs.last_hidden_state
        weights = loss_weights if self.training else None
        loss = None if labels is None else self._loss(hidden, labels, weights, num_items_in_batch)
        logits = None
        if labels is None or return_logits:
            positions = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
            logits = self.lm_head(hidden[:, positions])
        return CausalLMOutputWithPast(
            loss=loss,
            logits=logits,
            cache=outputs.cache,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
        )

    def _loss(
        self,
        hidden: torch.Tensor,
        labels: torch.Tensor,
        weights: torch.Tensor | None,
        n_items: torch.Tensor | int | None,
    ) -> torch.Tensor:
        """Cross-entropy of the labels: (B, T, hidden), (B, T), weights (B, T) or none -> (), float32."""
        if weights is None:
            weights = torch.ones_like(labels, dtype=torch.float32)
        targets = labels[:, 1:].flatten()  # (B * (T - 1),)
        labelled = (targets != IGNORED).nonzero().squeeze(-1)
        targets, weights = targets[labelled], weights[:, 1:].flatten()[labelled]  # (K,)
        hidden = hidden[:, :-1].flatten(0, 1).index_select(0, labelled)  # (K, hidden)
        rows = max(1, LOGITS_BYTES // (4 * self.config.vocab_size))
        if len(targets) <= rows:
            total = self._summed_loss(hidden, targets, weights)
        else:  # recompute the logits of each piece in the backward pass
            pieces = zip(hidden.split(rows), targets.split(rows), weights.split(rows))
            total = sum(checkpoint(self._summed_loss, *piece, use_reentrant=False) for piece in pieces)
        if n_items is None:
            n_items = max(1, len(targets))
        elif torch.is_tensor(n_items):
            n_items = n_items.to(total.device)
        return total / n_items

    def _summed_loss(self, hidden: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """(K, hidden), (K,), (K,) -> ()."""
        return (functional.cross_entropy(self.lm_head(hidden).float(), targets, reduction="none") * weights).sum()


class Qwen2WithPoints(PointCloudMixin, Qwen2ForCausalLM):
    """CAD-Recode v1 and v1.5, CADReasoner without its eyes, and any Qwen2 or Qwen2.5 base."""


class Qwen3WithPoints(PointCloudMixin, Qwen3ForCausalLM):
    """The embedded base, and any Qwen3 base."""


NETWORKS = {"qwen2": Qwen2WithPoints, "qwen3": Qwen3WithPoints}  # by a config's model_type


def new_model(
    tokenizer: PreTrainedTokenizerBase,
    *,
    hidden_size: int,
    num_hidden_layers: int,
    intermediate_size: int | None = None,
    head_dim: int = 32,
    num_attention_heads: int | None = None,
    num_key_value_heads: int | None = None,
    max_position_embeddings: int = 1024,
    point_encoder: dict | None = None,
) -> Qwen3WithPoints:
    """A fresh model to pretrain: Qwen3's architecture with tied embeddings. Deterministic under torch.manual_seed.

    Args:
        tokenizer: its size and the ids of START, END and PAD go into the config.
        intermediate_size: by default 3 x hidden_size.
        num_attention_heads: by default hidden_size / head_dim.
        num_key_value_heads: by default half of the attention heads, if their number is even.
        point_encoder: see PointEncoderSettings; by default the patch encoder.
    Raises: ModelError: impossible encoder settings.
    """
    heads = num_attention_heads or max(1, hidden_size // head_dim)
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=hidden_size,
        intermediate_size=intermediate_size or 3 * hidden_size,
        num_hidden_layers=num_hidden_layers,
        num_attention_heads=heads,
        num_key_value_heads=num_key_value_heads or (heads // 2 if heads % 2 == 0 else heads),
        head_dim=head_dim,
        tie_word_embeddings=True,
        max_position_embeddings=max_position_embeddings,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        bos_token_id=tokenizer.convert_tokens_to_ids(START),
        eos_token_id=tokenizer.convert_tokens_to_ids(END),
        pad_token_id=tokenizer.convert_tokens_to_ids(PAD),
        point_encoder=PointEncoderSettings.of(point_encoder or {"kind": "patch"}).to_dict(),
    )
    return Qwen3WithPoints(config)
