"""README and docs: every command parses, every link leads somewhere, and what bears no `needs:` mark is run.

A mark is a comment above a block of code: `<!-- needs: a GPU -->` for commands that no test can run, `<!-- tested with:
--max_steps 2 -->` for arguments that make a run short, `<!-- tested by: FILE -->` for a block that another test runs.
"""

import argparse
import os
import re
import runpy
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from cadrecode.cli.verbs import OTHER_NAMES, VERBS
from cadrecode.ui.launch import arguments as app_arguments

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "README.zh-CN.md", *sorted((ROOT / "docs").glob("*.md"))]
MARK = re.compile(r"<!-- (needs|tested with|tested by): (.+) -->")
STARTS = ("cadrecode ", "python ", "python3.11 ", "make ", "pip ", "accelerate ")
SCRIPTS = {
    "train_cad_recode_lora.py": "train",
    "inference_lora.py": "reconstruct",
    "merge_lora_weights.py": "merge",
    "app.py": "app",
}


@dataclass(frozen=True)
class Block:
    """A block of code in a document, and the marks above it."""

    document: Path
    language: str  # empty for an indented block
    lines: tuple[str, ...]
    marks: dict[str, str]

    @property
    def commands(self) -> list[str]:
        """Its lines, where the first is a command."""
        lines = [line for line in self.lines if line.strip()]
        if self.language == "python" or not lines or not lines[0].startswith(STARTS):
            return []
        return lines

    def runs(self) -> bool:
        return not self.marks.keys() & {"needs", "tested by"}


def blocks(document: Path) -> list[Block]:
    """Every block of code, fenced or indented by four spaces."""
    result: list[Block] = []
    marks: dict[str, str] = {}
    lines = iter([*document.read_text(encoding="utf-8").splitlines(), "end"])
    for line in lines:
        if match := MARK.fullmatch(line.strip()):
            marks[match[1]] = match[2]
        elif line.startswith("```"):
            inside = list(iter(lambda: next(lines), "```"))
            result.append(Block(document, line.removeprefix("```"), tuple(inside), marks))
            marks = {}
        elif line.startswith("    "):
            inside = [line[4:]]
            while (line := next(lines)).startswith("    "):
                inside.append(line[4:])
            result.append(Block(document, "", tuple(inside), marks))
            marks = {}
        elif line.strip():
            assert not marks, f"{document.name}: a mark stands above {line!r}, which is no code"
    return result


BLOCKS = [block for document in DOCUMENTS for block in blocks(document)]
COMMANDS = [(block, command) for block in BLOCKS for command in block.commands]
NAMES = [path.relative_to(ROOT).as_posix() for path in DOCUMENTS]


def words_of(command: str) -> list[str]:
    return shlex.split(command, comments=True)


class Parsed(BaseException):
    """A parser has read a command. Not an Exception, so that no handler takes it for a failure."""


@pytest.fixture
def parse_only(monkeypatch):
    """Parsers raise `Parsed` with what they did not know, in place of going on."""
    original = argparse.ArgumentParser.parse_known_args

    def stop(self, args=None, namespace=None):
        raise Parsed(original(self, args, namespace)[1])

    monkeypatch.setattr(argparse.ArgumentParser, "parse_known_args", stop)


def parse(words: list[str], monkeypatch) -> None:
    """Let the parser of a command read its words. Raises: Parsed: with the words that it does not know."""
    if words[0] == "accelerate":
        import accelerate.commands.launch as launch

        with monkeypatch.context() as plain:
            plain.undo()
            options = launch.launch_command_parser().parse_args(words[2:])
        script, rest = options.training_script, options.training_script_args
        parse(["python", "-m", script, *rest] if options.module else ["python", script, *rest], monkeypatch)
    if words[0].startswith("python") and words[1] == "-m" and words[2].startswith("benchmarks."):
        monkeypatch.setattr(sys, "argv", words[2:])
        runpy.run_module(words[2], run_name="__main__")
    if words[0].startswith("python"):
        verb, rest = (words[3], words[4:]) if words[1:3] == ["-m", "cadrecode"] else (SCRIPTS[words[1]], words[2:])
    else:
        verb, rest = words[1], words[2:]
    if verb == "app":
        app_arguments().parse_args(rest)
    VERBS[OTHER_NAMES.get(verb, verb)](rest)


@pytest.mark.parametrize(("block", "command"), COMMANDS, ids=lambda value: value if isinstance(value, str) else "")
def test_each_command_parses(block, command, parse_only, monkeypatch):
    words = words_of(command)
    if words[0] == "make":
        assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.M)
    elif words[0] == "pip" or words[1:3] == ["-m", "venv"]:
        assert all((ROOT / word).exists() for word in words if word.endswith(".txt"))
    else:
        with pytest.raises(Parsed) as outcome:
            parse(words, monkeypatch)
        assert outcome.value.args[0] == [], f"{block.document.name}: unknown words"


@pytest.mark.parametrize("document", DOCUMENTS, ids=NAMES)
def test_links_and_pictures_lead_somewhere(document):
    for target in re.findall(r"\]\(([^)]+)\)", document.read_text(encoding="utf-8")):
        path, _, anchor = target.partition("#")
        if path.startswith("http"):
            continue
        linked = document.parent / path if path else document
        assert linked.exists(), f"{document.name} links to {target}"
        if anchor:
            heads = re.findall(r"^#+ (.+)$", linked.read_text(encoding="utf-8"), re.M)
            assert anchor in {re.sub(r"[^\w\- ]", "", head).strip().lower().replace(" ", "-") for head in heads}, target


@pytest.mark.parametrize(
    "block", [block for block in BLOCKS if "tested by" in block.marks], ids=lambda b: b.document.name
)
def test_the_test_that_runs_a_block_reads_its_document(block):
    assert block.document.name in (ROOT / block.marks["tested by"]).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    """A reader who follows all documents in one folder: runs a command, unless an earlier document had the same."""
    folder, done = tmp_path_factory.mktemp("reader"), set()
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}

    def run(command: tuple[str, ...]) -> None:
        if command in done:
            return
        result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        assert result.returncode == 0, f"{shlex.join(command)}\n{result.stdout}{result.stderr}"
        done.add(command)

    return run


def command_of(words: list[str], block: Block) -> tuple[str, ...]:
    """How the test runs a command of a document: with this Python, and with the arguments that make it short."""
    assert words[0] in ("cadrecode", "python"), f"{block.document.name}: mark what {' '.join(words)} needs"
    module = ["-m", "cadrecode"] if words[0] == "cadrecode" else []
    path = str(ROOT / words[1]) if words[1] in SCRIPTS else words[1]
    return (sys.executable, *module, path, *words[2:], *words_of(block.marks.get("tested with", "")))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("document", DOCUMENTS, ids=NAMES)
def test_what_needs_nothing_runs(document, reader):
    for block in BLOCKS:
        if block.document != document or not block.runs():
            continue
        if block.language == "python":
            reader((sys.executable, "-c", "\n".join(line.partition("  #")[0].rstrip() for line in block.lines)))
        for command in block.commands:
            reader(command_of(words_of(command), block))


@pytest.mark.parametrize("document", DOCUMENTS[:2], ids=NAMES[:2])
def test_the_readme_names_every_verb_and_has_at_most_150_lines(document):
    text = document.read_text(encoding="utf-8")
    assert [verb for verb in VERBS if verb not in text] == []
    assert text.count("\n") <= 150


@pytest.mark.parametrize("document", DOCUMENTS[:2], ids=NAMES[:2])
def test_the_tree_names_every_room(document):
    tree = re.search(r"    cadrecode/\n(.*?)\n    assets/", document.read_text(encoding="utf-8"), re.DOTALL)[1]
    rooms = {f"{path.name}/" for path in (ROOT / "cadrecode").iterdir() if (path / "__init__.py").is_file()}
    rooms |= {path.name for path in (ROOT / "cadrecode").glob("*.py") if not path.name.startswith("__")}
    named = {
        word for line in tree.splitlines() for word in re.split(r" {2,}", line.strip()) if word.endswith((".py", "/"))
    }
    assert named == rooms
