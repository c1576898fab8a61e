"""Pairs to tensors: what is asked for, what is random, and how lengths are grouped."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from cadrecode.data.batches import IGNORED, Collate, LikeLengths, Views, encode
from cadrecode.data.dataset import load_programs
from cadrecode.data.rows import COUNT_WEIGHT, with_row_lengths
from cadrecode.errors import DatasetError
from cadrecode.model.tokens import END, START, build_tokenizer, decode_program
from cadrecode.program import build, iou, parse

SLOTS = 16


@pytest.fixture(scope="module")
def programs():
    return load_programs("invent:general:12", seed=3)


@pytest.fixture(scope="module")
def tokenizer(programs):
    return build_tokenizer([pair.text for pair in programs.pairs])


@pytest.fixture(scope="module")
def encoded(programs, tokenizer):
    return encode(programs, tokenizer, 1000)[0]


def test_only_the_program_is_asked_for(encoded, tokenizer):
    views = Views(encoded, 64)
    batch = Collate(tokenizer.pad_token_id, SLOTS)([views[i] for i in range(3)])
    longest = max(len(entry.tokens) for entry in encoded[:3])
    assert batch["input_ids"].shape == batch["labels"].shape == batch["point_mask"].shape == (3, SLOTS + longest)
    assert batch["point_cloud"].shape == (3, 64, 3)
    assert batch["point_cloud"].dtype == torch.float32
    start, end = tokenizer.convert_tokens_to_ids([START, END])
    for row in range(3):
        labelled = batch["labels"][row] != IGNORED
        assert decode_program(tokenizer, batch["labels"][row][labelled].tolist()) == encoded[row].pair.text
        assert batch["labels"][row][labelled][-1] == end
        assert batch["input_ids"][row, SLOTS] == start
        assert not (labelled & batch["point_mask"][row]).any()
        assert not labelled[SLOTS + len(encoded[row].tokens) :].any()
    assert (batch["point_mask"].sum(1) == SLOTS).all()


def test_long_programs_are_left_out_and_listed(programs, tokenizer, encoded):
    lengths = sorted(len(entry.tokens) for entry in encoded)
    remaining, report = encode(programs, tokenizer, lengths[5])
    fitting = sum(length <= lengths[5] for length in lengths)
    assert len(remaining) == report.used == fitting
    assert len(report.too_long) == 12 - fitting > 0
    assert f"there is room for {lengths[5]}" in report.too_long[0].reason
    assert f"{12 - fitting} too long" in report.summary()
    with pytest.raises(DatasetError, match="longer than 2 tokens"):
        encode(programs, tokenizer, 2)


def test_each_epoch_sees_other_points_and_the_same_ones_again(encoded):
    views = Views(encoded, 64, seed=1, noise_probability=0.5, noise_std=0.01)
    first, second = views[3]["point_cloud"], views[len(encoded) + 3]["point_cloud"]
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(views[3]["point_cloud"], first)


def test_noise_has_its_size_and_its_share(encoded):
    plain = Views(encoded, 64, seed=1)
    noisy = Views(encoded, 64, seed=1, noise_probability=0.5, noise_std=0.02)
    items = range(20 * len(encoded))
    moved = [noisy[i]["point_cloud"] - plain[i]["point_cloud"] for i in items]
    with_noise = [difference for difference in moved if difference.any()]
    assert len(with_noise) / len(moved) == pytest.approx(0.5, abs=0.12)
    assert np.concatenate(with_noise).std() == pytest.approx(0.02, rel=0.05)


def test_every_pair_comes_once_an_epoch_and_lengths_are_alike():
    lengths = np.random.default_rng(0).integers(10, 500, 1000)
    batches = list(LikeLengths(lengths, 10, 200, seed=5))
    assert len(batches) == 200
    items = np.concatenate(batches)
    assert sorted(items[:1000]) == list(range(1000))
    assert sorted(items[1000:]) == list(range(1000, 2000))
    spread = np.mean([np.ptp(lengths[np.array(batch) % 1000]) for batch in batches])
    assert spread < 30  # of 490; batches drawn at random have about 400
    middles = [lengths[np.array(batch) % 1000].mean() for batch in batches[:50]]
    assert abs(np.corrcoef(np.arange(50), middles)[0, 1]) < 0.4  # short ones do not all come first


def test_the_order_is_the_seeds_and_full_batches_come_from_a_small_set():
    assert list(LikeLengths([5, 6, 7], 4, 6, seed=1)) == list(LikeLengths([5, 6, 7], 4, 6, seed=1))
    batches = list(LikeLengths([5, 6, 7], 4, 6, seed=1))
    assert all(len(batch) == 4 for batch in batches)
    counts = np.bincount(np.concatenate(batches) % 3)
    assert counts.tolist() == [8, 8, 8]


def test_rows_are_learnt_by_their_length():
    """14 fins are 168.5 long; two are learnt by their spacing, as is a row so short that tenths of its length count."""
    head = "import cadquery as cq\nw0=cq.Workplane('XY',origin=(0,0,0))\nr=w0.sketch()"
    tail = ".rect(6,120).finalize().extrude(40)"
    text = f"{head}.rarray(12.96,1,14,1){tail}"
    learnt = with_row_lengths(text)
    assert learnt == f"{head}.rarray(168.5/13,1,14,1){tail}"
    assert iou(build(parse(learnt)), build(parse(text))) > 0.99
    for text in (f"{head}.rarray(80,50,2,2){tail}", f"{head}.rarray(0.12,0.13,14,3){tail}"):
        assert with_row_lengths(text) == text


COUNTED = """import cadquery as cq
w0=cq.Workplane('XY',origin=(0,0,-10))
r=w0.sketch().rarray(12.96,1,14,1).rect(7,90).reset().parray(40,0,360,24).rect(3,4).finalize().extrude(20)"""


def test_counts_weigh_more_than_sizes(programs, tokenizer):
    """A pitch that is off by a little is hardly seen; 13 fins in place of 14 are another part."""
    pair = replace(programs.pairs[0], text=COUNTED)
    [entry], _ = encode(replace(programs, pairs=[pair]), tokenizer, 1000)
    batch = Collate(tokenizer.pad_token_id, SLOTS)([Views([entry], 64)[0]])
    labels, weights = batch["labels"][0], batch["loss_weights"][0]
    assert tokenizer.convert_ids_to_tokens(labels[weights > 1].tolist()) == ["13", "24"]
    weights = weights[labels != IGNORED]
    assert weights.mean().item() == pytest.approx(1)
    assert (weights.max() / weights.min()).item() == pytest.approx(COUNT_WEIGHT)
