"""Importing the package and opening the app use no network: looking a name up, or calling another machine, fails.

Nor does opening the app import what is heavy.
"""

import subprocess
import sys

import pytest

REFUSES = """
import socket, sys
connect, resolve = socket.socket.connect, socket.getaddrinfo

def guarded(self, address):
    if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1", "localhost"):
        sys.exit(f"connects to {address}")
    return connect(self, address)

def looked_up(host, *given, **options):
    if host not in (None, "", "127.0.0.1", "::1", "localhost", b"127.0.0.1", b"localhost"):
        sys.exit(f"looks up {host}")
    return resolve(host, *given, **options)

socket.socket.connect, socket.getaddrinfo = guarded, looked_up
"""
IMPORTS = "import cadrecode; cadrecode.reconstruct; cadrecode.parse; cadrecode.train"
OPENS = """
import os, tempfile, httpx
from pathlib import Path
from cadrecode.engine import Engine
from cadrecode.kernel import shared_sandbox
from cadrecode.ui import build
from cadrecode.ui.services import Services
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
services = Services(Engine(), Path(tempfile.mkdtemp()), shared_sandbox)
app, address = build.start(services, port=port)
heavy = {"torch", "cadquery", "OCP", "transformers", "peft"} & {name.split(".")[0] for name in sys.modules}
assert not heavy, f"imports {heavy}"
assert len(app.get_config_file()["page"]) == 2  # English and Chinese
page = httpx.get(address)
assert page.status_code == 200, page
foreign = [word for word in page.text.replace('"', " ").split() if word.startswith("http") and "127.0.0.1" not in word]
print([word for word in foreign if any(word.endswith(kind) for kind in (".js", ".css", ".woff2"))])
sys.stdout.flush()
os._exit(0)
"""


@pytest.mark.parametrize("program", [IMPORTS, OPENS], ids=["import", "open"])
def test_nothing_asks_the_network(program):
    done = subprocess.run([sys.executable, "-c", REFUSES + program], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "looks up" not in done.stderr
    assert "connects to" not in done.stderr
    assert done.stdout.strip() in ("", "[]")
