"""What arrives over HTTP: as nobody or a guest, from other sites' pages, under foreign names; and adapters as zips."""

import contextlib
import io
import json
import pickle
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from gradio.utils import get_upload_folder

from cadrecode.errors import CadrecodeError
from cadrecode.jobs import queue
from cadrecode.ui.guard import API, REFUSED, RULES, Role
from tests.attacks.attack import Attack, Route
from tests.attacks.guard import SECRET, Outside
from tests.ui.site import FILE_ADDRESSES, SPELLINGS, Site

BOX = "import cadquery as cq\nr=cq.Workplane('XY').box(1,2,3)"
SECONDS = 60  # by the clock, of a machine that does other things as well
FOREIGN = (
    "evil.example",
    "evil.example:80",
    "localhost.evil.example",
    "127.0.0.1.nip.io",
    "10.0.0.1",
    "",
    "[::",
    "a b",
)
ORIGINS = ("https://evil.example", "null", "http://localhost:1", "http://127.0.0.1", "", "file://", "http://[::1")


@dataclass(frozen=True)
class Call:
    """A request, and who sends it."""

    path: str
    role: Role = Role.GUEST
    method: str = "GET"
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    login: bool = True  # to the app with logins; otherwise to the one without


def _files(role: Role) -> Iterator[Attack]:
    for number, address in enumerate(FILE_ADDRESSES):
        for spelling, spell in enumerate(SPELLINGS):

            def make(outside: Outside, address=address, spell=spell) -> Call:
                return Call(address.format(api=API, path=spell(str(outside.folder / "canary.txt"))), role)

            name = f"a file outside, as {role.name.lower()}, address {number}, spelling {spelling}"
            yield Attack(name, make, SECONDS, short=spelling < 2)


def _others() -> Iterator[Attack]:
    def attack(name: str, call: Call) -> Attack:
        return Attack(name, lambda outside: call, SECONDS)

    for path in (rule for rule, role in RULES.items() if role in (None, Role.OWNER)):
        yield attack(f"an address that is off: {path}", Call(path.replace("{", "").replace("}", ""), Role.OWNER))
    for host in FOREIGN:
        yield attack(f"host {host!r}", Call("/config", Role.NOBODY, headers={"Host": host}, login=False))
    for origin in ORIGINS:
        upload = Call(f"{API}/upload", Role.NOBODY, "POST", {"Origin": origin}, {"files": ("a.xyz", b"1 2 3\n")}, False)
        yield attack(f"an upload from a page at {origin!r}", upload)
        program = {"data": [BOX, "mm"]}
        yield attack(
            f"a program from a page at {origin!r}",
            Call(f"{API}/run/run_program", Role.NOBODY, "POST", {"Origin": origin}, program, False),
        )
    for cookie in ("access-token-unsecure-x=1", "access-token-=me", "a" * 4000, "access-token-unsecure-x=%00"):
        yield attack(f"a cookie {cookie[:30]}", Call("/config", Role.NOBODY, headers={"Cookie": cookie}))
    for token in ("Bearer me", "Basic bWU6c2VjcmV0"):
        yield attack(f"authorization {token}", Call("/config", Role.NOBODY, headers={"Authorization": token}))


@contextlib.contextmanager
def _server() -> Iterator[Callable[[Call | str], str]]:
    """Sends requests to two apps, with logins and without. Anything but a refusal is an escape."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patched:
        patched.setenv("GRADIO_TEMP_DIR", folder)  # uploads of its own
        sites = {login: Site(Path(folder) / str(login), login) for login in (True, False)}
        guest = sites[True].client(Role.GUEST)
        clients = {
            (login, role): site.client(role if login else Role.NOBODY) for login, site in sites.items() for role in Role
        }

        def send(call: Call | str) -> str:
            if isinstance(call, str):
                answer = guest.post(f"{API}/run/run_program", json={"data": [call, "mm"]}).json()
                return "ok" if answer["data"][0]["ok"] else str(answer)
            before = set(Path(get_upload_folder()).rglob("*"))
            kind = {"files": call.body} if isinstance(call.body, dict) and "files" in call.body else {"json": call.body}
            try:
                answer = clients[call.login, call.role].request(call.method, call.path, headers=call.headers, **kind)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                return f"not sent ({type(error).__name__})"
            assert SECRET not in answer.content, "the file came back"
            assert 400 <= answer.status_code < 500, f"answered with {answer.status_code}"
            assert set(Path(get_upload_folder()).rglob("*")) == before, "something was stored"
            return f"{answer.status_code} {answer.headers.get(REFUSED, 'by the server')}"

        try:
            yield send
        finally:
            for site in sites.values():
                site.close()


# --- adapters

LORA = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "base_model_name_or_path": "embedded", "target_modules": ["q"]}
STATUS = json.dumps({"kind": "training", "state": "queued", "created_at": 1.0, "queued_at": 1.0})
CONFIGS = {
    "base of another": {"base_model_name_or_path": "evil/model"},
    "base as a path": {"base_model_name_or_path": "{folder}"},
    "base of a list": {"base_model_name_or_path": ["embedded"]},
    "a regular expression": {"target_modules": "(a+)+$"},
    "patterns": {"rank_pattern": {"(a+)+$": 9}},
    "a huge rank": {"r": 10**9},
    "a rank of 4,000 digits": {"r": 10**4000},
    "a module of Python": {"auto_mapping": {"parent_library": "os", "base_model_class": "system"}},
    "weights that are made anew": {"init_lora_weights": "eva"},
    "the head of the base": {"modules_to_save": ["lm_head"]},
    "layers repeated": {"layer_replication": [[0, 10**6]]},
}
FILES = {
    "a status": {"status.json": STATUS},
    "a status and settings": {
        "status.json": STATUS,
        "config.yaml": "train_data_path: {folder}\nmodel_save_path: {folder}\n",
    },
    "a status in a folder": {"x/status.json": STATUS},
    "a checkpoint": {"checkpoint-1/complete.json": "{}"},
    "a merged model": {"merged_model/config.json": "{}"},
    "a pickle": {"adapter_model.bin": "x"},
    "a way out": {"../../{folder}/x.json": "{}"},
    "an absolute name": {"{folder}/README.md": "x"},
    "a name for Windows": {"..\\..\\x.json": "{}"},
    "a long name": {"a" * 3000 + ".json": "{}"},
    "a swollen card": {"README.md": " " * 50_000_000},
    "swollen settings": {"adapter_config.json": " " * 50_000_000},
    "settings nested": {"adapter_config.json": "[" * 60_000},
    "settings not UTF-8": {"adapter_config.json": b"\xff\xfe"},
    "no weights": {"adapter_model.safetensors": ""},
    "weights with a huge header": {"adapter_model.safetensors": b"\xff" * 8 + b"{}"},
    "weights that are a pickle": {"adapter_model.safetensors": pickle.dumps([1])},
    "thousands of files": {f"{number}.json": "{}" for number in range(20_000)},
}


def _zipped(outside: Outside, config: dict, files: dict) -> bytes:
    packed = io.BytesIO()
    contents = {
        "adapter_config.json": outside.fill(json.dumps({**LORA, **config})),
        "adapter_model.safetensors": b"",
        **files,
    }
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(outside.fill(name), outside.fill(content) if isinstance(content, str) else content)
    return packed.getvalue()


def _adapters() -> Iterator[Attack]:
    for name, config in CONFIGS.items():
        yield Attack(name, lambda outside, config=config: _zipped(outside, config, {}), SECONDS)
    for name, files in FILES.items():
        yield Attack(name, lambda outside, files=files: _zipped(outside, {}, files), SECONDS)


@contextlib.contextmanager
def _upload() -> Iterator[Callable[[bytes], str]]:
    """Takes in an uploaded adapter. Anything that stays in the runs folder, or starts a run, is an escape."""
    from cadrecode.engine import Engine
    from cadrecode.kernel import shared_sandbox
    from cadrecode.ui.adapters import incoming
    from cadrecode.ui.services import Services

    with tempfile.TemporaryDirectory() as folder:
        services = Services(Engine(), Path(folder) / "runs", shared_sandbox)
        services.runs_dir.mkdir()
        path = Path(folder) / "given.zip"

        def send(content: bytes) -> str:
            path.write_bytes(content)
            try:
                incoming.take_in(path, services)
            except CadrecodeError as error:
                left = [p for p in services.runs_dir.glob("*") if p.name not in (incoming.INCOMING, ".lock")]
                assert not left, f"{left} stayed"
                assert not any(queue.waiting(services.runs_dir)), "a run waits"
                return type(error).__name__
            raise AssertionError("it was taken in")

        yield send


ROUTES = [
    Route("web: files", [*_files(Role.NOBODY), *_files(Role.GUEST)], _server, forked=False),
    Route("web: calls", [*_others()], _server, forked=False, harmless=BOX),
    Route("adapter zip", [*_adapters()], _upload, grows_mb=300),
]
