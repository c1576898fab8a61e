"""The Train tab's handlers: form values in, run folders out, and run folders in, what is shown out."""

import json
import os
import shlex

import pytest

from cadrecode import jobs
from cadrecode.config import TrainConfig
from cadrecode.errors import ConfigError, RunError
from cadrecode.runs import Run, State
from cadrecode.ui import form
from cadrecode.ui.tabs import train as tab
from cadrecode.ui.text import Words

EN, ZH = Words("en"), Words("zh")


@pytest.fixture
def queue_only(monkeypatch):
    """Queue runs, and start no process for them."""
    monkeypatch.setattr(jobs, "watch", lambda runs_dir: None)


def values(**changes):
    return {**tab.preset("quickstart").model_dump(), **changes}


def make_run(runs_dir, name, state=State.TRAINING, **fields):
    run = Run.create(runs_dir / name, TrainConfig().to_yaml())
    run.claim(os.getpid(), step=30, total=100, eta_seconds=72)
    run.set_status(state, **fields)
    return run


@pytest.mark.parametrize("name", tab.PRESETS)
def test_every_preset_is_a_file_that_the_command_line_reads(name):
    assert isinstance(tab.preset(name), TrainConfig)


def test_starting_with_nothing_changed_is_the_quickstart(tmp_path, queue_only):
    name = tab.start(values(), tmp_path)
    made = TrainConfig.load(tmp_path / name / "config.yaml")
    assert made.model_dump(exclude={"model_save_path"}) == tab.preset("quickstart").model_dump(
        exclude={"model_save_path"}
    )
    assert made.base_model_name == "embedded"
    assert Run(tmp_path / name).state == State.QUEUED


def test_the_form_shows_and_returns_every_setting_unchanged():
    config = tab.preset("lora")
    asked = [*form.names(first=True), *form.names(first=False)]
    assert sorted([*asked, *form.NOT_ASKED]) == sorted(TrainConfig.model_fields)
    returned = {name: form.shown(config, name) for name in asked}
    assert TrainConfig.from_values({**config.model_dump(), **returned}, source="form") == config


@pytest.mark.parametrize(
    ("name", "kind"), [("use_qlora", "Checkbox"), ("mixed_precision", "Dropdown"), ("seed", "Textbox")]
)
def test_a_settings_type_decides_its_widget(name, kind):
    widget = form.field(name, getattr(TrainConfig(), name), EN)
    assert type(widget).__name__ == kind
    assert widget.info == TrainConfig.help(name)


def test_numbers_are_read_as_a_person_writes_them(tmp_path, queue_only):
    name = tab.start(
        values(learning_rate="2e-4", max_steps="30", lora_target_modules="q_proj, v_proj"), tmp_path, "mine"
    )
    assert name == "mine"
    made = TrainConfig.load(tmp_path / "mine" / "config.yaml")
    assert (made.learning_rate, made.max_steps, made.lora_target_modules) == (2e-4, 30, ("q_proj", "v_proj"))


def test_an_impossible_setting_is_refused_before_anything_is_made(tmp_path, queue_only):
    with pytest.raises(ConfigError, match="lora_r"):
        tab.start(values(lora_r="-3"), tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_command_says_what_differs_and_can_be_pasted(tmp_path):
    config = tab.preset("quickstart")
    plain = tab.command(values(), "quickstart", tmp_path / "runs", "")
    assert plain.startswith("python train_cad_recode_lora.py --config configs/quickstart.yaml")
    changed = values(max_steps=str(config.max_steps + 1), train_data_path="my parts", use_qlora=True)
    words = shlex.split(tab.command(changed, "quickstart", tmp_path / "runs", "trial"))
    assert words[words.index("--max_steps") + 1] == str(config.max_steps + 1)
    assert words[words.index("--train_data_path") + 1] == "my parts"
    assert words[words.index("--use_qlora") + 1] == "true"
    assert words[words.index("--model_save_path") + 1] == "runs/trial"
    pairs = dict(zip([w.removeprefix("--") for w in words[2::2]], words[3::2]))
    overrides = {key: value for key, value in pairs.items() if key != "config"}
    again = TrainConfig.load(tab.CONFIGS / "quickstart.yaml", overrides)
    assert again.max_steps == config.max_steps + 1


def test_data_comes_from_a_family_or_from_a_path_that_exists(tmp_path):
    config = tab.preset("quickstart")
    own = tab._family(config.train_data_path)
    assert tab.data_path(tab.INVENTED, own, "", config) == config.train_data_path
    assert tab.data_path(tab.INVENTED, "shafts", "", config) == "invent:shafts"
    assert tab.data_path(tab.OWN, own, f' "{tmp_path}" ', config) == str(tmp_path)
    with pytest.raises(ConfigError, match="no folder or file"):
        tab.data_path(tab.OWN, own, str(tmp_path / "absent"), config)
    with pytest.raises(ConfigError, match="Give the folder"):
        tab.data_path(tab.OWN, own, None, config)


def test_a_run_is_read_from_its_folder(tmp_path):
    run = make_run(tmp_path, "one")
    for step in range(1, 4):
        run.log_metrics(step * 10, loss=2.0 / step, samples_per_second=40.4)
    (run.folder / "log.txt").write_text("\n".join(f"line {i}" for i in range(60)))
    seen = tab.look(run, EN)
    for words in ("step 30 / 100", "1:12 left", "loss 0.667", "40 samples/s", "training", "width:30.0%"):
        assert words in seen.html
    assert seen.log.splitlines() == [f"line {i}" for i in range(20, 60)]
    assert "训练中" in tab.look(run, ZH).html
    assert tab.look(run, EN) == seen  # nothing changed, nothing is redrawn


def test_a_failed_run_says_why(tmp_path):
    run = make_run(tmp_path, "one", State.FAILED, error="<out of memory>")
    assert "&lt;out of memory&gt;" in tab.look(run, EN).html


def test_the_list_shows_queue_places_and_only_live_times(tmp_path, queue_only):
    make_run(tmp_path, "old", State.DONE)
    for _ in range(2):
        tab.start(values(), tmp_path, "next")
    table = {row[0]: row[1:] for row in tab.rows(tmp_path, EN)}
    assert table["next"][0] == "queued #1"
    assert table["next-2"][0] == "queued #2"
    assert table["old"][:4] == ["done", "30 / 100", "–", "–"]


def test_a_page_opens_on_the_run_at_work(tmp_path):
    assert tab.latest(tmp_path) is None
    make_run(tmp_path, "busy")
    done = make_run(tmp_path, "later", State.DONE)
    status = json.loads((done.folder / "status.json").read_text())
    (done.folder / "status.json").write_text(json.dumps({**status, "created_at": status["created_at"] + 60}))
    assert tab.latest(tmp_path) == "busy"


@pytest.mark.parametrize("name", ["../one", "/etc", "absent", "", None])
def test_only_runs_of_the_folder_can_be_named(tmp_path, name):
    (tmp_path / "runs").mkdir()
    make_run(tmp_path, "one")
    with pytest.raises(RunError):
        tab.existing(tmp_path / "runs", name)
