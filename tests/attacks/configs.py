"""Settings in YAML, as trainings, evaluations and rebuilds read them."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from cadrecode.errors import CadrecodeError
from tests.attacks.attack import Attack, Route


def laughs(levels: int, width: int = 9, key: str = "seed") -> str:
    text = ["a0: &a0 [x,x,x,x,x,x,x,x,x]"]
    text += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * width)}]" for n in range(1, levels)]
    return "\n".join([*text, f"{key}: *a{levels - 1}"])


TEXTS = {
    **{f"aliases that expand, {levels} levels": laughs(levels) for levels in (4, 6, 8, 9, 20, 60)},
    "aliases as a text setting": laughs(9, key="base_model_name_or_path"),
    "aliases as names": laughs(9, key="lora_target_modules"),
    "aliases in maps": "a: &a {x: y}\n" + "\n".join(
        f"a{n}: &a{n} {{p: *a{n - 1 if n else ''}, q: *a{n - 1 if n else ''}}}" for n in range(40)) + "\nseed: *a39",
    "aliases by merge": "a: &a {seed: 1}\nb: &b {<<: [*a,*a,*a,*a]}\n<<: *b",
    "an alias of itself": "a: &a [*a]\nseed: *a",
    "a map that holds itself": "&a a: *a",
    "an alias as a key": "a: &a x\n*a : 1",
    "lists nested 100,000 deep": "seed: " + "[" * 99_000 + "]" * 99_000,
    "lists nested 400 deep": "seed: " + "[" * 400 + "]" * 400,
    "maps nested 400 deep": "seed: " + "{a: " * 400 + "1" + "}" * 400,
    "blocks nested 300 deep": "".join(" " * n + "a:\n" for n in range(300)),
    "dashes 1,000 deep": "seed:\n " + "- " * 1000 + "1",
    "seed of 10^400": "seed: 1" + "0" * 400,
    "seed of 5,000 digits": "seed: " + "9" * 5000,
    "seed of 5,000 hexadecimal digits": "seed: 0x" + "f" * 5000,
    "seed of octal digits": "seed: 0" + "7" * 9000,
    "seed of binary digits": "seed: 0b" + "1" * 90_000,
    "seed by sixties": "seed: 1" + ":59" * 5000,
    "rate of 1e400": "learning_rate: 1.0e+400",
    "rate of nan": "learning_rate: .nan",
    "rate of a huge int": "learning_rate: 1" + "0" * 309,
    "rate below zero": "learning_rate: -1",
    "a list of huge ints": "seed: [0x" + "f" * 9000 + "]",
    "a date that is none": "seed: 2001-99-99",
    "a date": "seed: 2001-12-14t21:59:43.10-05:00",
    "a date far away": "seed: 9999-12-31T23:59:59-99:99",
    "python object": "seed: !!python/object/apply:os.system ['touch {folder}/x']",
    "python name": "seed: !!python/name:os.system",
    "python tuple": "seed: !!python/tuple [1, 2]",
    "binary": "seed: !!binary AAAA",
    "binary that is none": "seed: !!binary '%%%%'",
    "set": "seed: !!set {a, b}",
    "omap": "seed: !!omap [a: 1, b: 2]",
    "tag of thousands": "seed: !" + "a" * 9000 + " 1",
    "directive": "%YAML 99.9\n---\nseed: 1",
    "directive twice": "%TAG ! tag:x,2000:\n%TAG ! tag:x,2000:\n---\nseed: 1",
    "two documents": "seed: 1\n---\nseed: 2",
    "a thousand documents": "---\n" * 1000,
    "unhashable key": "? [a, b]\n: 1",
    "key of a map": "? {a: b}\n: 1",
    "key of a number": "1: 2",
    "key of none": "~: 2",
    "key of true": "yes: 2",
    "key of 90,000 letters": "a" * 90_000 + ": 1",
    "keys by the thousand": "\n".join(f"a{n}: 1" for n in range(9_000)),
    "a name twice": "seed: 1\nseed: 2",
    "text of 150,000 letters": "base_model_name_or_path: " + "a" * 150_000,
    "text of 150,000 letters as a number": "seed: " + "a" * 150_000,
    "quotes without an end": "seed: '" + "a" * 90_000,
    "a block without an end": "seed: |\n" + " a\n" * 40_000,
    "a list": "[1, 2]",
    "a number": "1",
    "nothing": "",
    "only comments": "#" * 100_000,
    "tabs": "\tseed:\t1",
    "null bytes": "seed: \x00",
    "a bell": "seed: \x07",
    "half a surrogate": "seed: \\ud800",
    "surrogate, escaped": 'seed: "\\ud800"',
    "escapes": 'base_model_name_or_path: "\\x00\\e\\N"',
    "another setting": "os: system",
    "a setting like another": "sead: 1",
    "a dunder": "__class__: 1\n__init__: 2",
    "model_config": "model_config: {extra: allow}",
    "10 MB": "# " + "x" * 10_000_000,
    "10 MB of lists": "seed: [" + "1," * 5_000_000 + "1]",
    "colons": ":" * 100_000,
    "commas": "seed: [" + "," * 50_000 + "]",
    "anchors alone": "\n".join(f"a{n}: &b{n} 1" for n in range(5_000)),
}  # fmt: skip


@contextlib.contextmanager
def _settings() -> Iterator:
    from cadrecode.config import ReconstructConfig, TrainConfig

    folder = Path(tempfile.mkdtemp(prefix="attacks-yaml-"))

    def send(text: str) -> str:
        path = folder / "config.yaml"
        path.write_bytes(text.encode(errors="surrogatepass"))
        outcomes = []
        for kind in (TrainConfig, ReconstructConfig):
            try:
                kind.load(path)
                outcomes.append("ok")
            except CadrecodeError as error:
                if len(str(error)) > 1_000_000:
                    return f"Traceback: a message of {len(str(error)):,} characters"
                outcomes.append(type(error).__name__)
        return " ".join(dict.fromkeys(outcomes))

    try:
        yield send
    finally:
        shutil.rmtree(folder)


def _filled(text: str, outside) -> str:
    return outside.fill(text)


ROUTES = [
    Route(
        "YAML",
        [Attack(name, partial(_filled, text), short=n % 7 == 0) for n, (name, text) in enumerate(TEXTS.items())],
        _settings,
    )
]
