import functools

import numpy as np
import pytest

from cadrecode.data.stream import ChunkStream, held_out_pairs, make_pairs
from cadrecode.program import build, parse
from cadrecode.program.solid import bounds


def numbered(number: int) -> int:
    return number * number


def test_clouds_lie_on_their_own_parts():
    pairs = make_pairs((0, 1), 12, n_points=64)
    assert pairs.clouds.shape == (12, 64, 3)
    for text, cloud in zip(pairs.texts, pairs.clouds):
        low, high = bounds(build(parse(text)))
        assert (cloud.min(axis=0) * 100 >= low - 1e-3).all()
        assert (cloud.max(axis=0) * 100 <= high + 1e-3).all()


def test_the_seed_decides_everything():
    once, again, other = (make_pairs((0, seed), 4, n_points=32) for seed in (1, 1, 2))
    assert once.texts == again.texts
    np.testing.assert_array_equal(once.clouds, again.clouds)
    assert once.texts != other.texts
    assert held_out_pairs(4).texts != make_pairs((0, 0), 4).texts


def test_noise_has_the_size_that_was_asked_for():
    make = functools.partial(make_pairs, (0, 3), 30, n_points=64)
    clean, noisy = make(), make(noise_probability=1.0, noise_std=0.01)
    assert clean.texts == noisy.texts
    beyond = np.abs(noisy.clouds).max(axis=(1, 2)) - 1  # the longest side reaches 1; noise reaches further
    assert 0.005 < np.median(beyond) < 0.06


@pytest.mark.parametrize("workers", [0, 2])
def test_chunks_come_in_order_from_any_number_of_workers(workers):
    with ChunkStream(numbered, workers, first=3) as chunks:
        given = iter(chunks)
        assert [next(given) for _ in range(5)] == [9, 16, 25, 36, 49]
    assert not any(process.is_alive() for process in chunks.processes)
