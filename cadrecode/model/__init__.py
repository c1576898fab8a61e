"""The language model with eyes: point encoder, network, tokens, loading, adapters, decoding.

Importing this package imports neither torch nor transformers; its modules do.
"""

import importlib
import threading

_importing = threading.Lock()


def import_in_turn(*modules: str) -> None:
    """Import modules of this package; a second thread waits for the first.

    transformers imports its parts when they are asked for, and of two threads that ask at once (the app warms its model
    while a page wants an estimate) one can find a part half made: "cannot import name". Threads call this first, for
    what they need alone: PEFT, which `adapters` and `footprint` import, takes as long as all that decoding needs.
    """
    with _importing:
        for module in modules:
            importlib.import_module(f"{__name__}.{module}")
