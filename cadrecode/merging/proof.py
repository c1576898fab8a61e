"""Whether a merged model answers as base and adapters do, checked from the files alone, in a process of its own.

    python -m cadrecode.merging.proof

Reads questions from its input, a line of JSON each, with the file for the answer, and writes a line when it is there.

Everything is computed in float32, with a layer in memory at a time. A sum that is stored in 16 bits cannot have the
logits of base and adapters within a thousandth, because its weights have three digits. So two things are shown: the
sum, before it is rounded, has those logits; and what is stored is that sum, rounded, bit by bit.
"""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from cadrecode.errors import ModelError
from cadrecode.merging.asking import DONE
from cadrecode.merging.lazy import Stored, Tensors, empty_network, run_from
from cadrecode.merging.plan import Adapters, Sums, stored_dtypes
from cadrecode.model.load import read_base

MERGE_TOLERANCE = 1e-3  # largest logit difference, relative to the largest logit; float32 rounding is about 1e-6
ROUNDED_TOLERANCE = 100 * MERGE_TOLERANCE  # for the sum in 16 bits
PROBED = 17  # positions whose logits are compared: START and 16 tokens


def prove(base_name: str | None, adapter: Adapters, merged: Path) -> dict[str, float]:
    """Compare a merged model with base and adapters.

    Returns: {"difference", "largest", "rounding"}: the figures of `plan.MergeCheck`.
    Raises: ModelError: they differ, and in what.
    """
    sums, written = Sums(base_name, adapter), read_base(merged)
    if set(written.weights.shapes) != set(sums.shapes):
        astray = sorted(set(written.weights.shapes) ^ set(sums.shapes))
        raise ModelError(
            "The merged model's tensors are not the base's: {n} differ, for example {tensor}.",
            n=len(astray),
            tensor=astray[0],
        )
    before = probe(sums.working(), Stored(sums.base.weights))
    after = {"difference": probe(empty_network(sums.base), sums)}
    after["rounding"] = probe(empty_network(written), Stored(written.weights))
    largest, dtypes = before.abs().max().item(), stored_dtypes(sums)
    rounded = any(dtype != torch.float32 for dtype in dtypes.values())
    tolerances = {"difference": MERGE_TOLERANCE, "rounding": ROUNDED_TOLERANCE if rounded else MERGE_TOLERANCE}
    seen = {name: (before - logits).abs().max().item() for name, logits in after.items()}
    for name, difference in seen.items():
        if not difference <= tolerances[name] * max(1.0, largest):
            raise ModelError(
                "The merged model does not answer as base and adapter do: logits differ by {difference:.3g} "
                "(the largest is {largest:.3g}). Nothing is written.",
                difference=difference,
                largest=largest,
            )
    fetch = Stored(written.weights)
    for key in sums.shapes:
        if not all(torch.equal(was, is_.to(dtypes[key])) for was, is_ in zip(fetch.pieces(key), sums.pieces(key))):
            raise ModelError(
                "The merged model does not hold the sum of base and adapter in {name}. Nothing is written.", name=key
            )
    return {**seen, "largest": largest}


@torch.inference_mode()
def probe(network: PreTrainedModel, fetch: Tensors) -> torch.Tensor:
    """(2, PROBED, V) float32 logits after seeded clouds.

    Args:
        network: without weights, which `fetch` gives.
    """
    run_from(network, fetch)
    settings, generator = network.point_settings, torch.Generator().manual_seed(0)
    clouds = torch.rand(2, settings.n_points, settings.columns, generator=generator) * 2 - 1
    words = torch.randint(network.config.vocab_size, (2, PROBED - 1), generator=generator)
    ids = torch.cat((torch.full((2, 1), network.config.bos_token_id), words), dim=1)
    embeds = torch.cat((network.point_encoder(clouds), network.get_input_embeddings()(ids)), dim=1)
    # No logits of the points' own positions: at 151,936 tokens they would be as large as many layers.
    return network(inputs_embeds=embeds, use_cache=False, logits_to_keep=PROBED).logits


def answer_to(question: dict[str, Any]) -> dict[str, Any]:
    """Answer `plan` in another process: `base`, `adapter`, `merged` in, the figures or a `refusal` out."""
    try:
        return prove(question["base"], question["adapter"], Path(question["merged"]))
    except ModelError as error:
        return {"refusal": error.message.to_json()}


def main() -> None:
    for line in sys.stdin:
        question = json.loads(line)
        seen = answer_to(question)
        Path(question["answer"]).write_text(json.dumps(seen), encoding="utf-8")
        print(DONE, flush=True)
        gc.collect()


if __name__ == "__main__":
    main()
