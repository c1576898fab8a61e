"""From point clouds to program texts: a pass over the prompts, then a token at a time with a cache.

The loop is our own. All prompts are equally long (points, then START), so no row needs padding or a mask; rows that
have ended are dropped; a request to stop is seen after every token. `generate` of transformers does none of the three,
and calls every module of the network for each token: see `FastDecoder`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from transformers import DynamicCache, PreTrainedModel, PreTrainedTokenizerBase

from cadrecode.model.decoder import FastDecoder, PlainDecoder, decoder_of
from cadrecode.model.mask import EdgeMask, GrammarMask, grammar_mask
from cadrecode.model.tokens import START, decode_program, integer_tokens

if TYPE_CHECKING:
    from peft import PeftModel

MAX_NEW_TOKENS = 768  # CAD-Recode's
READINGS = 8  # of a cloud, for a greedy program of the embedded base: half of 8,192 points, in place of 512
Pick = Callable[[torch.Tensor, list[int]], torch.Tensor]  # (rows, V) logits and the rows' numbers -> (rows,) int64


@torch.inference_mode()
def generate(
    model: PreTrainedModel | PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    clouds: torch.Tensor | np.ndarray,
    *,
    temperature: float | Sequence[float] = 0.0,
    max_new_tokens: int = MAX_NEW_TOKENS,
    seed: int = 0,
    mask_edges: bool = True,
    grammar: bool = False,
    again: Sequence[int] = (),
    stop: Callable[[], bool] | None = None,
    on_token: Callable[[int, int], None] | None = None,
) -> list[str]:
    """Write a program for each cloud.

    Args:
        model: a network of ours, or one that PEFT wraps; in eval mode while it writes.
        clouds: (B, N, 3) float, MODEL; the same cloud B times, or B draws from it, for B candidates. After them one for
            each row in `again`.
        temperature: 0 takes the likeliest token; a higher temperature is bolder. A number for all rows, or B numbers.
        max_new_tokens: longer programs are cut here, and where the model's positions end.
        seed: the same seed, clouds and settings give the same programs.
        mask_edges: never write an edge that ends where it begins; see `EdgeMask` for the tokenizers that allow it.
        grammar: write only what `program.grammar` allows; see `GrammarMask`.
        again: greedy rows that read further draws of their cloud, one each time they are named: the tokens of such a
            row follow the mean of the logarithms of the probabilities, so that a count does not hang on 512 points.
        stop: called after every token; once it returns True, unfinished programs are given up, and are empty texts.
        on_token: called after every token with (tokens so far, rows that go on).
    Returns: B texts, without special tokens.
    """
    network = model.get_base_model() if hasattr(model, "get_base_model") else model
    training = model.training
    model.eval()
    written = len(clouds) - len(again)
    temperatures = np.concatenate((np.broadcast_to(temperature, written), np.zeros(len(again))))
    try:
        rows = _decode(
            network,
            torch.as_tensor(clouds, dtype=torch.float32),
            start_id=tokenizer.convert_tokens_to_ids(START),
            end_id=network.config.eos_token_id,
            owners=[*range(written), *again],
            pick=_picker(temperatures, seed),
            edges=EdgeMask.of(tokenizer) if mask_edges else None,
            grammar=grammar_mask(tokenizer) if grammar else None,
            max_new_tokens=max_new_tokens,
            stop=stop,
            on_token=on_token,
        )
    finally:
        model.train(training)
    return [decode_program(tokenizer, row) for row in rows[:written]]


def draw(
    model: PreTrainedModel | PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    clouds: torch.Tensor | np.ndarray,
    **options: Any,
) -> list[str]:
    """`generate`, which keeps to the grammar where `follows_grammar` says so."""
    return generate(model, tokenizer, clouds, grammar=follows_grammar(tokenizer), **options)


def follows_grammar(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether `draw` keeps to the grammar: where each integer is a token.

    Such a base makes no error of syntax, but its adapters spell what it never wrote, such as `rarray`, in letters whose
    embeddings are nearly equal: the likeliest letter is right, one that is drawn at random is any of them.
    """
    return bool(integer_tokens(tokenizer))


def further_readings(tokenizer: PreTrainedTokenizerBase) -> int:
    """How often a greedy program's cloud is read again: by the embedded base alone, which is small."""
    return READINGS - 1 if integer_tokens(tokenizer) else 0


def _decode(
    network: PreTrainedModel,
    clouds: torch.Tensor,
    *,
    start_id: int,
    end_id: int,
    owners: Sequence[int],
    pick: Pick,
    edges: EdgeMask | None,
    grammar: GrammarMask | None,
    max_new_tokens: int,
    stop: Callable[[], bool] | None,
    on_token: Callable[[int, int], None] | None,
) -> list[list[int]]:
    """The tokens of each row, without the end's.

    Args:
        owners: the row whose program each row writes: its own, or another's that it helps.
    """
    embeds = network.prompt_embeds(clouds, start_id)  # (B, n_tokens + 1 or more, hidden)
    max_new_tokens = min(max_new_tokens, network.config.max_position_embeddings - embeds.shape[1])
    embed, cache = network.get_input_embeddings(), DynamicCache(config=network.config)
    decoder: FastDecoder | PlainDecoder = PlainDecoder(network, cache)
    rows: list[list[int]] = [[] for _ in range(len(clouds))]
    alive = list(range(len(clouds)))  # the row of the batch that each row of the cache belongs to
    states = [grammar.start] * len(clouds) if grammar is not None else []
    is_read_again = len(set(owners)) < len(owners)
    for count in range(1, max_new_tokens + 1):
        logits = decoder(embeds)  # (rows alive, V)
        if count == 1:
            decoder = decoder_of(network, cache)
        if grammar is not None:
            logits = grammar.restrict(logits, [states[row] for row in alive])
        if edges is not None:
            for place, row in enumerate(alive):
                for token in edges.forbidden(rows[row]):
                    logits[place, token] = -torch.inf
        if is_read_again:
            logits = _together(logits, [owners[row] for row in alive])
        tokens = pick(logits, alive)  # (rows alive,)
        written = tokens.tolist()  # here alone the processor waits for the device
        for row, token in zip(alive, written):
            if token != end_id:
                rows[row].append(token)
                if grammar is not None:
                    states[row] = grammar.read(states[row], token)
        if end_id in written:
            going = [place for place, token in enumerate(written) if token != end_id]
            alive = [alive[place] for place in going]
            rows_left = torch.tensor(going, dtype=torch.long, device=tokens.device)
            decoder.keep(rows_left)
            tokens = tokens[rows_left]
        if on_token is not None:
            on_token(count, len({owners[row] for row in alive}))
        if not alive:
            break
        if stop is not None and stop():
            for row in alive:
                rows[row].clear()
            break
        embeds = embed(tokens.unsqueeze(1))
    return rows


def _together(logits: torch.Tensor, owners: Sequence[int]) -> torch.Tensor:
    """(rows, V) logits -> (rows, V) mean logarithms of the probabilities over the rows of each owner."""
    index = torch.tensor(owners, device=logits.device)
    sums = torch.zeros(max(owners) + 1, logits.shape[1], device=logits.device)
    sums.index_add_(0, index, logits.float().log_softmax(dim=-1))
    return (sums / index.bincount().clamp(min=1).unsqueeze(1))[index]


def _picker(temperatures: np.ndarray, seed: int) -> Pick:
    """The function that chooses the next tokens.

    Args:
        temperatures: (B,), of every row of the batch, ended or not.
    """
    generator = torch.Generator().manual_seed(seed)
    n_sampled = np.count_nonzero(temperatures > 0)
    order = np.cumsum(temperatures > 0) - 1  # of a sampled row among the sampled rows

    def pick(logits: torch.Tensor, alive: list[int]) -> torch.Tensor:
        sampled = [place for place, row in enumerate(alive) if temperatures[row] > 0]
        if not sampled:
            return logits.argmax(dim=-1)
        # A draw for every sampled row of the batch, ended or not, made on the CPU: so what a row writes depends neither
        # on when the other rows end nor on the device.
        draws = torch.rand(n_sampled, generator=generator)
        rows = [alive[place] for place in sampled]
        draws = draws[order[rows]].to(logits.device)
        warmth = torch.tensor(temperatures[rows], dtype=torch.float32, device=logits.device).unsqueeze(-1)
        if len(sampled) == len(alive):
            return _sampled(logits.float() / warmth, draws)
        tokens = logits.argmax(dim=-1)
        tokens[sampled] = _sampled(logits[sampled].float() / warmth, draws)
        return tokens

    return pick


def _sampled(logits: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
    """(rows, V) logits and (rows,) draws from [0, 1) -> (rows,) int64: tokens by their probabilities."""
    reached = logits.softmax(dim=-1).cumsum(dim=-1)  # (rows, V)
    # The token at which the sum of the rounded probabilities is 1 is the last that can be drawn.
    last = (reached < 1).sum(dim=-1, keepdim=True).clamp(max=logits.shape[-1] - 1)
    place = torch.searchsorted(reached, draws.unsqueeze(-1) * reached.gather(-1, last), right=True)
    return torch.minimum(place, last).squeeze(-1)
