"""Every word exists in both languages, and only words of the dictionary are shown."""

import re
from pathlib import Path

import numpy as np
import pytest

from cadrecode import ui
from cadrecode.config import TrainConfig
from cadrecode.errors import ProgramError
from cadrecode.invent import machined
from cadrecode.invent.draw import FAMILIES
from cadrecode.kernel import Outcome
from cadrecode.program import build, parse
from cadrecode.program.edit import set_parameters
from cadrecode.program.naming import named_numbers
from cadrecode.runs import State
from cadrecode.scoring import OUTSIDE
from cadrecode.ui.train.actions import PRESETS
from cadrecode.ui.train.fields import FIRST, grouped
from cadrecode.ui.words.text import WORDS, Words

SOURCES = sorted(Path(ui.__file__).parent.rglob("*.py"))
HAN = re.compile(r"[\u4e00-\u9fff]")


def test_chinese_is_chinese():
    same_in_both = {"adapters.rank", "adapters.iou", "set.lora_alpha", "runs.iou", "train.iou_now", "film.iou"}
    same_in_both |= {"doctor.CadQuery", "doctor.Python"}
    words = Words("zh")
    assert {key for key in WORDS if not HAN.search(words(key))} == same_in_both


def test_every_key_in_the_source_exists():
    used = {
        key
        for path in SOURCES
        for key in re.findall(r"""words\(\s*["']([\w. ]+)["']""", path.read_text(encoding="utf-8"))
    }
    assert len(used) > 80
    assert used - set(WORDS) == set()


def test_no_key_is_left_over():
    source = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES if path.parent.name != "words")
    built = {
        "outcome", "state", "stage", "dim", "family", "group", "preset", "runs", "adapters", "set", "evaluate",
        "memory", "compare", "strength", "help", "tour", "batch", "row", "files", "mode", "options", "login",
        "facts", "look", "tool", "phase", "doctor",
    }  # fmt: skip
    whole = {key for key in WORDS if re.search(rf"""["']{re.escape(key)}["']""", source)}
    left = {key for key in set(WORDS) - whole if key.split(".")[0] not in built | {"curve"}}
    assert left == set()


def test_what_other_rooms_say_has_words():
    words = Words("zh")
    for state in State:
        assert HAN.search(words.state(state))
    for outcome in (*Outcome, OUTSIDE):
        assert HAN.search(words.outcome(outcome))
    assert [family for text, family in words.families() if HAN.search(text)] == list(FAMILIES)
    for group in grouped():
        assert HAN.search(words(f"group.{group}"))
    for name in PRESETS:
        assert HAN.search(words(f"preset.{name}"))
    for stage in ("loading", "sampling", "building", "ranking", "checking", "measuring", "merging", "saving", "done"):
        assert HAN.search(words.stage(stage))


def test_every_setting_is_explained_in_both_languages():
    for name in TrainConfig.model_fields:
        assert HAN.search(Words("zh").help(name))
        assert Words("en").help(name)
    assert all(f"set.{name}" in WORDS for name in FIRST)


def test_numbers_of_programs_are_named_in_chinese():
    assert Words("zh").dimension("hole 2 diameter") == "孔 2 直径"
    assert Words("zh").dimension("plate thickness") == "板厚度"
    assert Words("en").dimension("hole 2 diameter") == "hole 2 diameter"
    rng = np.random.default_rng(5)
    for number in [number for _ in range(40) for number in named_numbers(machined.draw(rng))]:
        assert not re.search("[a-wA-Z]", Words("zh").dimension(number.name)), number.name


def test_messages_name_numbers_and_blends_in_chinese():
    block = parse("import cadquery as cq\nr=cq.Workplane('XY').box(10,10,4).edges('|Z').fillet(1)")
    with pytest.raises(ProgramError) as refused:
        set_parameters(block, {"plate thickness": -1})
    assert Words("zh").said(refused.value.message).startswith("板厚度")
    with pytest.raises(ProgramError) as refused:
        build(set_parameters(block, {"fillet radius": 40}))
    assert "圆角" in Words("zh").said(refused.value.message)
