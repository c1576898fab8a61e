"""What guests may do is checked where it is done."""

import errno

import gradio as gr
import pytest
from gradio.context import LocalContext

from cadrecode.errors import ModelError
from cadrecode.ui import access, background, models
from cadrecode.ui.events import in_words
from cadrecode.ui.words.text import Words


@pytest.fixture
def visit():
    """Pretend that someone calls, by name; "you" is a guest."""
    access.set_guests({"you"})
    token = LocalContext.request.set(None)
    yield lambda name: LocalContext.request.set(gr.Request(username=name))
    LocalContext.request.reset(token)
    access.set_guests(())


@pytest.mark.parametrize("name", [None, "me"])
def test_an_owner_may_do_everything(visit, name):
    visit(name)
    assert in_words(lambda: "trained", Words("en"), guests=False)() == "trained"


def test_a_full_disk_has_words():
    def full():
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(gr.Error) as raised:
        in_words(full, Words("en"))()
    assert raised.value.message.startswith("The disk is full. Free some space")


def test_a_guest_is_refused_in_words_before_anything_happens(visit):
    visit("you")
    done = []
    with pytest.raises(gr.Error, match="owner of the app"):
        in_words(lambda: done.append(1), Words("en"), guests=False)()

    def stream():
        yield done.append(1)

    with pytest.raises(gr.Error, match="owner of the app"):
        list(in_words(stream, Words("en"), guests=False)())
    assert done == []
    assert in_words(lambda: "rebuilt", Words("en"), guests=True)() == "rebuilt"


def test_long_work_in_a_thread_still_knows_who_asked(visit):
    visit("you")
    assert [item.value for item in background.follow(lambda report: access.is_guest())] == [True]


def test_a_guest_chooses_among_the_models_of_this_machine(services):
    models.require_here(services, "embedded")
    models.require_here(services, None)
    for path in ("Qwen/Qwen2-7B", "/etc"):
        with pytest.raises(ModelError, match="Ask the owner"):
            models.require_here(services, path)
