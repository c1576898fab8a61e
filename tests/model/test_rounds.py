"""What the comparison of rounds and reward rests on (`benchmarks/rounds.py`)."""

import copy

import pytest
import torch

from benchmarks.rounds import INVALID, PRICE, advantages, better, learn, lessons, log_probabilities, reward_loss, worth
from cadrecode.data.pairs import Pair
from cadrecode.model.adapters import attach_lora
from cadrecode.program import build, parse
from cadrecode.scoring import build_text

from .tiny import PATCH, make_batch, make_model

LABEL = "import cadquery as cq\nr=cq.Workplane('XY').box({},{},{})"
RIGHT, NEAR, WRONG = (LABEL.format(200, 100, height) for height in (80, 76, 40))
BROKEN = "import cadquery as cq\nr=cq.Workplane('XY').box(200,"


@pytest.fixture(scope="module")
def part():
    return build(parse(RIGHT))


def test_a_program_is_worth_its_likeness_less_its_numbers(part):
    numbers = build_text(RIGHT).number_count
    assert numbers >= 3
    assert worth(RIGHT, part) == pytest.approx(1 - numbers * PRICE)
    assert worth(NEAR, part) == pytest.approx(0.95 - numbers * PRICE)
    assert worth(BROKEN, part) == worth("", part) == INVALID


def test_the_better_of_label_and_draw_is_kept(part):
    kept = better(WRONG, [BROKEN, WRONG, RIGHT, NEAR], part)
    assert worth(kept, part) == pytest.approx(worth(RIGHT, part))
    assert better(RIGHT, [NEAR, RIGHT, BROKEN], part) == RIGHT
    assert better("", [WRONG, BROKEN], part) == ""  # a label that is wrong is worse than none
    assert worth(better("", [WRONG, NEAR], part), part) == pytest.approx(worth(NEAR, part))


def test_what_was_built_in_place_of_a_part_is_a_pair_of_its_own(part):
    pairs = lessons(Pair("plate", RIGHT, None), [NEAR, WRONG, BROKEN], part)
    assert {pair.name for pair in pairs} == {"plate", "plate, drawn 1"}
    built = next(pair for pair in pairs if pair.name != "plate")
    assert abs(built.points.astype(float)).max(axis=0) == pytest.approx([1, 0.5, 0.2], abs=0.01)
    assert lessons(Pair("plate", RIGHT, None), [RIGHT, NEAR], part) == []


def test_a_groups_advantages_add_up_to_nothing():
    gains = advantages(torch.tensor([[0.9, 0.2, INVALID, 0.7], [0.5, 0.5, 0.5, 0.5]]))
    assert gains.sum(dim=1).tolist() == pytest.approx([0, 0], abs=1e-6)
    assert gains[0].argmax() == 0
    assert gains[0].argmin() == 2
    assert not gains[1].any()


def test_a_model_is_held_to_what_it_was():
    before, nothing = torch.tensor([[-1.0, -2.0, 0.0]]), torch.zeros(1)
    labelled = torch.tensor([[True, True, False]])
    assert reward_loss(before, before, nothing, labelled) == 0
    assert reward_loss(before + torch.tensor([0, 0, 0.5]), before, nothing, labelled) == 0
    for change in (0.5, -0.5):
        assert reward_loss(before + change, before, nothing, labelled) > 0


def test_a_step_makes_the_better_draw_likelier(tokenizer):
    model = make_model(tokenizer, encoder=PATCH)
    first = copy.deepcopy(model)
    wrapped = attach_lora(model, r=4, alpha=8, dropout=0.0)
    batch = make_batch(model, tokenizer, ["r=w.box(1,2,3)", "r=w.cylinder(10,20)"])
    batch["point_cloud"][1] = batch["point_cloud"][0]  # two draws for one cloud
    before = log_probabilities(wrapped, batch)
    torch.testing.assert_close(before, log_probabilities(first, batch))
    assert ((before != 0).sum(dim=1) == (batch["labels"] >= 0).sum(dim=1)).all()
    optimizer = torch.optim.AdamW([p for p in wrapped.parameters() if p.requires_grad], lr=1e-3)
    learn(wrapped, first, batch, advantages(torch.tensor([[0.1, 0.9]])).flatten(), optimizer)
    (worse, likelier) = (log_probabilities(wrapped, batch) - before).sum(dim=1)
    assert likelier > 0
    assert likelier > worse
