"""No edge ends where it begins, whatever the model would like to write."""

import numpy as np
import pytest
import torch

from cadrecode.model.decode import generate
from cadrecode.model.mask import EdgeMask
from cadrecode.model.tokens import build_tokenizer
from cadrecode.program import write
from cadrecode.program.invent import invent

from .tiny import learn, make_batch, make_model


@pytest.fixture(scope="module")
def programs():
    rng = np.random.default_rng(0)
    return [write(invent(rng)) for _ in range(300)]


@pytest.fixture(scope="module")
def words(programs):
    return build_tokenizer(programs)


def forbidden(words, text: str) -> list[str]:
    row = words(text, add_special_tokens=False)["input_ids"]
    return words.convert_ids_to_tokens(EdgeMask.of(words).forbidden(row))


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("w0.sketch().segment((1,2),(1,", ["2"]),
        ("w0.sketch().segment((1,2),(3,", []),
        ("w0.sketch().segment((1,2),(3,4)).segment((3,", ["4"]),
        ("w0.sketch().segment((1,2),(3,4)).segment((1,", []),  # back to the start may be meant
        ("w0.sketch().segment((1,2),(3,4)).arc((5,6),(3,", ["4"]),
        ("w0.sketch().segment((1,2),(3,4)).arc((3,6),(3,", ["6", "4"]),
        ("w0.sketch().arc((1,2),(3,4),(1,", ["2"]),
        ("w0.sketch().push([(1,2),(3,4),(1,", []),
        ("w0.sketch().push([(1,2),(1,", ["2"]),
        ("w0.sketch().segment((1,2.5),(1,", []),  # halves are let through
        ("w0.sketch().segment((1,2),(3,4)).close().assemble().face(w0.sketch().segment((3,", []),  # another loop
    ],
)
def test_what_may_not_come_next(words, text, ids):
    assert forbidden(words, text) == ids


def test_no_token_of_a_true_program_is_forbidden(words, programs):
    mask = EdgeMask.of(words)
    for text in programs:
        row = words(text, add_special_tokens=False)["input_ids"]
        for place, token in enumerate(row):
            assert token not in mask.forbidden(row[:place]), words.decode(row[: place + 1])


def test_a_tokenizer_that_spells_numbers_out_has_no_mask(tokenizer):
    assert EdgeMask.of(tokenizer) is None


def test_a_model_that_wants_to_write_such_an_edge_writes_another(words):
    """Taught by heart an edge without length, it writes that without the mask and cannot with it."""
    text = "r=w0.sketch().segment((1,2),(3,4)).segment((3,4)).close()"
    torch.manual_seed(0)
    model = make_model(words)
    batch = make_batch(model, words, [text])
    assert learn(model, batch) < 0.05
    assert generate(model, words, batch["point_cloud"], mask_edges=False) == [text]
    assert not generate(model, words, batch["point_cloud"])[0].startswith(text[: text.rindex(")).close")])
