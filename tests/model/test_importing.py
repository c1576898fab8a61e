"""Two threads may be the first to need a model at once."""

import subprocess
import sys

PROGRAM = """
import importlib, threading
from cadrecode import model
failed = []
def need(module):
    try:
        model.import_all()
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


def test_threads_that_import_at_once_all_get_whole_modules():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
