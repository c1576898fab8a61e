"""The guide's merge command, on the adapter of a real training."""

from pathlib import Path

import pytest

from cadrecode.cli import merge_main
from cadrecode.errors import ModelError
from cadrecode.merging.merge import merge
from cadrecode.runs import Run


@pytest.fixture
def _quick_proof():
    """Here the proof is the one that people get."""


@pytest.fixture(scope="module")
def adapter(make_config, tmp_path_factory):
    from cadrecode.training import train

    config = make_config(tmp_path_factory.mktemp("runs") / "run", auto_merge_final=False)
    train(config, Run.create(config.model_save_path, config.to_yaml()))
    return Path(config.model_save_path)


@pytest.mark.slow
def test_the_guides_command(adapter, bases, tmp_path, capsys):
    words = ["--base_model", str(bases["ours"]), "--lora_path", str(adapter), "--output_path", str(tmp_path / "merged")]
    assert merge_main(words) == 0
    printed = capsys.readouterr().out
    assert "verified: logits equal" in printed
    assert {p.name for p in (tmp_path / "merged").iterdir()} >= {
        "config.json",
        "model.safetensors",
        "generation_config.json",
    }


@pytest.mark.slow
@pytest.mark.usefixtures("proof_here")
def test_the_report_and_the_base_that_the_adapter_names(adapter, bases, tmp_path):
    steps = []
    report = merge(None, adapter, tmp_path / "merged", on_progress=lambda step, share: steps.append((step, share)))
    assert report.base == str(bases["ours"])
    assert report.dtype == "float32"
    assert report.max_logit_difference < 1e-4 * report.largest_logit
    assert report.size_mb == pytest.approx(sum(p.stat().st_size for p in report.output.iterdir()) / 2**20)
    assert [step for step, _ in steps] == ["merging", "saving", "done"]
    again = merge(None, adapter, tmp_path / "merged")  # a model that lies there already is replaced
    assert again.tensors == report.tensors


def test_other_peoples_files_are_not_overwritten(adapter, tmp_path):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "a.txt").write_text("dear")
    with pytest.raises(ModelError, match="holds something that is no model"):
        merge(None, adapter, tmp_path / "letters")


def test_no_adapter_is_said_on_the_command_line(tmp_path, bases, capsys):
    words = ["--base_model", str(bases["ours"]), "--lora_path", str(tmp_path), "--output_path", str(tmp_path / "out")]
    assert merge_main(words) == 1
    assert "is not an adapter folder" in capsys.readouterr().err
