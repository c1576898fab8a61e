"""The checks before Gradio's server: under which names it answers, who may call which address, who gets which file.

Each address has a rule; an address without one is answered to nobody. `tests/ui/test_endpoints.py` compares the rules
with the addresses of the running app.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

import gradio as gr
from gradio import processing_utils
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cadrecode.ui import access
from cadrecode.ui.login import PasswordCheck, login_page
from cadrecode.ui.viewer import component
from cadrecode.ui.words.language import PAGES


class Role(IntEnum):
    """Who calls. A higher role may do what the lower ones may."""

    NOBODY = 0
    GUEST = 1
    OWNER = 2


API = "/gradio_api"
FILE = f"{API}/file={{path:path}}"
RULES: dict[str, Role | None] = {  # the least role for an address; None where nobody may call it
    "/login": Role.NOBODY,
    "/logout": Role.NOBODY,
    **dict.fromkeys(PAGES.values(), Role.GUEST),  # others see the login page there
    "/config": Role.GUEST,
    "/static/{path:path}": Role.NOBODY,
    "/assets/{path:path}": Role.NOBODY,
    "/svelte/{path:path}": Role.NOBODY,
    component.ADDRESS: Role.NOBODY,
    "/favicon.ico": Role.NOBODY,
    "/theme.css": Role.NOBODY,
    "/robots.txt": Role.NOBODY,
    "/manifest.json": Role.NOBODY,
    "/pwa_icon": Role.NOBODY,
    "/pwa_icon/{size}": Role.NOBODY,
    f"{API}/theme.css": Role.NOBODY,
    f"{API}/startup-events": Role.NOBODY,  # Gradio calls it itself when it starts
    f"{API}/app_id": Role.NOBODY,
    f"{API}/login_check": Role.GUEST,
    f"{API}/user": Role.GUEST,
    f"{API}/info": Role.GUEST,
    FILE: Role.GUEST,  # of the files, see `Guard._may_read`
    f"{API}/heartbeat/{{session}}": Role.GUEST,
    f"{API}/run/{{name}}": Role.GUEST,  # the handlers check who calls, see `events.hear`
    f"{API}/call/v2/{{name}}": Role.GUEST,
    f"{API}/call/v2/{{name}}/{{event}}": Role.GUEST,
    f"{API}/call/{{name}}": Role.GUEST,
    f"{API}/call/{{name}}/{{event}}": Role.GUEST,
    f"{API}/queue/join": Role.GUEST,
    f"{API}/queue/data": Role.GUEST,
    f"{API}/queue/status": Role.GUEST,
    f"{API}/cancel": Role.GUEST,
    f"{API}/reset": Role.GUEST,
    f"{API}/upload": Role.GUEST,
    f"{API}/upload_progress": Role.GUEST,
    f"{API}/mcp/{{path:path}}": Role.GUEST,
    "/openapi.json": None,
    "/monitoring": None,
    "/monitoring/{path:path}": None,
    f"{API}/deep_link": None,
    f"{API}/token": None,
    f"{API}/dev/reload": None,
    f"{API}/runs": None,
    f"{API}/run-history/{{path:path}}": None,
    f"{API}/openapi.json": None,
    f"{API}/custom_component/{{path:path}}": None,
    f"{API}/proxy={{path:path}}": None,
    f"{API}/file/{{path:path}}": None,  # an old address of files
    f"{API}/stream/{{path:path}}": None,
    f"{API}/api/{{name}}": None,  # an old address of /run
    f"{API}/component_server": None,
    f"{API}/process_recording": None,
    f"{API}/vibe-edit": None,
    f"{API}/undo-vibe-edit": None,
    f"{API}/vibe-code": None,
    f"{API}/vibe-starter-queries": None,
    f"{API}/profiling/{{path:path}}": None,
}
MOST_READ, READ_SECONDS = 2**20, 2.0  # of the body of a request that is refused
REFUSED = "x-cadrecode"  # a header that tells this guard's answers from Gradio's
PATTERNS = [(compile_path(path)[0], path) for path in RULES]
HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
)


def rule_for(path: str) -> tuple[str, Role | None]:
    """The address that a path belongs to, as RULES names it, and its least role. ("", None) where there is no rule."""
    path = path.rstrip("/") or "/"
    return next(((name, RULES[name]) for pattern, name in PATTERNS if pattern.match(path)), ("", None))


@dataclass
class Hosts:
    """The names under which the app may be called. A name that leads here by a trick of DNS is not among them.

    Args:
        listens_at: The address that the app listens to.
        names: More names: that of a public link, or of a proxy in front of the app.
        framed_by: Another site, as https://name, that may show the app in a frame; empty: none.
    """

    listens_at: str = "127.0.0.1"
    names: set[str] = field(default_factory=set)
    framed_by: str = ""

    @property
    def headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """The headers of every answer, for browsers."""
        if not self.framed_by:
            return (*HEADERS, (b"x-frame-options", b"SAMEORIGIN"))
        return (*HEADERS, (b"content-security-policy", f"frame-ancestors 'self' {self.framed_by}".encode()))

    def trusts(self, netloc: str) -> bool:
        """Whether the app may be called as `netloc`, a name or an address, perhaps with a port."""
        name = _name_in(netloc)
        if name in {"localhost", self.listens_at.lower(), *self.names}:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback or not access.is_local(self.listens_at)  # an address needs no DNS


class Guard:
    """Middleware with the rules above.

    Args:
        files: The folders whose files guests may read; `owners` are those that only the owner may read.
        logins: Who can log in; where nobody has to, everyone is the owner.
    """

    def __init__(
        self,
        app: ASGIApp,
        hosts: Hosts,
        logins: PasswordCheck | None,
        files: Callable[[], Iterable[Path]],
        owners: Path,
    ):
        self.app, self.hosts, self.logins, self.files, self.owners = app, hosts, logins, files, owners.resolve()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})  # the app has none
        else:
            answer = self._refusal(scope) or self._own_answer(scope)
            if answer is not None:
                await _read_body(receive)
            await (answer or self._pass)(scope, receive, _with_headers(send, self.hosts.headers))

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.logins is not None:
            self.logins.remember_caller(scope)
        await self.app(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        """The answer to a request that may not be passed on."""
        headers = Headers(scope=scope)
        if len(headers.getlist("host")) != 1 or not self.hosts.trusts(headers["host"]):
            return _refused("name", "The app does not answer under this name.", 421)
        if not self._from_here(scope, headers):
            return _refused("origin", "Pages of other sites may not use the app.", 403)
        name, least = rule_for(_path(scope))
        if least is None:
            return _refused("unknown", "Not found.", 404)
        role = self.role(scope)
        if role < least:
            if name in PAGES.values() and scope["method"] in ("GET", "HEAD"):
                page = login_page(scope)
                page.headers[REFUSED] = "login"
                return page
            return _refused("login", "Log in first.", 401)
        if name == FILE and not self._may_read(_path(scope).partition("file=")[2], role):
            return _refused("file", "This file is not for you.", 403)
        return None

    def _from_here(self, scope: Scope, headers: Headers) -> bool:
        """Whether no page of another site has sent the request. Browsers say so; other programs send no origin."""
        origin = headers.get("origin")
        if origin is not None:
            netloc = origin.partition("://")[2]
            return netloc == headers["host"] or _name_in(netloc) in self.hosts.names
        if headers.get("sec-fetch-site", "none") in ("none", "same-origin"):
            return True
        is_link = headers.get("sec-fetch-mode") == "navigate" and scope["method"] == "GET"
        frames = ("iframe",) if self.hosts.framed_by else ()  # of which site, the browser checks by our headers
        return is_link and headers.get("sec-fetch-dest", "document") in ("document", *frames)

    def _own_answer(self, scope: Scope) -> Response | None:
        """The answer to logging out, which Gradio would do for all sessions of a name at once."""
        if _path(scope) != "/logout":
            return None
        if scope["method"] != "POST":
            return _refused("unknown", "Not found.", 404)
        answer = RedirectResponse("./", 303)
        for cookie in _cookies(scope):
            scope["app"].tokens.pop(Request(scope).cookies.get(cookie), None)
            answer.delete_cookie(cookie)
        return answer

    def role(self, scope: Scope) -> Role:
        """The role of the sender of a request."""
        if self.logins is None:
            return Role.OWNER
        visitor = next(
            filter(None, (scope["app"].tokens.get(Request(scope).cookies.get(c)) for c in _cookies(scope))), None
        )
        if visitor is None:
            return Role.NOBODY
        return Role.OWNER if visitor == self.logins.owner else Role.GUEST

    def _may_read(self, name: str, role: Role) -> bool:
        """Whether a visitor may read a file: a guest those that the app made for pages and those that were uploaded."""
        if "\0" in name or re.match(
            r"[a-zA-Z][a-zA-Z0-9+.-]*:/", name
        ):  # Gradio would fetch an address for the visitor
            return False
        try:
            path = Path(name).resolve()
        except (OSError, RuntimeError):  # a name too long, or links in a circle
            return False
        if role == Role.OWNER and path.is_relative_to(self.owners):
            return True
        hidden = path.is_relative_to(self.owners)
        return not hidden and any(path.is_relative_to(folder.resolve()) for folder in self.files())


def _name_in(netloc: str) -> str:
    """The name or address in a name with a port; empty where there is none."""
    try:
        return (urlsplit(f"//{netloc}").hostname or "").lower().rstrip(".")
    except ValueError:
        return ""


def _refused(why: str, text: str, status: int) -> PlainTextResponse:
    return PlainTextResponse(text, status, {REFUSED: why})


async def _read_body(receive: Receive) -> None:
    """Read what a refused request sends, if it is little: where it was not read, the caller may miss the answer."""
    left = MOST_READ
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(READ_SECONDS):
            while left > 0:
                message = await receive()
                if not message.get("more_body"):
                    return
                left -= len(message["body"])


def fetch_nothing() -> None:
    """Keep Gradio from fetching files whose addresses a visitor sends."""
    processing_utils.async_ssrf_protected_get = _fetch_nothing


async def _fetch_nothing(url: str) -> NoReturn:
    raise gr.Error("Files are not fetched from addresses. Upload the file itself.", print_exception=False)


def _path(scope: Scope) -> str:
    root = scope.get("root_path", "")
    return scope["path"].removeprefix(root) if root else scope["path"]


def _cookies(scope: Scope) -> tuple[str, str]:
    """The names of the cookies of Gradio's login."""
    gradio = scope["app"]
    return f"access-token-{gradio.cookie_id}", f"access-token-unsecure-{gradio.cookie_id}"


def _with_headers(send: Send, own: Iterable[tuple[bytes, bytes]]) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *own]}
        await send(message)

    return sending
