"""Every item is done once, in bounded memory, also where workers die."""

import functools
import itertools
import operator
import os
import sys
from pathlib import Path

import pytest

from cadrecode.errors import MissingLibrary
from cadrecode.parallel import AHEAD, RETRIES, Workers, WorkersDied, in_order


def work_or_die(item: int, folder: str, times: int) -> int:
    """The square; at 3, the process dies so many times before."""
    deaths = Path(folder)
    if item == 3 and len(list(deaths.iterdir())) < times:
        (deaths / str(len(list(deaths.iterdir())))).touch()
        os._exit(1)
    return item * item


@pytest.mark.parametrize("count", [1, 2])
def test_results_are_those_of_a_loop(count):
    items = [5, 3, 8, 1, 9]
    results = Workers(count).map(operator.neg, items)
    assert list(in_order(results)) == [-5, -3, -8, -1, -9]


def test_no_more_is_read_than_is_on_its_way():
    read = []
    items = (read.append(i) or i for i in itertools.count())
    results = in_order(Workers(2).map(operator.neg, items))
    assert list(itertools.islice(results, 3)) == [0, -1, -2]
    assert len(read) <= 3 + 2 * AHEAD + 1
    results.close()


def test_a_worker_that_dies_loses_nothing(tmp_path):
    work = functools.partial(work_or_die, folder=str(tmp_path), times=2)
    assert list(in_order(Workers(2).map(work, range(12)))) == [i * i for i in range(12)]
    assert len(list(tmp_path.iterdir())) == 2


def test_an_item_that_kills_every_worker_is_an_error(tmp_path):
    work = functools.partial(work_or_die, folder=str(tmp_path), times=10**6)
    with pytest.raises(WorkersDied, match=f"died {RETRIES + 1} times"):
        list(Workers(2).map(work, [3]))


def test_ray_is_optional(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingLibrary, match=r"ray is needed .* pip install 'cadrecode\[scale\]'"):
        list(Workers(engine="ray").map(operator.neg, [1]))
