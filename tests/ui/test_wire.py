"""What stands between a handler and the page."""

from types import SimpleNamespace

import gradio as gr

from cadrecode.config import TrainConfig
from cadrecode.part import Part
from cadrecode.runs import Run, State
from cadrecode.ui.events import hear, in_words
from cadrecode.ui.reconstruct import tab
from cadrecode.ui.reconstruct.files import write_files
from cadrecode.ui.reconstruct.state import Work
from cadrecode.ui.train import run_list
from cadrecode.ui.words.text import Words

from .conftest import PLATE, TALL


def test_a_stream_that_has_nothing_to_say_leaves_the_page_as_it_is():
    def silent():
        yield from ()

    assert list(in_words(silent, Words("en"))()) == [gr.skip()]


def test_a_stream_comes_through_as_it_is():
    def counting(start):
        yield start
        yield start + 1

    assert list(in_words(counting, Words("en"))(3)) == [3, 4]


def test_what_follows_an_event_is_never_left_out_and_a_second_press_is():
    with gr.Blocks() as page:
        button, shown = gr.Button(), gr.HTML()
        pressed = hear(button.click, lambda: None, None, None, Words("en"))
        hear(pressed.success, lambda: "", None, shown, Words("en"))
        hear(gr.Timer(1).tick, lambda: "", None, shown, Words("en"))
    assert [handler.trigger_mode for handler in page.fns.values()] == ["once", "always_last", "once"]


def test_files_of_a_part_that_has_left_the_page_are_not_offered(services, monkeypatch):
    """Whoever drops the next scan while files are made must not download the part before under its name."""
    first, second = (Work(parts=(Part.of_program(text),)) for text in (PLATE, TALL))
    shown = SimpleNamespace(files=[None] * len(tab.views.downloads({})))
    screen = tab.Screen(services, Words("en"), None, shown, None, None, None)
    page, copied = SimpleNamespace(session_hash="page"), SimpleNamespace(session_hash="a copy of its tab")
    assert screen.make_files(page, first, "key")[-1]["interactive"]

    def slow(work, *given):
        screen.draw_part(page, second)
        return write_files(work, *given)

    monkeypatch.setattr(tab, "write_files", slow)
    assert screen.make_files(page, first, "key") == [gr.skip()] * (3 + len(shown.files))
    assert screen.make_files(copied, first, "key")[-1]["interactive"]


def test_a_look_at_the_runs_leaves_the_choice_of_a_person_alone(services):
    """It may take longer than the start of the next run, whose choice it would undo."""
    for name in ("first", "second"):
        Run.create(services.runs_dir / name, TrainConfig().to_yaml()).set_status(State.DONE, step=30, total=30)
    with gr.Blocks() as page:
        shown = run_list.Shown(Words("en"))
        run_list.wire(shown, services, Words("en"), page)
    look = next(handler.fn for handler in page.fns.values() if ("tick" in {event for _, event in handler.targets}))
    assert shown.chosen not in look("first", [], None)
    assert look("gone", [], None)[shown.chosen] in ("first", "second")
