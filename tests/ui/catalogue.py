"""The sentences of the source that need Chinese, and the catalogue that holds it. `make words` brings it up to date.

A new sentence comes into cadrecode.po with an empty msgstr. Write the Chinese there, and run `make words` again.
"""

import ast
import io
import string
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

import cadrecode
from cadrecode import errors
from cadrecode.config import TrainConfig
from cadrecode.ui.words.catalogue import MO_FILE
from cadrecode.ui.words.text import WORDS

PACKAGE = Path(cadrecode.__file__).parent
PO_FILE = MO_FILE.with_suffix(".po")
CALLS = {"Message": 0, "joined": 0, "error_at": 1, "wrong": 0}  # besides our errors: which argument is the template
FOREIGN = (
    # Python, of a text that is no program
    "invalid syntax", "invalid syntax. Perhaps you forgot a comma?", "{a} was never closed", "unmatched {a}",
    "closing parenthesis {a} does not match opening parenthesis {b}", "unexpected indent",
    "unterminated string literal (detected at line {a})", "unexpected EOF while parsing",
    # the sandbox's process, which is not trusted with templates, of what a program made
    "the program does not assign r (or result)", "its volume is not above zero", "r has no finite volume",
    "its faces and edges do not fit together (BRepCheck)",
    # the layers of the sandbox
    "attribute allow-list", "separate process", "time limit", "empty environment", "memory limit", "cpu limit",
    "file-size limit",
    # pydantic, of a setting
    "a valid integer", "a valid integer, unable to parse string as an integer",
    "a valid integer, got a number with a fractional part", "a valid number",
    "a valid number, unable to parse string as a number", "a finite number", "a valid boolean",
    "a valid boolean, unable to interpret input", "a valid string", "greater than {a}", "greater than or equal to {a}",
    "less than {a}", "less than or equal to {a}", "{a} or {b}", "{a}, {b} or {c}", "{a}, {b}, {c} or {d}",
)  # fmt: skip


def templates() -> set[tuple[str | None, str]]:
    """All that a page can say: the key of a page word or None, and its English."""
    help_texts = {(None, TrainConfig.help(name)) for name in TrainConfig.model_fields}
    messages = {(None, text) for text in (*FOREIGN, *(text for _, text in raised())) if speaks(text)}
    return help_texts | messages | set(WORDS.items())


def speaks(template: str) -> bool:
    """Whether there is something to translate besides the gaps; a colon or a semicolon is."""
    return any(text.strip() for text, *_ in string.Formatter().parse(template))


def gaps(template: str) -> set[str]:
    """The names of the gaps, without those of English grammar alone, which begin with _."""
    return {name for _, name, _, _ in string.Formatter().parse(template) if name and not name.startswith("_")}


def raised() -> Iterator[tuple[str, str]]:
    """The templates of errors and messages in the source, each with its place."""
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(PACKAGE.rglob("*.py"))}
    classes = _error_classes(trees.values())
    for path, tree in trees.items():
        texts = _texts_of_names(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                position = 0 if name in classes else CALLS.get(name)
                if position is not None and len(node.args) > position:
                    place = f"{path.relative_to(PACKAGE)}:{node.lineno}"
                    for text in _texts(node.args[position], texts, place):
                        yield place, text


def _error_classes(trees) -> set[str]:
    """Our errors, the ones of single rooms as well."""
    known = {name for name, value in vars(errors).items() if isinstance(value, type)} & set(dir(errors))
    known = {name for name in known if issubclass(getattr(errors, name), errors.CadrecodeError)}
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and known & {getattr(base, "id", "") for base in node.bases}:
                known.add(node.name)
    return known


def _texts_of_names(tree: ast.Module) -> dict[str, list[str]]:
    texts: dict[str, list[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            for target in node.targets:
                texts.setdefault(getattr(target, "id", ""), []).append(node.value.value)
    return texts


def _texts(node: ast.expr, names: dict[str, list[str]], place: str) -> Iterator[str]:
    """The template that an expression is; a Message that is passed on has been found where it was made."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.Name(id=name):
            yield from names.get(name, [])
        case ast.IfExp(body=body, orelse=other):
            yield from _texts(body, names, place)
            yield from _texts(other, names, place)
        case ast.JoinedStr() | ast.BinOp():
            raise AssertionError(f"{place}: a template with values is needed, not a text put together")


def read_catalogue() -> Catalog:
    with PO_FILE.open("rb") as file:
        return read_po(file, locale="zh")


def compiled(catalogue: Catalog) -> bytes:
    file = io.BytesIO()
    write_mo(file, catalogue)
    return file.getvalue()


def main() -> None:
    """Add what is new to the .po with an empty msgstr, drop what is gone, and compile it."""
    old = read_catalogue()
    new = Catalog(
        locale="zh", project="cadrecode", fuzzy=False, creation_date=old.creation_date, revision_date=old.revision_date
    )
    for context, text in sorted(templates(), key=lambda entry: (entry[0] or "", entry[1])):
        known = old.get(text, context)
        new.add(text, known.string if known else "", context=context, flags=known.flags if known else ())
    with PO_FILE.open("wb") as file:
        write_po(file, new, width=120, omit_header=False)
    MO_FILE.write_bytes(compiled(new))
    print(*(f"needs Chinese: {message.id}" for message in new if message.id and not message.string), sep="\n")


if __name__ == "__main__":
    main()
