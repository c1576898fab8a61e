"""The frame of all our pages: one file that opens anywhere, and in which names are text, never markup."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

BROWSER_NAMES = {"en": "en", "zh": "zh-CN"}  # of the languages, as browsers and HTML name them


def whole_page(title: str, body: str, language: str = "en") -> str:
    """A page around a body.

    Args:
        title: Text.
        body: HTML.
    """
    return drawn("shell.html", title=title, body=Markup(body), language=language)


def drawn(template: str, *, language: str, **values: Any) -> str:
    """A template of this folder with its gaps filled. Values are escaped, apart from `Markup`."""
    return _environment().get_template(template).render(html_language=BROWSER_NAMES[language], **values)


def beside(name: str) -> str:
    """The text of a file of this folder, such as a script."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("cadrecode.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
