"""Tiny models, batches for them, and a way to teach them one batch."""

import torch
from transformers import Qwen2Config, Qwen3Config

from cadrecode.model.network import Qwen2WithPoints, Qwen3WithPoints
from cadrecode.model.tokens import END, PAD, START

SIZES = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 256,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
FOURIER = {"kind": "fourier", "n_points": 12}
PATCH = {"kind": "patch", "n_points": 40, "n_tokens": 6, "neighbours": 5, "layers": 1, "frequencies": 8}


def make_model(tokenizer, kind: str = "qwen3", encoder: dict = FOURIER, **more):
    """A fresh network of about 20,000 parameters; `more` goes into its config."""
    config, network = {"qwen2": (Qwen2Config, Qwen2WithPoints), "qwen3": (Qwen3Config, Qwen3WithPoints)}[kind]
    extra = {"head_dim": 16} if kind == "qwen3" else {}
    values = {**SIZES, **extra, "vocab_size": len(tokenizer), "tie_word_embeddings": True, **more}
    return network(config(**values, point_encoder=encoder)).eval()


def make_batch(model, tokenizer, texts: list[str], *, left: bool = True, seed: int = 0) -> dict:
    """A training batch: [padding] points START code END [padding], with random points in blocks."""
    n_slots = model.config.point_encoder["n_tokens"]
    n_points = model.config.point_encoder["n_points"]
    start, end, pad = tokenizer.convert_tokens_to_ids([START, END, PAD])
    rows = [[pad] * n_slots + [start, *tokenizer(text)["input_ids"], end] for text in texts]
    longest = max(map(len, rows))
    ids = torch.full((len(rows), longest), pad)
    attention, slots = torch.zeros_like(ids), torch.zeros_like(ids, dtype=torch.bool)
    labels = torch.full_like(ids, -100)
    for number, row in enumerate(rows):
        first = longest - len(row) if left else 0
        ids[number, first : first + len(row)] = torch.tensor(row)
        attention[number, first : first + len(row)] = 1
        slots[number, first : first + n_slots] = True
        code = slice(first + n_slots + 1, first + len(row))
        labels[number, code] = ids[number, code]
    sides = torch.stack([torch.tensor([1.0, 0.6, 0.2]).roll(row) for row in range(len(rows))])  # as unlike as parts are
    clouds = torch.rand(len(rows), n_points, 3, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    clouds = clouds * sides.unsqueeze(1)
    return {
        "input_ids": ids,
        "attention_mask": attention,
        "point_cloud": clouds,
        "point_mask": slots,
        "labels": labels,
    }


def learn(model, batch: dict, steps: int = 80, lr: float = 1e-2) -> float:
    """Train whatever asks for gradients on one batch; the loss at the end."""
    model.train()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=lr)
    for _ in range(steps):
        loss = model(**batch).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.eval()
    return loss.item()
