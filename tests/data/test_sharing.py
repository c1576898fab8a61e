"""What several processes make together is what one makes alone."""

import threading

import pytest

from cadrecode.data.dataset import load_programs
from cadrecode.data.sharing import ALONE, ITEMS_BETWEEN_EXCHANGES, shared


class Together:
    """One of several threads that stand for processes."""

    def __init__(self, rank: int, size: int, table: list, barrier: threading.Barrier):
        self.rank, self.size, self.table, self.barrier = rank, size, table, barrier

    def gather(self, value):
        self.table[self.rank] = value
        self.barrier.wait()
        values = list(self.table)
        self.barrier.wait()
        return values


def all_of(size: int, job) -> list:
    """What each of so many processes gets."""
    table, barrier, got = [None] * size, threading.Barrier(size, timeout=60), [None] * size

    def run(rank: int) -> None:
        got[rank] = job(Together(rank, size, table, barrier))

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return got


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("count", [0, 1, 2, ITEMS_BETWEEN_EXCHANGES * 3, ITEMS_BETWEEN_EXCHANGES * 6 + 5])
def test_everything_in_order_and_each_item_done_once(size, count):
    done = []

    def job(processes):
        return list(shared(range(count), lambda i: done.append(i) or i * i, processes, lambda: False))

    assert all_of(size, job) == [[i * i for i in range(count)]] * size
    assert sorted(done) == list(range(count))


def test_a_stop_ends_it_between_two_exchanges():
    seen, size = [], ITEMS_BETWEEN_EXCHANGES
    made = shared(range(size * 9), seen.append, ALONE, lambda: len(seen) >= size * 2)
    assert len(list(made)) == len(seen) == size * 2


def test_programs_read_together(tmp_path):
    for i in range(70):
        (tmp_path / f"{i:02d}.py").write_text(
            f"import cadquery as cq\nr=cq.Workplane('XY').box(200,100,{i + 10})" if i % 9 else "r=1"
        )
    alone = load_programs(tmp_path)
    assert len(alone.pairs) == 62
    assert all_of(2, lambda processes: load_programs(tmp_path, processes=processes)) == [alone, alone]
