"""The Train tab's handlers: form values in, run folders out, and run folders in, what is shown out."""

import json
import os
import shlex
from types import SimpleNamespace

import numpy as np
import pytest

from cadrecode.config import TrainConfig
from cadrecode.errors import ConfigError, DatasetError, RunError
from cadrecode.estimate import estimate, recommended
from cadrecode.jobs import queue
from cadrecode.runs import Run, State
from cadrecode.ui.draw import figures
from cadrecode.ui.train import actions, fields, run_list, views
from cadrecode.ui.words.text import Words

EN, ZH = Words("en"), Words("zh")


def values(**changes):
    return {**actions.preset("quickstart").model_dump(), **changes}


def make_run(runs_dir, name, state=State.TRAINING, **fields):
    run = Run.create(runs_dir / name, TrainConfig().to_yaml())
    run.claim(os.getpid(), step=30, total=100, eta_seconds=72)
    run.set_status(state, **fields)
    return run


@pytest.mark.parametrize("name", actions.PRESETS)
def test_every_preset_is_a_file_that_the_command_line_reads(name):
    assert isinstance(actions.preset(name), TrainConfig)


def test_starting_with_nothing_changed_is_the_quickstart(tmp_path, queue_only):
    name = actions.start(values(), tmp_path)
    made = TrainConfig.load(tmp_path / name / "config.yaml")
    assert made.model_dump(exclude={"model_save_path"}) == actions.preset("quickstart").model_dump(
        exclude={"model_save_path"}
    )
    assert made.base_model_name == "embedded"
    assert Run(tmp_path / name).state == State.QUEUED


def test_the_form_shows_and_returns_every_setting_unchanged():
    config = actions.preset("lora")
    names = [*fields.names(first=True), *fields.names(first=False)]
    assert sorted([*names, *fields.NOT_ASKED]) == sorted(TrainConfig.model_fields)
    returned = {name: fields.shown(config, name) for name in names}
    assert TrainConfig.from_values({**config.model_dump(), **returned}, source="form") == config


@pytest.mark.parametrize(
    ("name", "kind"), [("use_qlora", "Checkbox"), ("mixed_precision", "Dropdown"), ("seed", "Textbox")]
)
def test_a_settings_type_decides_its_widget(name, kind):
    widget = fields.field(name, getattr(TrainConfig(), name), EN)
    assert type(widget).__name__ == kind
    assert widget.info == TrainConfig.help(name)


def test_numbers_are_read_as_a_person_writes_them(tmp_path, queue_only):
    name = actions.start(
        values(learning_rate="2e-4", max_steps="30", lora_target_modules="q_proj, v_proj"), tmp_path, "mine"
    )
    assert name == "mine"
    made = TrainConfig.load(tmp_path / "mine" / "config.yaml")
    assert (made.learning_rate, made.max_steps, made.lora_target_modules) == (2e-4, 30, ("q_proj", "v_proj"))


def test_an_impossible_setting_is_refused_before_anything_is_made(tmp_path, queue_only):
    with pytest.raises(ConfigError, match="lora_r"):
        actions.start(values(lora_r="-3"), tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_command_says_what_differs_and_can_be_pasted(tmp_path):
    config = actions.preset("quickstart")
    plain = actions.command(values(), "quickstart", tmp_path / "runs", "")
    assert plain.startswith("python train_cad_recode_lora.py --config configs/quickstart.yaml")
    changed = values(max_steps=str(config.max_steps + 1), train_data_path="my parts", use_qlora=True)
    words = shlex.split(actions.command(changed, "quickstart", tmp_path / "runs", "trial"))
    assert words[words.index("--max_steps") + 1] == str(config.max_steps + 1)
    assert words[words.index("--train_data_path") + 1] == "my parts"
    assert words[words.index("--use_qlora") + 1] == "true"
    assert words[words.index("--model_save_path") + 1] == "runs/trial"
    pairs = dict(zip([w.removeprefix("--") for w in words[2::2]], words[3::2]))
    overrides = {key: value for key, value in pairs.items() if key != "config"}
    again = TrainConfig.load(actions.CONFIGS / "quickstart.yaml", overrides)
    assert again.max_steps == config.max_steps + 1


def test_several_processes_are_launched_and_settings_know_nothing_of_it(tmp_path, queue_only):
    runs_dir = tmp_path / "runs"
    alone = actions.command(values(), "quickstart", runs_dir, "trial")
    team = actions.command(values(), "quickstart", runs_dir, "trial", 2)
    assert team == alone.replace("python ", "accelerate launch --multi_gpu --num_processes 2 ", 1)
    assert "--config configs/quickstart.yaml" in team
    run = Run(runs_dir / actions.start(values(), runs_dir, "trial", 2.0))  # as a number field gives it
    assert queue.processes_of(run) == 2
    assert queue.processes_of(Run(runs_dir / actions.start(values(), runs_dir, "trial"))) == 1
    assert "2 processes" in views.look(run, EN).html
    assert "processes:" not in run.config_yaml()
    for nothing in (None, 0, -1, 1.5):
        with pytest.raises(ConfigError, match="number of processes that train together: 1 or more"):
            actions.start(values(), runs_dir, "trial", nothing)


def test_the_badge_judges_each_process_by_its_share(monkeypatch):
    free = 24_000_000_000
    monkeypatch.setattr("cadrecode.estimate.available_memory", lambda device: free)
    config = actions.preset("quickstart").changed(device="cpu")
    assert estimate(config).available_bytes == free
    assert estimate(config, processes=3).available_bytes == free // 3
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert estimate(config.changed(device="auto"), processes=3).available_bytes == free  # a GPU for each
    assert actions.estimated(values(device="cpu"), 3).available_bytes == free // 3
    shown = actions.badge(judged("enough"), EN, 3)
    assert "needs about 18.00 GB, 24.00 GB are free (each of 3 processes)" in shown
    assert "(each of" not in actions.badge(judged("enough"), EN)


def test_data_comes_from_a_family_or_from_a_path_that_exists(tmp_path):
    assert actions.data_path(actions.INVENTED, "shafts", 300, "") == "invent:shafts:300"
    assert actions.data_path(actions.OWN, "shafts", 300, f' "{tmp_path}" ') == str(tmp_path)
    assert (actions.family_of("invent:shafts:300"), actions.count_of("invent:shafts:300")) == ("shafts", 300)
    assert (actions.family_of(str(tmp_path)), actions.count_of("invent:shafts")) == (None, 2000)
    for given, message in (
        ((actions.OWN, "shafts", 300, str(tmp_path / "absent")), "no folder or file"),
        ((actions.OWN, "shafts", 300, None), "Give the folder"),
        ((actions.INVENTED, "shafts", None, ""), "number of parts"),
    ):
        with pytest.raises(ConfigError, match=message):
            actions.data_path(*given)


def test_a_preview_draws_pairs_counts_and_says_what_is_skipped(tmp_path):
    for i in range(4):
        (tmp_path / f"good{i}.py").write_text(f"import cadquery as cq\nr=cq.Workplane('XY').box(200,100,{20 + 10 * i})")
    (tmp_path / "bad.py").write_text("import cadquery as cq\nr=cq.Workplane('XY').box(200,")
    shown = actions.preview(str(tmp_path), 0, EN)
    assert "5 programs; 5 of them looked at: 4 usable, 1 skipped." in shown
    assert "bad: line 2" in shown
    assert shown.count("<img") == 2 * actions.DRAWN
    assert actions.preview(str(tmp_path), 0, EN) == shown
    assert actions.preview(str(tmp_path), 1, EN) != shown  # other pairs
    assert "4 个可用" in actions.preview(str(tmp_path), 0, ZH)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match=r"no \.py programs"):
        actions.preview(str(tmp_path / "empty"), 0, EN)


def test_parts_without_programs_are_drawn_and_what_becomes_of_them_is_said(tmp_path):
    for number in range(4):
        np.save(tmp_path / f"scan{number}.npy", np.random.default_rng(number).random((500, 3)))
    (tmp_path / "broken.stl").write_bytes(b"solid nothing")
    shown = actions.preview(str(tmp_path), 0, EN)
    assert "5 parts without programs" in shown
    assert shown.count("<img") + shown.count("broken.stl ends") == actions.DRAWN
    assert "5 个零件没有程序" in actions.preview(str(tmp_path), 0, ZH)
    (tmp_path / "block.py").write_text("import cadquery as cq\nr=cq.Workplane('XY').box(1,2,3)")
    assert "5 files without a program beside them are not used" in actions.preview(str(tmp_path), 0, EN)


def test_settings_go_out_and_in_as_yaml(tmp_path):
    name, text = actions.settings_file(values(lora_r="8", lora_alpha="16"), " ")
    assert name == "brackets.yaml"
    (tmp_path / name).write_text(text)
    again = TrainConfig.load(tmp_path / name)
    assert (again.lora_r, again.learning_rate) == (8, actions.preset("quickstart").learning_rate)
    with pytest.raises(ConfigError, match="lora_r"):
        actions.settings_file(values(lora_r="many"), "")


def judged(verdict, changes=None, advice=None):
    parts = {"weights": 3_400_000_000, "adapters": 70_000_000}
    return SimpleNamespace(
        parts=parts, trainable=17_400_000, adapter_bytes=70_000_000, peak_bytes=18_000_000_000,
        available_bytes=24_000_000_000, verdict=verdict, advice=advice, changes=changes or {},
        recommended=recommended(24_000_000_000),
    )  # fmt: skip


def test_the_badge_says_whether_the_memory_is_enough_and_the_change_that_helps():
    enough = actions.badge(judged("enough"), EN)
    assert "enough memory" in enough
    assert "needs about 18.00 GB, 24.00 GB are free" in enough
    small = judged("not_enough", {"use_qlora": True, "lora_r": 8}, "Set use_qlora true.")
    assert "that much memory: use_qlora false, lora_r 16, lora_alpha 32" in enough
    assert "set use_qlora true, lora_r 8" in actions.badge(small, EN)
    assert "内存不足" in actions.badge(small, ZH)
    assert "smaller base" in actions.badge(judged("not_enough", None, "Take a smaller base."), EN)
    with pytest.raises(ConfigError, match="lora_r"):
        actions.estimated(values(lora_r="0"))


def test_a_run_is_read_from_its_folder(tmp_path):
    run = make_run(tmp_path, "one")
    for step in range(1, 4):
        run.log_metrics(step * 10, loss=2.0 / step, samples_per_second=40.4)
    (run.folder / "log.txt").write_text("\n".join(f"line {i}" for i in range(60)))
    seen = views.look(run, EN)
    for words in ("step 30 / 100", "1:12 left", "loss 0.667", "40.4 samples/s", "training", "width:30.0%"):
        assert words in seen.html
    assert seen.log.splitlines() == [f"line {i}" for i in range(20, 60)]
    assert "训练中" in views.look(run, ZH).html
    assert views.look(run, EN) == seen  # nothing changed, nothing is redrawn


def test_a_failed_run_says_why(tmp_path):
    run = make_run(tmp_path, "one", State.FAILED, error="<out of memory>")
    assert "&lt;out of memory&gt;" in views.look(run, EN).html


def test_the_list_shows_queue_places_and_only_live_times(tmp_path, queue_only):
    make_run(tmp_path, "old", State.DONE)
    for _ in range(2):
        actions.start(values(), tmp_path, "next")
    table = {row[0]: row[1:] for row in views.rows(tmp_path, EN)}
    assert table["next"][0] == "queued #1"
    assert table["next-2"][0] == "queued #2"
    assert table["old"][:5] == ["done", "30 / 100", "–", "–", "–"]


def test_a_page_opens_on_the_run_at_work(tmp_path):
    assert views.latest(tmp_path) is None
    make_run(tmp_path, "busy")
    done = make_run(tmp_path, "later", State.DONE)
    status = json.loads((done.folder / "status.json").read_text())
    (done.folder / "status.json").write_text(json.dumps({**status, "created_at": status["created_at"] + 60}))
    assert views.latest(tmp_path) == "busy"


@pytest.mark.parametrize("name", ["../one", "/etc", "absent", "", None])
def test_only_runs_of_the_folder_can_be_named(tmp_path, name):
    (tmp_path / "runs").mkdir()
    make_run(tmp_path, "one")
    with pytest.raises(RunError):
        views.existing(tmp_path / "runs", name)


def test_the_line_has_every_live_figure(tmp_path):
    run = make_run(tmp_path, "one")
    run.log_metrics(0, eval_loss=0.9, median_iou=0.95, invalid_ratio=0)
    assert "IoU" not in views.look(run, EN).html  # that of the base is not the run's
    run.log_metrics(5, eval_loss=0.73, median_iou=0.88, invalid_ratio=0.125)
    run.log_metrics(10, loss=1.5, learning_rate=2e-3, samples_per_second=6.62, peak_memory_mb=1500)
    shown = views.look(run, EN).html
    for text in (
        "held-out loss 0.730",
        "IoU 0.88",
        "12% invalid",
        "learning rate 2.0e-03",
        "6.6 samples/s",
        "1.57 GB",
    ):
        assert text in shown


def test_what_can_be_done_with_a_run(tmp_path):
    seen = views.look(make_run(tmp_path, "busy"), EN)
    assert (seen.stoppable, seen.resumable, seen.deletable) == (True, False, False)
    seen = views.look(make_run(tmp_path, "finished", State.DONE), EN)
    assert (seen.stoppable, seen.resumable, seen.deletable) == (False, False, True)
    broken = make_run(tmp_path, "broken", State.STOPPED)
    assert views.look(broken, EN).resumable  # it starts again
    (broken.folder / "checkpoint-30").mkdir()
    seen = views.look(broken, EN)
    assert not seen.resumable
    assert "checkpoint-30: it was not written to its end" in seen.html


def test_the_figures_are_read_again_only_when_the_file_has_changed(tmp_path):
    run = make_run(tmp_path, "one")
    assert views.metrics(run) == []
    run.log_metrics(1, loss=2.0)
    first = views.metrics(run)
    assert views.metrics(Run(run.folder)) is first
    run.log_metrics(2, loss=1.0)
    assert [row["step"] for row in views.metrics(run)] == [1, 2]


def test_runs_are_compared_by_what_differs(tmp_path):
    runs = []
    for name, rank in (("small", 8), ("large", 64)):
        run = Run.create(tmp_path / name, TrainConfig(lora_r=rank, model_save_path=str(tmp_path / name)).to_yaml())
        run.log_metrics(10, loss=1.0 / rank)
        runs.append(run)
    assert views.differences(runs) == [["lora_r", "8", "64"]]
    shown = views.comparison(runs, EN)
    assert "lora_r" in shown
    assert "0.125" in shown
    assert "model_save_path" not in shown
    assert views.differences([runs[0], runs[0]]) == []


def test_sample_parts_are_drawn_at_each_evaluation(tmp_path):
    run = make_run(tmp_path, "one")
    assert views.samples_film(run, EN) == ""
    corners = np.array([(x, y, z) for x in (0, 1) for y in (0, 1) for z in (0, 1)], float)
    faces = np.array([(0, 1, 3), (0, 3, 2), (4, 6, 7), (4, 7, 5), (0, 4, 5), (0, 5, 1), (2, 3, 7), (2, 7, 6),
                      (0, 2, 6), (0, 6, 4), (1, 5, 7), (1, 7, 3)])  # fmt: skip
    for step, iou in ((0, None), (10, 0.5), (20, 0.93)):
        folder = run.samples_folder(step)
        np.save(folder / "1_cloud.npy", corners.astype(np.float32))
        np.savez(folder / "1_mesh.npz", vertices=corners, faces=faces)
        files = {"cloud": "1_cloud.npy", "mesh": "1_mesh.npz"} if iou else {"cloud": "1_cloud.npy"}
        run.write_samples(step, [{"name": "a <part>", "iou": iou, **files}])
    shown = views.samples_film(run, EN)
    assert shown.count("<img") == 4  # the points, the base, and twice while it learned
    for text in ("a &lt;part&gt;", "base · invalid", "step 10 · IoU 0.50", "step 20 · IoU 0.93"):
        assert text in shown
    assert [name for name, _ in views.look(run, EN).evaluations] == ["step-000000", "step-000010", "step-000020"]


@pytest.mark.parametrize(
    ("state", "fields", "phase", "line"),
    [
        (State.PREPARING, {"reading": {"done": 300, "total": 1000}}, "prepare", "preparing · 300 / 1,000"),
        (State.EVALUATING, {"step": 0}, "base check", "scoring the base"),
        (State.TRAINING, {"step": 12}, "train", "step 12 / 100 · 1:12 left"),
        (State.EVALUATING, {"step": 50}, "train", "step 50 / 100 · evaluating · 1:12 left"),
        (State.SAVING, {"step": 50}, "train", "step 50 / 100 · saving"),
        (State.SAVING, {"step": 100}, "save and merge", "saving"),
        (State.MERGING, {"step": 100}, "save and merge", "merging"),
    ],
)
def test_one_line_says_which_phase_a_run_has_reached(tmp_path, state, fields, phase, line):
    shown = views.look(make_run(tmp_path, "a", state, **fields), EN).html
    assert f"aria-current=step>{phase}<" in shown
    assert line in shown
    assert "cr-phases" not in views.look(make_run(tmp_path, "b", State.DONE), EN).html


def test_a_curve_is_drawn_from_its_second_point_on():
    rows = [{"step": 2, "loss": 1.0}]
    names = EN.curve()
    assert not run_list._plot(figures.losses(rows, names))["visible"]
    assert run_list._plot(figures.losses([*rows, {"step": 4, "loss": 0.9}], names))["visible"]
