"""Every word the app shows. Nothing else in ui writes a sentence.

The English is in english.toml, the Chinese in the catalogue. Messages of errors come from the room that raises them;
`Words.said` translates them, too.
"""

from __future__ import annotations

import tomllib
from html import escape
from pathlib import Path

from cadrecode.config import TrainConfig
from cadrecode.invent.draw import FAMILIES
from cadrecode.ui.words import catalogue

LANGUAGES = {"en": "English", "zh": "简体中文"}
WORDS: dict[str, str] = tomllib.loads(Path(__file__).with_name("english.toml").read_text(encoding="utf-8"))


class Words:
    """The words of one language: words("train.step", step=3, total=9)."""

    def __init__(self, language: str):
        self.language = language

    def __call__(self, key: str, **values: object) -> str:
        """Raises KeyError: there is no such key."""
        text = WORDS[key]
        if self.language == "zh":
            text = catalogue.of_page(key, text)
        return text.format(**values) if values else text

    def said(self, message: str) -> str:
        """A message from outside of the app: an error, a warning, a reason."""
        return catalogue.in_chinese(message) if self.language == "zh" else message

    def state(self, state: str) -> str:
        """A run's state."""
        return self(f"state.{state}")

    def outcome(self, outcome: str) -> str:
        """The outcome of a program."""
        return self(f"outcome.{outcome}")

    def stage(self, stage: str) -> str:
        """The stage of long work; a stage without words of its own is shown by its name."""
        key = f"stage.{stage}"
        return self(key) if key in WORDS else stage

    def families(self) -> list[tuple[str, str]]:
        """The families of invented parts to choose from, as (what is shown, value)."""
        return [(f"{family}: {self(f'family.{family}')}", family) for family in FAMILIES]

    def dimension(self, name: str) -> str:
        """A named number of a program: "hole 2 diameter"."""
        return catalogue.of_dimension(name) if self.language == "zh" else name

    def help(self, setting: str) -> str:
        """The meaning of a training setting."""
        return self.said(TrainConfig.help(setting))

    def curve(self) -> dict[str, str]:
        """The words of the figures."""
        return {key.removeprefix("curve."): escape(self(key)) for key in WORDS if key.startswith("curve.")}
