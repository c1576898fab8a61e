"""What the rooms below say has Chinese: every sentence that a page can be told is found in the source and looked up."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from cadrecode.cloud import read_cloud
from cadrecode.config import TrainConfig
from cadrecode.errors import CadrecodeError, ProgramError
from cadrecode.program import parse
from cadrecode.ui.events import told
from cadrecode.ui.reconstruct import describe
from cadrecode.ui.words.said import BETWEEN_SENTENCES, GAP, SAID, in_chinese, patterns
from cadrecode.ui.words.said_models import SAID_OF_MODELS
from cadrecode.ui.words.said_parts import SAID_OF_PARTS
from cadrecode.ui.words.text import Words
from tests.test_architecture import PACKAGE, imports

HAN = re.compile(r"[\u4e00-\u9fff]")
WORD = re.compile(r"""(?<!\S)["'(]?[A-Za-z]{2,}[,.;:)?!'"]*(?!\S)""")  # no code, no name with a dot or an underscore
SPOKEN = {  # calls whose words are for a person, however few
    "CadrecodeError", "PointCloudError", "ConfigError", "DatasetError", "ModelError", "RunError", "KernelError",
    "ProgramError", "ArchiveError", "LinkError", "Cancelled", "BadLine", "_error", "wrong_content", "_refusal", "Row",
}  # fmt: skip
STARTED = ("train/__init__.py", "model/proof.py")  # in processes of their own, so nothing imports them
SENTENCE_WORDS = 3  # of other texts below the pages, those with as many words
NOT_SHOWN = {  # what never comes to a page: programs, names of their numbers, files, faults of ours
    "program/write.py", "program/grammar.py", "program/families.py", "program/invent.py", "train/card.py",
    "config/pretraining.py", "cloud/shapes.py", "cloud/align.py", "cloud/clean.py", "cloud/signed.py",
    "cloud/distance.py", "frames.py", "scoring/deviation.py", "errors.py",
}  # fmt: skip
NO_MESSAGES = {  # what is searched for, logged, or a fault of ours
    "cannot allocate memory", "most recent call first", "Input should be", ", gap to gap tokens, median gap",
    "unknown export gap; there are gap", "unknown unit gap; there are gap", "exports need a folder to go to",
    "gap cannot be a file name", "(gap)",
    "merged model gap (preferred to the adapter beside it)", "should be auto, cpu, cuda, cuda:<number> or mps",
    '--mcp needs a library that is not installed: pip install "gradio[mcp]"',
}  # fmt: skip


@cache
def modules() -> list[Path]:
    """What the app and the trainings that it starts are made of."""
    waiting, found = [*(PACKAGE / "ui").rglob("*.py"), *(PACKAGE / name for name in STARTED)], set()
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += [
                file for name in imports(path) for one in (name, name.rpartition(".")[0]) if (file := _file(one))
            ]
    return sorted(path for path in found if path.relative_to(PACKAGE).as_posix() not in NOT_SHOWN)


def _file(name: str) -> Path | None:
    below = PACKAGE.parent.joinpath(*name.split("."))
    return next((file for file in (below.with_suffix(".py"), below / "__init__.py") if file.is_file()), None)


def words_in(text: str) -> int:
    return len(WORD.findall(text.replace("\0", " ").replace("gap", " ")))


def text_of(node: ast.AST) -> str | None:
    """The text of an expression, \\0 for each gap; None where it is no text."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return "".join(text_of(one) or "\0" for one in values)
        case ast.BinOp(op=ast.Add(), left=left, right=right):
            both = text_of(left), text_of(right)
            return None if both == (None, None) else "".join(one or "\0" for one in both)
    return None


def spoken(node: ast.AST, least_words: int) -> Iterator[str]:
    """The texts below a node that have that many words, and all that stand in a call of SPOKEN."""
    match node:
        case ast.Expr(value=ast.Constant()):  # a docstring
            return
        case ast.Call(func=ast.Attribute(value=ast.Name(id="log" | "logger"))):
            return
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in SPOKEN:
            least_words = 1
    text = text_of(node)
    if text is not None and words_in(text) >= least_words:
        yield text
    for child in ast.iter_child_nodes(node):
        if text is None or not isinstance(child, ast.Constant | ast.JoinedStr | ast.BinOp):
            yield from spoken(child, least_words if text is None else SENTENCE_WORDS)


def sentences(text: str) -> list[str]:
    """What `in_chinese` looks up of a text, its gaps filled, and those that hold a sentence of their own left out."""
    text = re.sub("(?<=[a-z)\0][.?!])\0|^\0(?=[a-z])|(?<=[.?!]) \0(?= [A-Z]|$)", "", text.strip()).replace("\0", "gap")
    return [one for line in text.split("\n") for one in BETWEEN_SENTENCES.split(line.strip())]


@cache
def all_sentences() -> frozenset[str]:
    found = set()
    for path in modules():
        least = 10**6 if "ui" in path.relative_to(PACKAGE).parts else SENTENCE_WORDS
        texts = spoken(ast.parse(path.read_text(encoding="utf-8")), least)
        found |= {one for text in texts if "\n   " not in text for one in sentences(text)}  # lists of names apart
    return frozenset(found - NO_MESSAGES)


@cache
def known(text: str) -> set[str]:
    """The sentences of the tables that a text is made of; empty where words of it stand in none."""
    for pattern, english in patterns():
        if match := pattern.fullmatch(text):
            inner = [known(value) for value in match.groupdict().values() if words_in(value) > 1]
            return {english}.union(*inner) if all(inner) else set()
    return known(text.partition(": ")[2]) if ": " in text else set()


def test_every_message_below_the_pages_has_chinese():
    assert len(all_sentences()) > 500
    assert {one for one in all_sentences() if not known(one) and not known(f"{one}.")} == set()


def test_nothing_in_the_tables_is_left_over():
    """Short phrases apart, which stand in gaps, and sentences that bring another one along."""
    used = set().union(*(known(one) | known(f"{one}.") for one in all_sentences()))
    own = {**SAID_OF_PARTS, **SAID_OF_MODELS}
    left = {one for one in own if words_in(one) >= SENTENCE_WORDS and not BETWEEN_SENTENCES.search(one)}
    assert left - used == {"{name} has {n} different point{_s} among {all}."}  # its end is there at times only


def test_both_sides_have_the_same_gaps_and_chinese_is_chinese():
    for english, chinese in SAID.items():
        assert HAN.search(chinese), english
        assert {gap for gap in GAP.findall(english) if gap[0] != "_"} == set(GAP.findall(chinese)), english


def raised(act, *given) -> CadrecodeError:
    with pytest.raises(CadrecodeError) as caught:
        act(*given)
    return caught.value


def test_what_goes_wrong_is_told_in_chinese(tmp_path):
    scan = tmp_path / "scan.ply"
    scan.write_bytes(b"PK\x03\x04 and so on")
    words = Words("zh")
    assert (
        told(raised(read_cloud, scan), words)
        == "scan.ply 应为 PLY 文件，内容却是 zip 压缩包。请重新下载或导出文件本身。"
    )
    wrong = {"lora_r": "x", "max_steps": 0}
    assert told(raised(TrainConfig.from_values, wrong, "form"), words) == (
        "表单：lora_r 应为整数，而不是 'x'。\n表单：max_steps 应大于 0，而不是 0。"
    )
    assert told(ValueError("of ours"), words).startswith("发生了意外错误（ValueError）")
    assert told(raised(read_cloud, scan), Words("en")) == str(raised(read_cloud, scan))


def test_a_fault_of_a_program_keeps_its_place():
    text = "import cadquery as cq\nr=w0.box(1,2,3)"
    error = raised(parse, text)
    assert isinstance(error, ProgramError)
    shown = describe.program_error(error, text, Words("zh"))
    assert "第 2 行，第 3 列： 名称 w0 没有赋值。 应为以下之一：none。" in shown
    assert in_chinese(str(error)) == "第 2 行，第 3 列：名称 w0 没有赋值。应为以下之一：none。"


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("a is failed; only a run that has ended can be resumed.", "a 失败；只有已结束的运行可以继续。"),
        (
            "Nothing to resume from in runs/a. checkpoint-8: it was not written to its end; optimizer.pt is missing",
            "runs/a 中没有可以继续的内容。checkpoint-8：没有写完；缺少 optimizer.pt",
        ),
        ("None of the 2 programs of p is usable.\n  a: not JSON", "p 的 2 个程序都不可用。\n a：不是 JSON"),
        ("z.zip holds 'a', a link to another place: it is not unpacked.", "z.zip 含有指向别处的链接 'a'：没有解压。"),
        ("RuntimeError: nobody foresaw this", "RuntimeError: nobody foresaw this"),
    ],
)
def test_messages_that_hold_others(english, chinese):
    assert in_chinese(english) == chinese
