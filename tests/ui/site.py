"""The app as it runs, with a login or without, and clients that call it as nobody, as a guest and as the owner."""

import socket
from pathlib import Path

import httpx

from cadrecode.engine import Engine
from cadrecode.kernel import shared_sandbox
from cadrecode.ui import access, build
from cadrecode.ui.guard import Role
from cadrecode.ui.services import Services
from tests.ui.conftest import PLATE, Typist

PAIRS = [("me", "secret"), ("you", "word")]
FILE_ADDRESSES = (
    "{api}/file={path}", "{api}/file/{path}", "{api}/proxy={path}", "{api}/custom_component/{path}", "/static/{path}",
    "/assets/{path}", "/svelte/{path}", "{api}/stream/{path}", "{api}/file=file={path}", "{api}/mcp/{path}",
)  # fmt: skip
SPELLINGS = (
    lambda path: path,
    lambda path: "/" + path,
    lambda path: path.replace("/", "%2F"),
    lambda path: path.replace(".", "%2e"),
    lambda path: path.replace("/", "%252F"),
    lambda path: path.replace("/", "\\"),
    lambda path: path.replace("/.downloads/", "/x/../.downloads/"),
    lambda path: path.replace("/.downloads/", "/./.downloads/./"),
    lambda path: "file://" + path,
    lambda path: path + "/",
    lambda path: path + "?x=1",
    lambda path: path + "%00",
)


class Site:
    """The app as it runs, and a client for each role."""

    def __init__(self, folder: Path, logins: bool):
        typist = Typist([PLATE])
        engine = Engine(load_model=typist.load, generate=typist.generate)
        guests = frozenset({"you"}) if logins else frozenset()
        self.services = Services(engine, folder / "runs", shared_sandbox, guests=guests, logins=logins)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.blocks, address = build.start(self.services, port=port, auth=PAIRS if logins else None)
        self.host = address.rstrip("/")
        self.downloads = self.services.runs_dir / ".downloads"
        (self.downloads / "a-adapter.zip").write_text("weights")

    def client(self, role=Role.NOBODY):
        client = httpx.Client(base_url=self.host, timeout=60)
        if role > Role.NOBODY:
            name, password = PAIRS[0] if role == Role.OWNER else PAIRS[1]
            assert client.post("/login", data={"username": name, "password": password}).status_code == 200
        return client

    def addresses(self):
        """(method, path) of every route, those in routers within the app, too."""
        for route in self.blocks.app.routes:
            inner = getattr(route, "original_router", None)
            for inner_route in inner.routes if inner is not None else [route]:
                yield from ((method, inner_route.path) for method in inner_route.methods)

    def close(self):
        build.stop(self.blocks)
        self.services.close()
        access.set_guests(())
