"""Uploaded archives: nothing leaves the folder, nothing fills the disk, what is no scan is named."""

import zipfile

import pytest

from cadrecode.ui import archive


def packed(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, content in files.items():
            out.writestr(name, content)
    return path


def test_paths_in_an_archive_lead_nowhere(tmp_path):
    names = {"../../up.xyz": "1", "/etc/root.xyz": "2", "a/b/part.xyz": "3", "c/part.xyz": "4", "..\\win.xyz": "5"}
    files, left = archive.unpack(packed(tmp_path / "a.zip", names), tmp_path / "out", {".xyz"})
    assert sorted(path.name for path in files) == ["part-2.xyz", "part.xyz", "root.xyz", "up.xyz", "win.xyz"]
    assert {path.parent for path in files} == {tmp_path / "out"}
    assert sorted(path.read_text() for path in files) == list("12345")
    assert left == []


def test_what_is_not_wanted_is_named_and_not_written(tmp_path):
    names = {"a.xyz": "1", "notes.txt~": "x", "__MACOSX/a.xyz": "x", ".hidden.xyz": "x", "run.sh": "x"}
    files, left = archive.unpack(packed(tmp_path / "a.zip", names), tmp_path / "out", {".xyz"})
    assert [path.name for path in files] == ["a.xyz"]
    assert left == ["notes.txt~", "run.sh"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.xyz"]


def test_an_archive_that_is_too_large_is_refused_however_it_announces_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MOST_BYTES", 1000)
    bomb = packed(tmp_path / "bomb.zip", {"a.xyz": "0" * 5000})
    with pytest.raises(archive.ArchiveError, match="unpacks to over"):
        archive.unpack(bomb, tmp_path / "out", {".xyz"})
    monkeypatch.setattr(archive, "_check", lambda path, wanted: None)  # as if it announced less
    with pytest.raises(archive.ArchiveError, match="unpacks to over"):
        archive.unpack(bomb, tmp_path / "out", {".xyz"})
    monkeypatch.undo()
    monkeypatch.setattr(archive, "MOST_FILES", 2)
    with pytest.raises(archive.ArchiveError, match="at most 2"):
        archive.unpack(packed(tmp_path / "many.zip", {f"{i}.xyz": "" for i in range(3)}), tmp_path / "out", {".xyz"})


def test_a_broken_archive_is_told(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"PK no zip")
    with pytest.raises(archive.ArchiveError, match=r"a\.zip is not a zip file"):
        archive.unpack(tmp_path / "a.zip", tmp_path, {".xyz"})


def test_an_archive_with_a_damaged_inside_is_told(tmp_path):
    path = packed(tmp_path / "a.zip", {"a.xyz": "1 2 3\n" * 5000})
    raw = bytearray(path.read_bytes())
    begin = 30 + len("a.xyz")  # behind the local header: the first block of the compressed data
    raw[begin : begin + 8] = b"\xff" * 8
    path.write_bytes(raw)
    with pytest.raises(archive.ArchiveError, match="cut short"):
        archive.unpack(path, tmp_path / "out", {".xyz"})
