"""Who may do what. The person who opened the app owns it; guests log in with a name of their own and rebuild parts.

Handlers check it (see `events.hear`), because what a page hides can still be called over HTTP.
"""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from gradio.context import LocalContext

from cadrecode.errors import ConfigError

Login = tuple[str, str]  # name, password

_guests: frozenset[str] = frozenset()


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


def is_local(host: str) -> bool:
    """Whether an address can be reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name
        return host == "localhost"
