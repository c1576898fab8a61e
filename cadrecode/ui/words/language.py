"""Which language a visitor gets, and how they change it.

Each language is a page of its own (/ and /zh), built from the same code, so that all the server sends is in it.
Gradio's own few words ("Drop file here") follow the browser's language, which the page sets before Gradio reads it.
"""

from __future__ import annotations

from urllib.parse import parse_qs

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cadrecode.report.shell import BROWSER_NAMES

COOKIE = "cadrecode_language"
PAGES = {"en": "/", "zh": "/zh"}
YEAR_SECONDS = 365 * 24 * 3600


def preferred(accept_language: str) -> str:
    """The language to greet a browser in: Chinese (zh, zh-CN, zh-TW, zh-Hans) if it comes before English."""
    for part in accept_language.lower().split(","):
        code = part.split(";")[0].strip().split("-")[0]
        if code in PAGES:
            return code
    return "en"


class LanguageMiddleware:
    """Sends a first-time visitor to their language, remembers a choice (?lang=), and tells the page its language."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        page = {path: language for language, path in PAGES.items()}.get(scope.get("path", "").rstrip("/") or "/")
        if scope["type"] != "http" or scope["method"] != "GET" or page is None:
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        chosen = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("lang", [""])[0]
        if chosen in PAGES:
            await _go(send, scope, PAGES[chosen], remember=chosen)
        elif page == "en" and COOKIE not in headers.get("cookie", "") and preferred(_accepted(headers)) != "en":
            query = scope.get("query_string", b"").decode("latin-1")
            await _go(send, scope, PAGES[preferred(_accepted(headers))] + (f"?{query}" if query else ""))
        else:
            await self.app(scope, receive, _Rewritten(send, BROWSER_NAMES[page]))


def _accepted(headers: dict[str, str]) -> str:
    return headers.get("accept-language", "")


async def _go(send: Send, scope: Scope, path: str, remember: str | None = None) -> None:
    headers = [(b"location", (scope.get("root_path", "") + path).encode("latin-1")), (b"content-length", b"0")]
    if remember:
        cookie = f"{COOKIE}={remember}; Path=/; Max-Age={YEAR_SECONDS}; SameSite=Lax"
        headers.append((b"set-cookie", cookie.encode("latin-1")))
    await send({"type": "http.response.start", "status": 303, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


class _Rewritten:
    """Passes a page on with a line of script before everything else in it."""

    def __init__(self, send: Send, browser_name: str):
        self.send, self.body = send, bytearray()
        self.start: Message = {}
        script = f"Object.defineProperty(navigator,'language',{{get:()=>'{browser_name}'}})"
        self.script = f"<head><script>{script}</script>".encode()

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.start = message
            return
        self.body += message.get("body", b"")
        if message.get("more_body"):
            return
        body = bytes(self.body).replace(b"<head>", self.script, 1)
        headers = [(name, value) for name, value in self.start["headers"] if name.lower() != b"content-length"]
        await self.send({**self.start, "headers": [*headers, (b"content-length", str(len(body)).encode())]})
        await self.send({"type": "http.response.body", "body": body})
