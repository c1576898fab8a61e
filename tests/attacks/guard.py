"""What lies outside of every sandbox: a file and listening sockets that no attack may reach."""

import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path

SECRET = b"canary: nobody may read, write or delete this"


@dataclass
class Outside:
    """Things that an attack may try to reach, by name: `{file}`, `{folder}`, `{port}`, `{unix}` in a payload."""

    folder: Path
    port: int
    _listeners: tuple[socket.socket, ...]

    @classmethod
    def stand(cls) -> "Outside":
        folder = Path(tempfile.mkdtemp(prefix="attacks-outside-"))
        (folder / "canary.txt").write_bytes(SECRET)
        inet, unix = socket.socket(), socket.socket(socket.AF_UNIX)
        inet.bind(("127.0.0.1", 0))
        unix.bind(str(folder / "unix.sock"))
        datagrams = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        datagrams.bind(str(folder / "datagrams.sock"))
        for listener in (inet, unix):
            listener.listen()
        for listener in (inet, unix, datagrams):
            listener.setblocking(False)
        return cls(folder, inet.getsockname()[1], (inet, unix, datagrams))

    def fill(self, text: str) -> str:
        """The payload with the gaps filled; other braces stay."""
        gaps = {
            "{file}": self.folder / "canary.txt",
            "{folder}": self.folder,
            "{port}": self.port,
            "{unix}": self.folder / "unix.sock",
            "{datagrams}": self.folder / "datagrams.sock",
        }
        for gap, value in gaps.items():
            text = text.replace(gap, str(value))
        return text

    def touched(self) -> str:
        """What is no longer as it was, in words; empty where nothing was touched."""
        names = {path.name for path in self.folder.iterdir()}
        if names != {"canary.txt", "unix.sock", "datagrams.sock"}:
            return f"the folder holds {sorted(names)}"
        if (self.folder / "canary.txt").read_bytes() != SECRET:
            return "the file was written"
        for listener in self._listeners:
            try:
                listener.recv(1) if listener.type == socket.SOCK_DGRAM else listener.accept()
            except BlockingIOError:
                continue
            return "something connected to a socket"
        return ""

    def leave(self) -> None:
        for listener in self._listeners:
            listener.close()
        for path in self.folder.iterdir():
            path.unlink()
        self.folder.rmdir()
