"""Which page a visitor gets, over real HTTP messages."""

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from cadrecode.ui.words.language import COOKIE, LanguageMiddleware, preferred

PAGE = "<html><head><title>x</title></head><body>&lt;head&gt;</body></html>"


@pytest.fixture
def browser():
    async def page(request):
        return HTMLResponse(PAGE)

    async def other(request):
        return PlainTextResponse("<head>")

    routes = [Route("/", page), Route("/zh", page), Route("/assets/x.js", other)]
    return TestClient(Starlette(routes=routes, middleware=[Middleware(LanguageMiddleware)]), follow_redirects=False)


@pytest.mark.parametrize("accepted", ["zh", "zh-CN,zh;q=0.9", "zh-TW", "zh-Hans-CN", "fr,zh;q=0.5,en;q=0.2"])
def test_a_chinese_browser_is_greeted_in_chinese(browser, accepted):
    answer = browser.get("/", headers={"accept-language": accepted})
    assert (answer.status_code, answer.headers["location"]) == (303, "/zh")


@pytest.mark.parametrize("accepted", ["en-US,en;q=0.9,zh;q=0.8", "de", "", "*"])
def test_any_other_browser_is_greeted_in_english(browser, accepted):
    answer = browser.get("/", headers={"accept-language": accepted})
    assert answer.status_code == 200
    assert "get:()=>'en'" in answer.text
    assert preferred(accepted) == "en"


def test_a_choice_is_remembered_against_the_browser(browser):
    answer = browser.get("/zh?lang=en", headers={"accept-language": "zh"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert f"{COOKIE}=en" in answer.headers["set-cookie"]
    assert browser.get("/", headers={"accept-language": "zh"}).status_code == 200  # the client kept the cookie


def test_the_page_is_told_its_language_before_anything_else_and_stays_whole(browser):
    answer = browser.get("/zh", headers={"accept-language": "en"})
    head, rest = answer.text.split("</script>", 1)
    assert head.startswith("<html><head><script>")
    assert "zh-CN" in head
    assert "<html><head>" + rest == PAGE
    assert int(answer.headers["content-length"]) == len(answer.content)


def test_nothing_else_is_touched(browser):
    assert browser.get("/assets/x.js").text == "<head>"
    assert browser.get("/?lang=xx").status_code == 200
