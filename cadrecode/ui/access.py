"""Who may do what. The person who opened the app owns it; guests log in with a name of their own and rebuild parts.

Handlers check it (see `events.hear`), because what a page hides can still be called over HTTP.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gradio.context import LocalContext
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from cadrecode.errors import CadrecodeError, ConfigError

Login = tuple[str, str]  # name, password

_guests: frozenset[str] = frozenset()


class NotAllowed(CadrecodeError):
    """Only the owner may do this, and a guest tried to."""


@dataclass(frozen=True)
class Logins:
    """Who can log in. Without an owner's login nobody has to log in, and everyone is the owner."""

    owner: Login | None = None
    guest: Login | None = None

    @property
    def pairs(self) -> list[Login] | None:
        """The logins as Gradio takes them."""
        return [login for login in (self.owner, self.guest) if login] or None


def logins(auth: str | None, guest: str | None, share: bool) -> Logins:
    """The logins that the command line sets. For a public link without --auth, passwords are made.

    Raises: ConfigError: A login is not user:password, or there is a guest without an owner, or both have one name.
    """
    if share and auth is None and guest is None:
        return Logins(("owner", secrets.token_urlsafe(9)), ("guest", secrets.token_urlsafe(9)))
    given = Logins(_login("--auth", auth), _login("--guest", guest))
    if given.guest and not given.owner:
        raise ConfigError("--guest is a login beside the owner's: add --auth user:password")
    if given.guest and given.guest[0] == given.owner[0]:
        raise ConfigError("--auth and --guest both say {name}: they need two names", name=given.guest[0])
    return given


def _login(option: str, text: str | None) -> Login | None:
    if text is None:
        return None
    user, colon, password = text.partition(":")
    if not (user and colon and password):
        raise ConfigError("{option} needs a name and a password: {option} user:password", option=option)
    return user, password


def set_guests(names: Iterable[str]) -> None:
    """Set the names of guests, for this process."""
    global _guests
    _guests = frozenset(names)


def is_guest() -> bool:
    """Whether the current handler was called by a guest; outside of a request, False."""
    request = LocalContext.request.get(None)
    return request is not None and request.username in _guests


class OwnersFiles:
    """Middleware that refuses guests the files below `folder`, which Gradio serves to everyone who is logged in."""

    def __init__(self, app: ASGIApp, folder: Path):
        self.app, self.folder = app, folder.resolve()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._is_ours(scope["path"]) and _visitor(scope) in _guests:
            await PlainTextResponse("This file is the owner's.", 403)(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _is_ours(self, address: str) -> bool:
        """Whether an address is that of such a file: Gradio's addresses end with file=<path>."""
        path = address.partition("file=")[2]
        return "\0" not in path and Path(path).resolve().is_relative_to(self.folder)


def _visitor(scope: Scope) -> str | None:
    """The name of the visitor, by the cookie that Gradio's login sets."""
    gradio, cookies = scope["app"], Request(scope).cookies
    token = cookies.get(f"access-token-{gradio.cookie_id}") or cookies.get(f"access-token-unsecure-{gradio.cookie_id}")
    return gradio.tokens.get(token)
