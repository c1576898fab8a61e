"""No edge ends where it begins."""

import pytest

from cadrecode.model.decode import generate
from cadrecode.model.load import EMBEDDED, load_tokenizer
from cadrecode.model.mask import EdgeMask

from .tiny import PATCH, learn, make_batch, make_model

HEAD = "import cadquery as cq\nw0=cq.Workplane('XY',origin=(0,0,0))\nr=w0.sketch()"


@pytest.fixture(scope="module")
def numbers():
    """The embedded base's tokenizer."""
    return load_tokenizer(EMBEDDED, "qwen3", "embedded")


@pytest.mark.parametrize(
    ("written", "forbidden"),
    [
        (".segment((-3,7),(-3,", ["7"]),
        (".segment((-3,7),(4,", []),
        (".segment((-3,7),(4,7)).segment((4,", ["7"]),
        (".segment((-3,7),(4,7)).segment((-3,", []),  # closing a loop of two lines is the parser's business
        (".segment((-3,7),(4,7)).arc((4,", ["7"]),
        (".segment((-3,7),(4,8)).arc((9,9),(4,", ["8"]),
        (".arc((1,2),(1,5),(1,", ["5", "2"]),
        (".segment((", []),
        ("", []),
    ],
)
def test_the_other_end_of_an_edge_is_forbidden(numbers, written, forbidden):
    ids = numbers(HEAD + written, add_special_tokens=False)["input_ids"]
    found = EdgeMask.of(numbers).forbidden(ids)
    assert numbers.convert_ids_to_tokens(found) == forbidden


def test_a_model_that_wants_to_stand_still_has_to_move(numbers):
    still = ".segment((1,2),(1,2))"
    model = make_model(numbers, encoder=PATCH)
    batch = make_batch(model, numbers, [still])
    learn(model, batch)
    assert generate(model, numbers, batch["point_cloud"], mask_edges=False) == [still]
    (moved,) = generate(model, numbers, batch["point_cloud"])
    assert moved.startswith(".segment((1,2),(1,")
    assert not moved.startswith(still)


def test_it_is_not_for_tokenizers_that_spell_numbers(tokenizer):
    assert EdgeMask.of(tokenizer) is None
