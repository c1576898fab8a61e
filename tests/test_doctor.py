"""Each finding of the doctor is well, or says what to do."""

import shutil
import urllib.request
from collections import namedtuple

import pytest
from packaging.requirements import Requirement

from cadrecode import doctor
from cadrecode.cli import main
from cadrecode.doctor import Finding

Usage = namedtuple("Usage", "total used free")


def test_packages_of_other_versions_and_missing_ones_are_named(monkeypatch):
    wanted = [Requirement("numpy>=1"), Requirement("scipy<0.1"), Requirement("no-such-package")]
    monkeypatch.setattr(doctor, "_requirements", lambda: wanted)
    finding = doctor._packages()
    assert not finding.ok
    assert "scipy is" in finding.text
    assert "not <0.1; no-such-package is missing" in finding.text
    monkeypatch.undo()
    assert doctor._packages().ok
    assert len(doctor._requirements()) > 15


def test_a_full_disk_is_not_well_and_a_hub_that_is_away_is(monkeypatch, tmp_path):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(9e9, 8e9, 1e9))
    assert doctor._disk(tmp_path).cure.startswith("Trainings need 5 GB")

    def refused(address, timeout):
        raise OSError("no network")

    monkeypatch.setattr(urllib.request, "urlopen", refused)
    assert doctor._hub() == Finding("hub", "https://huggingface.co does not answer: models come from this disk")


def test_the_command_ends_with_1_where_something_is_not_well(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "examine", lambda: iter((Finding("a", "well"), Finding("b", "broken", "Mend it."))))
    assert main(["doctor"]) == 1
    printed = capsys.readouterr()
    assert printed.out.splitlines() == ["ok      a           well", "NOT OK  b           broken", f"{'':20}Mend it."]
    assert "1 of 2 are not well: b" in printed.err


@pytest.mark.slow
def test_this_machine_is_looked_at_whole():
    names = [finding.name for finding in doctor.examine()]
    assert names == ["Python", "packages", "device", "4 bits", "CadQuery", "sandbox", "disk", "hub"]
