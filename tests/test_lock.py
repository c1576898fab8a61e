"""requirements.lock pins what requirements.txt asks for, with hashes, and names no index."""

import re
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
NOT_LOCKED = {"torch"}  # the head of the lock says why


def test_the_lock_is_in_step_with_the_requirements():
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    entries = re.split(r"(?m)^(?=[\w-]+==)", text)[1:]
    pinned = {canonicalize_name(entry.split("==")[0]): entry.split("==")[1].split()[0] for entry in entries}
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    for line in filter(None, (line.partition("#")[0].strip() for line in lines)):
        wanted = Requirement(line)
        name = canonicalize_name(wanted.name)
        if name in NOT_LOCKED:
            assert name not in pinned
        elif wanted.marker is None or wanted.marker.evaluate():
            assert pinned.get(name), f"requirements.lock lacks {wanted}: make it again"
            assert wanted.specifier.contains(pinned[name]), f"{wanted}, and the lock says {pinned[name]}"
    assert all("--hash=sha256:" in entry for entry in entries)
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links|\+cpu", text)
