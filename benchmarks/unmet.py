"""Tokens that a base has never met: its embeddings of them grow together, so that it cannot tell one from another.

    python -m benchmarks.unmet [--model embedded]

Why decimals are spelled in integers to the embedded base: see `cadrecode/model/tokens.py`.
"""

import argparse

import torch

from cadrecode.model.load import load_model

ALIKE = 0.9  # cosine from which on two embeddings count as the same
OF_INTEREST = ("+", "-", ".", ".5", "300", "31", "-2", ",", ")")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--unmet", default="q", help="a token that is in no program of the language")
    options = parser.parse_args()
    model, tokenizer = load_model(options.model, device="cpu", dtype=torch.float32)
    rows = torch.nn.functional.normalize(model.get_output_embeddings().weight.detach(), dim=1)
    likeness = rows @ rows[tokenizer.convert_tokens_to_ids(options.unmet)]
    alike = likeness > ALIKE
    least = likeness[alike].min()
    print(f"{alike.sum()} of {len(rows)} tokens are like {options.unmet!r}, with a cosine of {least:.3f} or more")
    for token in OF_INTEREST:
        index = tokenizer.convert_tokens_to_ids(token)
        if index != tokenizer.unk_token_id:
            print(f"  {token:4} {likeness[index]:.3f}")


if __name__ == "__main__":
    main()
