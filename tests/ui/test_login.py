"""Guessing passwords: each failure costs time, then the caller is locked out; others log in all the while."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import pytest
from fastapi import HTTPException

from cadrecode.ui import login
from cadrecode.ui.login import FREE_FAILURES, LOCKED_SECONDS, MOST_LOCKED_SECONDS, PasswordCheck


class Clock:
    """A clock that stands still, and notes how long answers were delayed."""

    def __init__(self):
        self.now, self.slept = 1000.0, []

    def __call__(self):
        return self.now

    async def sleep(self, seconds):
        self.slept.append(seconds)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def logins(clock):
    return PasswordCheck([("me", "secret"), ("you", "wörd")], clock, clock.sleep)


def finished(work):
    """What a coroutine returns, in a thread of its own: another test's browser may keep a loop going in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(copy_context().run, asyncio.run, work).result()


def tries(logins, name, password, caller="1.2.3.4"):
    logins.remember_caller({"client": (caller, 1)})
    return finished(logins.check(name, password))


def test_names_and_passwords_belong_together(logins):
    assert tries(logins, "me", "secret")
    assert tries(logins, "you", "wörd")
    for name, password in (
        ("me", "wörd"),
        ("you", "secret"),
        ("", ""),
        ("me", ""),
        ("ME", "secret"),
        ("me", "secret "),
    ):
        assert not tries(logins, name, password, caller=f"{name}{password}")


def test_each_failure_takes_longer_and_then_locks_out_even_the_right_password(logins, clock):
    for _ in range(FREE_FAILURES + 1):
        assert not tries(logins, "me", "guess")
    assert clock.slept == sorted(clock.slept)
    assert clock.slept[-1] > clock.slept[0] > 0
    with pytest.raises(HTTPException) as refused:
        tries(logins, "me", "secret")
    assert refused.value.status_code == 429
    assert int(refused.value.headers["Retry-After"]) == LOCKED_SECONDS
    assert tries(logins, "me", "secret", caller="5.6.7.8")
    clock.now += LOCKED_SECONDS
    assert tries(logins, "me", "secret")
    assert not tries(logins, "me", "guess")  # and begins anew


def test_locks_grow_up_to_a_limit(logins, clock):
    waits = []
    for _ in range(40):
        try:
            tries(logins, "me", "guess")
        except HTTPException as refused:
            waits.append(int(refused.headers["Retry-After"]))
            clock.now += waits[-1]
    assert waits == sorted(waits)
    assert waits[-1] == MOST_LOCKED_SECONDS


def test_many_tries_at_once_count_like_one_after_the_other(logins):
    async def storm():
        logins.remember_caller({"client": ("1.2.3.4", 1)})
        return await asyncio.gather(*(logins.check("me", f"guess {n}") for n in range(50)), return_exceptions=True)

    answers = finished(storm())
    assert sum(answer is False for answer in answers) == FREE_FAILURES + 1
    assert sum(isinstance(answer, HTTPException) for answer in answers) == 50 - FREE_FAILURES - 1


def test_every_login_is_compared_in_full(logins, monkeypatch):
    compared = []
    compare = login.hmac.compare_digest
    monkeypatch.setattr(login.hmac, "compare_digest", lambda a, b: (compared.append(len(a)), compare(a, b))[1])
    for name, password in (("me", "secret"), ("me", "x"), ("nobody", "x" * 1000)):
        compared.clear()
        logins._matches(name, password)
        assert compared == [32] * 4


def test_the_list_of_callers_does_not_grow_forever(logins, monkeypatch):
    monkeypatch.setattr(login, "MOST_CALLERS", 10)
    for number in range(50):
        tries(logins, "me", "guess", caller=str(number))
    assert len(logins._failures) == 10
