"""Who may do what. Whoever opened the app owns it; guests, who log in with a name of their own, rebuild parts.

Handlers ask here (see `wire.hear`): what a page hides can still be called over HTTP.
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
    """A guest asked for what only the owner may do."""


@dataclass(frozen=True)
class Logins:
    """Who can log in. Without an owner nobody has to, and everyone is the owner."""

    owner: Login | None = None
    guest: Login | None = None

    @property
    def pairs(self) -> list[Login] | None:
        """As Gradio wants them."""
        return [one for one in (self.owner, self.guest) if one] or None


def logins(auth: str | None, guest: str | None, share: bool) -> Logins:
    """From the command line. A public link without --auth gets passwords made for it.

    Raises: ConfigError: not user:password, or a guest without an owner, or one name for both.
    """
    if share and auth is None and guest is None:
        return Logins(("owner", secrets.token_urlsafe(9)), ("guest", secrets.token_urlsafe(9)))
    found = Logins(_login("--auth", auth), _login("--guest", guest))
    if found.guest and not found.owner:
        raise ConfigError("--guest is a login beside the owner's: add --auth user:password")
    if found.guest and found.guest[0] == found.owner[0]:
        raise ConfigError("--auth and --guest both say {name}: they need two names", name=found.guest[0])
    return found


def _login(option: str, text: str | None) -> Login | None:
    if text is None:
        return None
    user, colon, password = text.partition(":")
    if not (user and colon and password):
        raise ConfigError("{option} needs a name and a password: {option} user:password", option=option)
    return user, password


def set_guests(names: Iterable[str]) -> None:
    """The names of guests, for this process."""
    global _guests
    _guests = frozenset(names)


def is_guest() -> bool:
    """Whether the handler that runs now was called by a guest; outside of a request nobody is."""
    request = LocalContext.request.get(None)
    return request is not None and request.username in _guests


def owner_only(what: str) -> None:
    """Raises: NotAllowed: a guest asks."""
    if is_guest():
        raise NotAllowed(what)


class OwnersFiles:
    """Middleware: guests get no file below `folder`. Gradio serves what lies there to everyone who is logged in."""

    def __init__(self, app: ASGIApp, folder: Path):
        self.app, self.folder = app, folder.resolve()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._is_ours(scope["path"]) and _visitor(scope) in _guests:
            await PlainTextResponse("This file is the owner's.", 403)(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _is_ours(self, address: str) -> bool:
        """Whether an address asks for one of these files: Gradio's are .../file=<path>."""
        path = address.partition("file=")[2]
        return "\0" not in path and Path(path).resolve().is_relative_to(self.folder)


def _visitor(scope: Scope) -> str | None:
    """The name of who asks, as Gradio's own pages find it: by the cookie that its login gave."""
    gradio, cookies = scope["app"], Request(scope).cookies
    token = cookies.get(f"access-token-{gradio.cookie_id}") or cookies.get(f"access-token-unsecure-{gradio.cookie_id}")
    return gradio.tokens.get(token)
