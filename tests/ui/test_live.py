"""Work in a thread, read by whoever waits; and errors in words."""

import threading

import gradio as gr
import pytest

from cadrecode.errors import ModelError
from cadrecode.ui.background import Progress, Result, follow
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
