"""Import modules of this room from threads."""

import importlib
import threading

_importing = threading.Lock()


def import_in_turn(*modules: str) -> None:
    """Import modules of `cadrecode.model`; a second thread waits for the first.

    transformers imports its parts lazily, and of two threads that need the same part at once (the app warms its model
    while a page wants an estimate) the second can see a module that is half made: "cannot import name". Threads call
    this first, for the modules they need and no others: PEFT, which `adapters` and `footprint` import, takes as long to
    import as everything that decoding needs.
    """
    with _importing:
        for module in modules:
            importlib.import_module(f"cadrecode.model.{module}")
