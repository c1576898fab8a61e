"""The owner sees what `cadrecode doctor` finds, in both languages."""

from cadrecode.doctor import Finding
from cadrecode.errors import Message
from cadrecode.ui import machine
from cadrecode.ui.words.text import Words

DISK = Finding(
    "disk",
    Message("{free:.1f} GB free in {folder}", free=1.0, folder="<runs>"),
    Message("Trainings need {least:.0f} GB: make room.", least=5),
)


def test_findings_appear_one_after_the_other_with_what_to_do(services, monkeypatch):
    monkeypatch.setattr(machine, "examine", lambda folder: iter((Finding("hub", "it answers"), DISK)))
    first, both = machine.found(services, Words("en"))
    assert "it answers" in first
    assert "GB" not in first
    assert both.count("<div>") == 2
    assert "1.0 GB free in &lt;runs&gt;" in both
    assert "<b>Trainings need 5 GB: make room.</b>" in both
    *_, chinese = machine.found(services, Words("zh"))
    assert "make room" not in chinese
    assert "磁盘" in chinese
