"""What a base makes of somebody's programs before any training: its loss on their texts, as they are and respelled.

    python -m benchmarks.spelling --programs FILE.jsonl.gz [--count 200] [--base embedded]

Clouds come from the programs' own surfaces. A loss that falls by respelling was about ways of writing, not of shapes.
"""

from __future__ import annotations

import argparse
import json

import torch

from cadrecode.data.batches import Collate, Views, encode
from cadrecode.data.dataset import load_programs
from cadrecode.model.load import load_model

BATCH = 8


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--programs", required=True, help="a source of programs, as train_data_path")
    arguments.add_argument("--count", type=int, default=200, help="programs, drawn at random [200]")
    arguments.add_argument("--base", default="embedded")
    options = arguments.parse_args()
    model, tokenizer = load_model(options.base, device="cpu", dtype=torch.float32)
    for respell in (False, True):
        programs = load_programs(options.programs, limit=options.count, respell=respell)
        print(json.dumps({"respelled": respell, **losses(model, tokenizer, programs)}))


@torch.inference_mode()
def losses(model, tokenizer, programs) -> dict[str, float]:
    """Means over all tokens, and over texts of the mean over each one's."""
    room = model.config.max_position_embeddings - model.n_point_tokens
    encoded, report = encode(programs, tokenizer, room)
    encoded.sort(key=lambda entry: len(entry.tokens))
    views, collate = (
        Views(encoded, model.point_settings.n_points),
        Collate(tokenizer.pad_token_id, model.n_point_tokens),
    )
    sums, counts = [], []
    for start in range(0, len(views), BATCH):
        batch = collate([views[i] for i in range(start, min(start + BATCH, len(views)))])
        labels = batch.pop("labels")[:, 1:]
        logits = model(**batch).logits[:, :-1]
        loss = torch.nn.functional.cross_entropy(logits.transpose(1, 2), labels, reduction="none")
        sums += loss.sum(dim=1).tolist()
        counts += (labels != -100).sum(dim=1).tolist()
    means = [total / count for total, count in zip(sums, counts)]
    return {
        "texts": report.used,
        "tokens_per_text": round(sum(counts) / len(counts), 1),
        "loss_per_token": round(sum(sums) / sum(counts), 3),
        "mean_of_texts": round(sum(means) / len(means), 3),
        "median_of_texts": round(sorted(means)[len(means) // 2], 3),
    }


if __name__ == "__main__":
    main()
