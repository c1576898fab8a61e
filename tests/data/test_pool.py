"""Memory hardly grows with the data set: points and tokens lie on disk."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from cadrecode.data.batches import encode
from cadrecode.data.copies import copies_of, turned_copy, warped_copy
from cadrecode.data.dataset import POOL_POINTS, load_programs, make_pair
from cadrecode.data.pool import on_disk
from cadrecode.model.tokens import build_tokenizer, encode_program

LOADED = """
import sys
import numpy as np
from cadrecode.data.pairs import Pair
from cadrecode.data.pool import on_disk

def own_mb():  # memory that no file stands behind
    lines = open("/proc/self/status").read().splitlines()
    return int(next(line for line in lines if line.startswith("RssAnon")).split()[1]) / 1024

def made(count):
    for i in range(count):
        yield Pair(f"part-{i}", "r=w.box(1,2,3)", np.full((4096, 3), i, np.float16))

few = list(on_disk(made(1000)))
before = own_mb()
many = list(on_disk(made(10_000)))
print(own_mb() - before, int(many[9_999].points[-1, -1]), len(few))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_ten_times_the_pairs_take_hardly_more_memory():
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True).stdout.split()
    grown_mb, last, few = map(float, done)
    assert (last, few) == (float(np.float16(9_999)), 1000)
    assert grown_mb < 30  # the points are 234 MB; names, texts and views of 1 KB are what remains


def test_every_source_of_pairs_and_their_tokens_lie_on_disk():
    programs = load_programs("invent:plates:6")
    copies = copies_of(programs, turned_copy, 1, seed=0) + copies_of(programs, warped_copy, 1, seed=1)
    assert len(copies) > 6
    for pair in programs.pairs + copies:
        assert isinstance(pair.points, np.memmap)
        assert pair.points.shape == (POOL_POINTS, 3)
    for pair in programs.pairs:
        np.testing.assert_array_equal(pair.points, make_pair(pair.name, pair.text).points)
    tokenizer = build_tokenizer([pair.text for pair in programs.pairs + copies])
    encoded, _ = encode(replace(programs, pairs=programs.pairs + copies), tokenizer, 10_000)
    for entry in encoded:
        assert isinstance(entry.tokens, np.memmap)
        assert entry.tokens.tolist() == encode_program(tokenizer, entry.pair.text)


def test_what_is_mapped_already_is_not_copied():
    pairs = load_programs("invent:plates:3").pairs
    assert [first.points is second.points for first, second in zip(pairs, on_disk(pairs))] == [True] * 3
