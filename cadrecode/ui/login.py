"""Logging in: passwords are compared in constant time, failures cost time and then lock out, and the page is ours."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import math
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from html import escape

from fastapi import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.types import Scope

from cadrecode.report.shell import BROWSER_NAMES
from cadrecode.ui.words.language import PAGES
from cadrecode.ui.words.text import LANGUAGES, Words

FREE_FAILURES = 4  # of a caller; the next one locks out
LOCKED_SECONDS, MOST_LOCKED_SECONDS = 30.0, 900.0  # the first time and at most; it doubles with each further failure
DELAY_SECONDS, MOST_DELAY_SECONDS = 0.25, 4.0  # before the answer to a failure; it doubles with each one
FORGET_SECONDS = 3600.0  # after which failures are forgotten
MOST_CALLERS = 10_000  # that are remembered

_caller: ContextVar[str] = ContextVar("caller", default="")


class PasswordCheck:
    """Checks names and passwords; its `check` is what Gradio takes as `auth`.

    Args:
        pairs: Names and passwords; the owner's first.
        clock, sleep: In place of those of the machine.
    """

    def __init__(
        self,
        pairs: Sequence[tuple[str, str]],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ):
        self.owner = pairs[0][0]
        self._digests = [(_digest(name), _digest(password)) for name, password in pairs]
        self._clock, self._sleep = clock, sleep
        self._failures: OrderedDict[str, tuple[int, float, float]] = OrderedDict()  # how many, when last, locked until

    def remember_caller(self, scope: Scope) -> None:
        """Note the address that the current request comes from."""
        _caller.set(scope["client"][0] if scope.get("client") else "")

    async def check(self, name: str, password: str) -> bool:
        """Whether the name has this password.

        Raises: HTTPException: The caller has failed too often and has to wait, even with the right password.
        """
        caller, now = _caller.get(), self._clock()
        failures, last, until = self._failures.get(caller, (0, now, now))
        if now - last > FORGET_SECONDS:
            failures = 0
        if now < until:
            wait = math.ceil(until - now)
            raise HTTPException(429, "Too many wrong passwords. Wait before the next try.", {"Retry-After": str(wait)})
        failures += 1  # until it turns out to be right, so that many tries at once count, too
        locked = LOCKED_SECONDS * 2 ** min(failures - FREE_FAILURES - 1, 10) if failures > FREE_FAILURES else 0.0
        self._note(caller, (failures, now, now + min(locked, MOST_LOCKED_SECONDS)))
        if self._matches(name, password):
            self._failures.pop(caller, None)
            return True
        await self._sleep(min(DELAY_SECONDS * 2 ** min(failures - 1, 10), MOST_DELAY_SECONDS))
        return False

    def _matches(self, name: str, password: str) -> bool:
        """Every login is compared in full, so that the time tells nothing."""
        given = _digest(name), _digest(password)
        right = False
        for known in self._digests:
            same_name, same_password = (hmac.compare_digest(a, b) for a, b in zip(known, given))
            right |= same_name & same_password
        return right

    def _note(self, caller: str, entry: tuple[int, float, float]) -> None:
        self._failures[caller] = entry
        self._failures.move_to_end(caller)
        if len(self._failures) > MOST_CALLERS:
            self._failures.popitem(last=False)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def login_page(scope: Scope) -> HTMLResponse:
    """The page that asks for a name and a password, in the language of the address."""
    from cadrecode.ui.draw.theme import FONTS, STYLE

    path = scope["path"].rstrip("/") or "/"
    language = next(language for language, page in PAGES.items() if page == path)
    words = Words(language)
    texts = {"wrong": words("login.wrong"), "locked": words("login.locked"), "failed": words("login.failed")}
    links = "".join(
        f'<a href="./?lang={other}" lang="{other}" {"aria-current=page" if other == language else ""}>{name}</a>'
        for other, name in LANGUAGES.items()
    )
    fonts = ", ".join(f"'{name}'" for name in FONTS)
    page = PAGE.format(
        language=BROWSER_NAMES[language], style=STYLE.read_text(encoding="utf-8"), fonts=fonts,
        claim=escape(words("head.claim")), links=links, title=escape(words("login.title")),
        name=escape(words("login.name")), password=escape(words("login.password")), go=escape(words("login.go")),
        texts=json.dumps(texts), root=scope.get("root_path", ""),
    )  # fmt: skip
    body = page.encode()
    if Request(scope).method == "HEAD":
        body = b""
    return HTMLResponse(body, 401, headers={"Cache-Control": "no-store"})


PAGE = """<!doctype html>
<html lang="{language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>cadrecode</title><style>{style}
body {{ margin: 0; background: #f6f7f9; color: #1e2937; font: 15px {fonts}, sans-serif; --body-text-color: #1e2937; }}
main {{ max-width: 1480px; margin: 0 auto; padding: 10px 22px; }}
form {{ max-width: 340px; margin: 12vh auto 0; padding: 22px; background: white; border: 1px solid #e3e7ed;
  border-radius: 8px; display: grid; gap: 12px; }}
h2 {{ margin: 0; font-size: 17px; font-weight: 600; }}
label {{ display: grid; gap: 4px; color: #3a4454; font-size: 14px; }}
input {{ font: inherit; padding: 8px 10px; border: 1px solid #ccd4df; border-radius: 6px; }}
button {{ font: inherit; padding: 9px; border: 0; border-radius: 6px; background: #1f5fbf; color: white; }}
button:disabled {{ opacity: .6; }} [role=alert]:empty {{ display: none; }}</style></head>
<body><main><div class="cr-head"><h1>cadrecode</h1><p>{claim}</p><nav>{links}</nav></div>
<form id="login"><h2>{title}</h2>
<label>{name}<input name="username" autocomplete="username" required autofocus></label>
<label>{password}<input name="password" type="password" autocomplete="current-password" required></label>
<div class="cr-bad" role="alert"></div><button>{go}</button></form></main>
<script>
const texts = {texts}, form = document.getElementById('login'), alert = form.querySelector('[role=alert]');
form.addEventListener('submit', async (event) => {{
  event.preventDefault();
  const button = form.querySelector('button');
  button.disabled = true;
  alert.textContent = '';
  try {{
    const answer = await fetch('{root}/login', {{method: 'POST', body: new FormData(form)}});
    if (answer.ok) return location.reload();
    alert.textContent = answer.status === 429 ? texts.locked.replace('{{n}}', answer.headers.get('Retry-After'))
      : texts.wrong;
  }} catch (error) {{
    alert.textContent = texts.failed;
  }}
  button.disabled = false;
}});
</script></body></html>
"""
