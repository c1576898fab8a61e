"""Work in a thread, read by whoever waits; and errors in words."""

import threading

import gradio as gr
import pytest

from cadrecode.errors import CadrecodeError, ModelError
from cadrecode.ui.background import Background, Progress, Result, follow
from cadrecode.ui.events import in_words
from cadrecode.ui.words.text import Words


def test_progress_then_the_result():
    go_on = threading.Event()

    def work(report):
        report("sampling", 1, 2)
        go_on.wait(10)
        return 7

    items = follow(work)
    assert next(items) == Progress("sampling", 1, 2)
    go_on.set()
    assert list(items) == [Result(7)]


def test_a_slow_reader_gets_the_newest_progress_only():
    def work(report):
        for i in range(1000):
            report("sampling", i, 1000)

    items = list(follow(work))
    assert items[-1] == Result(None)
    assert len(items) < 900


def test_an_error_reaches_the_reader():
    def work(report):
        raise ModelError("gone")

    with pytest.raises(ModelError, match="gone"):
        list(follow(work))


def test_background_work_goes_on_when_nobody_follows_and_whoever_comes_later_sees_it():
    background, go_on = Background(), threading.Event()
    assert list(background.follow()) == []

    def work(report, should_stop):
        report("scoring", 1, 2)
        go_on.wait(10)
        return should_stop()

    background.begin(work)
    first = background.follow()
    assert next(first).stage in ("loading", "scoring")
    first.close()  # the page is closed
    with pytest.raises(CadrecodeError, match="still going on"):
        background.begin(work)
    background.cancel()
    later = background.follow()
    assert isinstance(next(later), Progress)
    go_on.set()
    assert list(later)[-1] == Result(True)
    assert list(background.follow()) == [Result(True)]
    assert not background.active


def test_background_work_that_failed_fails_for_all_who_follow_and_makes_room():
    background = Background()

    def work(report, should_stop):
        raise ModelError("gone")

    background.begin(work)
    for _ in range(2):
        with pytest.raises(ModelError, match="gone"):
            list(background.follow())
    background.begin(lambda report, should_stop: should_stop())
    assert list(background.follow())[-1] == Result(False)


def test_our_errors_are_shown_as_they_are_and_others_without_their_insides(caplog):
    def ours():
        raise ModelError("There is no such model.")

    def others():
        yield 1
        raise ZeroDivisionError("secret detail")

    with pytest.raises(gr.Error, match="no such model"):
        in_words(ours, Words("en"))()
    with pytest.raises(gr.Error) as caught:
        list(in_words(others, Words("zh"))())
    assert "secret detail" not in caught.value.message
    assert "ZeroDivisionError" in caught.value.message
    assert "secret detail" in caplog.text
