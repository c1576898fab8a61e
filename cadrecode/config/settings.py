"""Settings: typed, explained, checked once, frozen.

A YAML file, the app's form and the command line all build the same model, and the text under each field is its help in
all three.
"""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from cadrecode import shipped
from cadrecode.errors import ConfigError, Message, foreign, joined

LARGEST_YAML = 200_000  # bytes; real settings have some 3,000
MOST_BITS = 256  # of a whole number
MOST_PROBLEMS = 30  # in one message
_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxlist, _SHORT.maxtuple, _SHORT.maxdict = 4, 30, 30, 30
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 200

Contradiction = tuple[tuple[str, ...], str]  # the settings that exclude each other, and the reason


def _empty_is_none(value: Any) -> Any:
    """A form and a command line have no other way to give no value."""
    return None if isinstance(value, str) and value.strip().lower() in ("", "none", "null") else value


def _split_names(value: Any) -> Any:
    """The command line writes a list as q_proj,v_proj."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _split_ranks(value: Any) -> Any:
    """YAML writes ranks as a mapping, the command line as q_proj=8,down_proj=32."""
    return tuple(f"{name}={rank}" for name, rank in value.items()) if isinstance(value, dict) else _split_names(value)


def reading(words: dict[str | bool, Any]) -> BeforeValidator:
    """Reads what YAML, a check box or a form writes in place of a value: YAML takes a bare `no` for false."""

    def read(value: Any) -> Any:
        value = value.strip() if isinstance(value, str) else value
        return words.get(value, value) if isinstance(value, str | bool) else value

    return BeforeValidator(read)


Text = Annotated[str, Field(min_length=1)]
MaybeText = Annotated[str | None, BeforeValidator(_empty_is_none)]
MaybeCount = Annotated[PositiveInt | None, BeforeValidator(_empty_is_none)]
MaybeMinutes = Annotated[PositiveFloat | None, BeforeValidator(_empty_is_none)]
MaybeRate = Annotated[PositiveFloat | None, BeforeValidator(_empty_is_none)]
Share = Annotated[float, Field(ge=0, le=1)]
HeightSteps = Annotated[int, Field(ge=1, le=10)]
Dropout = Annotated[float, Field(ge=0, lt=1)]
Names = Annotated[tuple[str, ...], BeforeValidator(_split_names), Field(min_length=1)]
Ranks = Annotated[tuple[Annotated[str, Field(pattern=r"^\w+=[1-9]\d{0,3}$")], ...], BeforeValidator(_split_ranks)]
Precision = Annotated[Literal["bf16", "fp16", "no"], reading({False: "no"})]
YesNoAuto = Annotated[Literal["auto", "yes", "no"], reading({True: "yes", False: "no"})]
Device = Annotated[str, Field(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")]
Dtype = Literal["bfloat16", "float16", "float32"]
Seed = Annotated[int, Field(ge=0, lt=2**32)]


class Settings(BaseModel):
    """The base of all settings: the ways in, the way out, and one report of everything that is wrong."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)
    other_spellings: ClassVar[dict[str, str]] = {}  # accepted name -> the setting it stands for
    bundles: ClassVar[dict[str, dict[str, dict[str, Any]]]] = {}  # accepted name -> value -> the settings it stands for

    @classmethod
    def load(cls, path: str | Path | None = None, overrides: Mapping[str, Any] | None = None) -> Self:
        """Read a YAML file and lay the command line's `overrides` over it; without a path, over the defaults.

        Raises: ConfigError: no such file, not YAML, or settings that are unknown, impossible or contradictory.
        """
        values = read_yaml(path) if path is not None else {}
        source = str(path) if path is not None else "settings"
        given, problems = cls._canonical(values)
        over, more = cls._canonical(overrides or {})
        return cls._build({**given, **over}, source, problems + more)

    @classmethod
    def from_values(cls, values: Mapping[str, Any], source: str) -> Self:
        """Build from names and values (numbers may be text). `source` names their origin in the error message."""
        given, problems = cls._canonical(values)
        return cls._build(given, source, problems)

    @classmethod
    def spellings(cls) -> list[str]:
        """All names that are accepted."""
        return [*cls.model_fields, *cls.other_spellings, *cls.bundles]

    @classmethod
    def help(cls, name: str) -> str:
        """The sentence that explains a setting."""
        if name in cls.bundles:
            return "; ".join(f"{value}: {_listed(settings)}" for value, settings in cls.bundles[name].items()) + "."
        return " ".join((cls.model_fields[cls.other_spellings.get(name, name)].description or "").split())

    @classmethod
    def unknown(cls, name: str) -> str:
        """The message for a name that is not a setting."""
        close = difflib.get_close_matches(name, cls.spellings(), n=1, cutoff=0.5)
        if not close:
            return Message("unknown setting {name!r}.", name=name)
        return Message("unknown setting {name!r}. Did you mean {close!r}?", name=name, close=close[0])

    def to_yaml(self) -> str:
        """All settings in the order of the class; `load` reads them back."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=120)

    def changed(self, **values: Any) -> Self:
        """A checked copy with other values."""
        return type(self).from_values({**self.model_dump(), **values}, source="settings")

    def contradictions(self) -> Iterator[Contradiction]:
        """Settings that are each possible but not together."""
        yield from ()

    @model_validator(mode="after")
    def _check_together(self, info: ValidationInfo) -> Self:
        doubtful = (info.context or {}).get("doubtful", set())
        problems = [message for names, message in self.contradictions() if not doubtful & set(names)]
        if problems:
            raise ValueError(*problems)
        return self

    @classmethod
    def _canonical(cls, values: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """The settings without other spellings, bundles and unknown names; and the problems of the latter."""
        settings: dict[str, Any] = {}
        problems: list[str] = []
        for given, value in values.items():
            if isinstance(value, int) and value.bit_length() > MOST_BITS:  # Python does not even print it
                problems.append(Message("{name} has too many digits.", name=_shown(given)))
                continue
            bundle = cls.bundles.get(given)
            if bundle is not None and str(value) not in bundle:
                problems.append(
                    Message(
                        "{name} should be {what}, not {value!r}.",
                        name=given,
                        what=", ".join(bundle),
                        value=_shown(value),
                    )
                )
                continue
            canonical = bundle[str(value)] if bundle else {cls.other_spellings.get(given, given): value}
            for name, new in canonical.items():
                if name not in cls.model_fields:
                    problems.append(cls.unknown(str(given)))
                elif name in settings and settings[name] != new:
                    problems.append(
                        Message(
                            "{name} is given twice: {value!r}, and {second!r} as {other}.",
                            name=name,
                            value=_shown(settings[name]),
                            second=_shown(new),
                            other=given,
                        )
                    )
                else:
                    settings[name] = new
        return settings, problems

    @classmethod
    def _build(cls, values: dict[str, Any], source: str, problems: list[str]) -> Self:
        try:
            config = cls.model_validate(values)
        except ValidationError as error:
            errors = [e for e in error.errors() if e["loc"]]
            problems = problems + [_in_words(e) for e in errors]
            # pydantic checks settings together only if each alone is valid: check the valid ones now.
            bad = {str(e["loc"][0]) for e in errors}
            good = {name: value for name, value in values.items() if name not in bad}
            try:
                cls.model_validate(good, context={"doubtful": bad})
            except ValidationError as together:
                problems += together.errors()[0]["ctx"]["error"].args
        if problems:
            shown = problems[:MOST_PROBLEMS]
            if len(problems) > MOST_PROBLEMS:
                shown.append(Message("and {n:,} more problems like these.", n=len(problems) - MOST_PROBLEMS))
            lines = [Message("{source}: {problem}", source=source, problem=problem) for problem in shown]
            raise ConfigError(joined("{first}\n{second}", lines))
        return config


def _listed(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in settings.items())


def _in_words(error: Any) -> str:
    name = str(error["loc"][0])
    text = error["msg"].removeprefix("Value error, ")
    if error["type"] == "string_pattern_mismatch":
        wanted: str = Message("auto, cpu, cuda, cuda:<number> or mps")
    elif text.startswith("Input should be "):
        wanted = foreign(text.removeprefix("Input should be "))
    else:
        return Message(
            "{name} {problem}, not {value!r}.", name=name, problem=foreign(text), value=_shown(error["input"])
        )
    return Message("{name} should be {what}, not {value!r}.", name=name, what=wanted, value=_shown(error["input"]))


def _shown(value: Any) -> Any:
    """A value as a message prints it: itself, or its beginning where it is long."""
    try:
        text = _SHORT.repr(value)
    except ValueError:  # an int of thousands of digits
        return Message("a number of too many digits")
    return value if "..." not in text else text


class _WithoutAliases(yaml.SafeLoader):
    """A few lines of anchors and aliases can stand for a list of billions."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark
            raise yaml.composer.ComposerError(None, None, "anchors and aliases are not read; write the value out", mark)
        return super().compose_node(parent, index)


def read_yaml(path: str | Path) -> dict[str, Any]:
    """The names and values of a YAML file.

    Raises: ConfigError: missing, not YAML, a name twice, or not a list of `name: value` lines.
    """
    path = shipped.find(path)
    if not path.is_file():
        near = sorted(p.name for p in path.parent.glob("*.yaml")) if path.parent.is_dir() else []
        if not near:
            raise ConfigError("{path}: no such file.", path=path)
        raise ConfigError("{path}: no such file. Beside it there are: {names}.", path=path, names=", ".join(near))
    if path.stat().st_size > LARGEST_YAML:
        most = LARGEST_YAML // 1000
        raise ConfigError("{path}: has more than {most:,} kB, far more than any settings.", path=path, most=most)
    try:
        text = path.read_text(encoding="utf-8")
        tree = yaml.compose(text, Loader=_WithoutAliases)
        values = yaml.load(text, Loader=_WithoutAliases)
    except (yaml.YAMLError, ValueError) as error:  # ValueError: not UTF-8, or a number or a date that is none
        raise ConfigError("{path}: not readable as YAML. {error}", path=path, error=str(error)[:500]) from error
    except RecursionError as error:
        raise ConfigError("{path}: its lists are nested too deeply.", path=path) from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(
            "{path}: holds {kind}, expected lines of `name: value`.", path=path, kind=type(values).__name__
        )
    names = [key.value for key, _ in tree.value]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:  # PyYAML keeps the last one without a word
        raise ConfigError("{path}: {names} is given twice. Keep one line each.", path=path, names=", ".join(twice))
    return values
