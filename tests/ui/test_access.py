"""What guests may do is checked where it is done."""

import gradio as gr
import pytest
from gradio.context import LocalContext
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

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


@pytest.mark.parametrize(
    ("name", "path", "status"),
    [
        ("you", "{folder}/a.zip", 403),
        ("you", "{folder}/../.downloads/part/../a.zip", 403),
        ("you", "{link}/a.zip", 403),
        ("you", "{folder}/../picture.png", 200),
        ("you", "", 200),
        ("me", "{folder}/a.zip", 200),
        ("nobody", "{folder}/a.zip", 200),  # whom Gradio refuses by itself where there is a login
    ],
)
def test_a_guest_gets_no_file_of_the_adapters_folder(visit, tmp_path, name, path, status):
    folder, link = tmp_path / ".downloads", tmp_path / "link"
    folder.mkdir()
    link.symlink_to(folder)
    middleware = [Middleware(access.OwnersFiles, folder=folder)]
    served = Starlette(
        routes=[Route("/{rest:path}", lambda request: PlainTextResponse("served"))], middleware=middleware
    )
    served.cookie_id, served.tokens = "id", {"1": "you", "2": "me"}
    token = {"you": "1", "me": "2"}.get(name, "3")
    client = TestClient(served, cookies={"access-token-unsecure-id": token})
    address = f"/gradio_api/file={path.format(folder=folder, link=link)}".replace("..", "%2e%2e")
    assert client.get(address).status_code == status
