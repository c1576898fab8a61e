"""A tokenizer that knows one character a word."""

import pytest
import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from cadrecode.model.tokens import END, PAD, START

ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789.,()=-'_ W"


@pytest.fixture(autouse=True)
def _seeded(one_thread):
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    words = [PAD, START, END, "?", *ALPHABET]
    core = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="?"))
    core.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    core.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token=START, eos_token=END, pad_token=PAD, unk_token="?", padding_side="left"
    )
