"""What stands between a handler and the page."""

import gradio as gr

from cadrecode.ui.events import in_words
from cadrecode.ui.words.text import Words


def test_a_stream_that_has_nothing_to_say_leaves_the_page_as_it_is():
    def silent():
        yield from ()

    assert list(in_words(silent, Words("en"))()) == [gr.skip()]


def test_a_stream_comes_through_as_it_is():
    def counting(start):
        yield start
        yield start + 1

    assert list(in_words(counting, Words("en"))(3)) == [3, 4]
