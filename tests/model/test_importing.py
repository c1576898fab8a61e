"""Two threads may be the first to need a model at once."""

import subprocess
import sys

import pytest

PROGRAM = """
import importlib, threading
from cadrecode.model.importing import import_in_turn
failed = []
def need(module):
    try:
        import_in_turn(module)
        importlib.import_module(f"cadrecode.model.{module}")
    except ImportError as error:
        failed.append(error)
threads = [threading.Thread(target=need, args=(module,)) for module in ("load", "footprint", "adapters")]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not failed, failed
"""


@pytest.mark.slow
def test_threads_that_import_at_once_all_get_whole_modules():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_decoding_does_not_wait_for_the_adapters_library():
    program = (
        "import sys; from cadrecode.model.importing import import_in_turn; import_in_turn('load', 'decode'); "
        "print('peft' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
