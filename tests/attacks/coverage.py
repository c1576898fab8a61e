"""The targets of `make fuzz`, with changes that reach new branches of the package; needs `pip install atheris`:

    python -m tests.attacks.coverage program --seconds 600

Stops at the first find, and writes the input that made it into the folder of the corpus, which later runs go on from.
"""

import argparse
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["cadrecode"]):
    from cadrecode.errors import CadrecodeError
    from tests.attacks.fuzz import targets

MOST_BYTES = 4096  # of an input


def main() -> None:
    choices = targets()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", choices=choices)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--corpus", type=Path, default=Path("runs/corpus"))
    options = parser.parse_args()
    goods, send = choices[options.target]
    corpus = options.corpus / options.target.replace(" ", "_")
    corpus.mkdir(parents=True, exist_ok=True)
    for index, good in enumerate(goods):
        (corpus / f"good{index}").write_bytes(good)

    def attempt(data: bytes) -> None:
        try:
            send(data)
        except CadrecodeError as error:
            str(error)

    limits = [f"-max_total_time={options.seconds}", f"-max_len={MOST_BYTES}", f"-artifact_prefix={corpus}/"]
    atheris.Setup([sys.argv[0], *limits, str(corpus)], attempt)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
